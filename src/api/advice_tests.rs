//! Tests of the advice of errors.

use crate::api::listener::cannot_listen;
use crate::api::multicast::{cannot_join, cannot_leave};
use crate::api::names::cannot_look_up;
use crate::api::options::cannot_set_option;
use crate::api::producer::cannot_register;
use crate::api::raw::{cannot_open_ping, cannot_open_raw};
#[cfg(unix)]
use crate::api::unix::cannot_listen_unix;
#[cfg(unix)]
use crate::api::watch::cannot_watch;
use crate::source::error::*;
use crate::sys::errno::*;
use crate::sys::error::{Failure, Unset, failed_plainly};
use crate::values::error::Explained;
use crate::values::id::Id;
use crate::values::socket_option::SocketOption;
use std::io;
use std::io::ErrorKind::*;

/// What was tried, with which address, what was answered, and a word of the advice; or none.
type Case = (Failure, &'static str, io::Error, &'static str);

fn number(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// An error without a number, as this library makes them.
fn kind(kind: io::ErrorKind) -> io::Error {
    io::Error::new(kind, "a text")
}

#[track_caller]
fn check<const N: usize>(cases: [Case; N]) {
    for (failure, address, cause, expected) in cases {
        let what = format!("{cause:?} for {address}");
        let error = failure(address.to_owned(), cause);
        let advice = error.advised().unwrap_or_default();
        assert!(advice.contains(expected), "{what}: {advice:?}, not {expected:?}");
        assert!(!expected.is_empty() || advice.is_empty(), "{what}: {advice:?}, not none");
    }
}

const V4: &str = "192.0.2.1:7000";
const V6: &str = "[2001:db8::1]:7000";
const LINK: &str = "[fe80::1]:7000";
const LINK_ON: &str = "[fe80::1%7]:7000";

#[test]
fn on_listening() {
    check([
        (cannot_listen, V4, kind(AddrInUse), "this or another program"),
        (cannot_listen, V4, kind(AddrNotAvailable), "0.0.0.0 or [::]"),
        (cannot_listen, "127.0.0.1:80", number(ACCES), "below 1024"),
        (cannot_listen, V4, number(ACCES), ""),
        (cannot_listen, "127.0.0.1:80", number(PERM), ""),
        (cannot_listen, "nonsense", kind(InvalidInput), "HOST:PORT"),
        (cannot_listen, V4, number(INVAL), ""),
        (cannot_listen, LINK, number(INVAL), "needs its interface"),
        (cannot_listen, LINK_ON, number(INVAL), "no such interface"),
        (cannot_listen, LINK_ON, number(NODEV), "no such interface"),
        (cannot_listen, V6, number(AFNOSUPPORT), "differ in family"),
        (cannot_listen, "host:7000", kind(NotFound), "is the name correct"),
        (cannot_listen, V4, number(MFILE), "`ulimit -n`"),
    ]);
}

#[test]
fn on_connecting() {
    check([
        (cannot_connect, V4, kind(ConnectionRefused), "is the server running"),
        (cannot_connect, V4, kind(TimedOut), "firewall block it"),
        (cannot_connect, V4, kind(HostUnreachable), "no route to this address"),
        (cannot_connect, V4, kind(NetworkUnreachable), "no route to this address"),
        (cannot_connect, V4, number(PERM), "a firewall on this machine"),
        (cannot_connect, V4, number(ACCES), "`broadcast`; for other addresses"),
        (cannot_connect, V4, number(INVAL), "blackhole"),
        (cannot_connect, V6, number(INVAL), "blackhole"),
        (cannot_connect, LINK, number(INVAL), "needs its interface"),
        (cannot_connect, LINK_ON, number(INVAL), "no such interface"),
        (cannot_connect, V6, number(AFNOSUPPORT), "differ in family"),
        (cannot_connect, V4, kind(AddrInUse), ""),
        (cannot_connect, V4, kind(AddrNotAvailable), ""),
        (cannot_connect, V4, number(ADDRNOTAVAIL), "no local port is free"),
        (cannot_connect, "host:7000", kind(NotFound), "is the name correct"),
        (cannot_connect, "7000", kind(InvalidInput), "HOST:PORT"),
        (cannot_connect, V4, number(MFILE), "`ulimit -n`"),
        (cannot_look_up, "host:7000", kind(NotFound), "is the name correct"),
        (cannot_look_up, "7000", kind(InvalidInput), "HOST:PORT"),
    ]);
}

#[test]
fn on_sending() {
    check([
        (cannot_send, "9 bytes to 192.0.2.1:7000", number(MSGSIZE), "65,507"),
        (cannot_send, "9 bytes to 192.0.2.1:0", number(INVAL), "port 0"),
        (cannot_send, "9 bytes to 192.0.2.1:7000", number(INVAL), "blackhole"),
        (cannot_send, "9 bytes to [fe80::1]:7000", number(INVAL), "needs its interface"),
        (cannot_send, "9 bytes to 192.0.2.1:7000", number(PERM), "firewall"),
        (cannot_send, "9 bytes to 192.0.2.1:7000", number(ACCES), "`broadcast`"),
        (cannot_send, "9 bytes to [::1]:7000", number(AFNOSUPPORT), "differ in family"),
        (cannot_send, "9 bytes to 192.0.2.1:7000", number(NOBUFS), "queue of the network"),
        (cannot_send, "9 bytes", kind(NotConnected), "`send_to`"),
        (cannot_send, "9 bytes", kind(WouldBlock), "`resume_writing`"),
        (cannot_send, "9 bytes", kind(NetworkUnreachable), "no route to this address"),
        (cannot_send, "9 bytes", kind(InvalidInput), ""),
        (cannot_receive, V4, number(PERM), ""),
    ]);
}

#[test]
fn on_groups() {
    let unclear = || Explained::error(InvalidInput, "IPv6 multicast requires the index");
    check([
        (cannot_join, "224.0.0.9", number(NODEV), "another interface"),
        (cannot_join, "224.0.0.9", number(NOBUFS), "igmp_max_memberships"),
        (cannot_join, "224.0.0.9", kind(AddrInUse), "already joined"),
        (cannot_join, "10.0.0.1", kind(InvalidInput), "ff00::/8"),
        (cannot_join, "ff02::9", unclear(), ""),
        (cannot_join, "ff02::9", number(NOPROTOOPT), "different family"),
        (cannot_join, "ff02::9", kind(AddrNotAvailable), ""),
        (cannot_leave, "224.0.0.9", kind(AddrNotAvailable), "not joined on"),
        (cannot_leave, "224.0.0.9", number(NODEV), "no such interface"),
        (cannot_leave, "10.0.0.1", kind(InvalidInput), "ff00::/8"),
    ]);
}

#[test]
fn on_names_of_unix_sockets() {
    const PATH: &str = "/run/a.sock";
    for failure in [cannot_connect_unix as Failure, cannot_send_unix] {
        #[cfg(unix)] // Elsewhere there are no such numbers.
        check([
            (failure, PATH, number(PERM), "of its peer only"),
            (failure, PATH, number(ACCES), "write permission on the socket's file"),
            (failure, PATH, number(PROTOTYPE), "one of the two sockets"),
        ]);
        check([
            (failure, PATH, kind(ConnectionRefused), "is not a socket"),
            (failure, PATH, kind(NotFound), "is the server running"),
            (failure, PATH, kind(InvalidInput), "relative to"),
        ]);
    }
    check([
        (cannot_connect_unix, PATH, kind(TimedOut), "the backlog"),
        (cannot_connect_unix, PATH, kind(WouldBlock), ""),
        (cannot_send_unix, PATH, number(MSGSIZE), "`send_buffer_size`"),
        (cannot_send_unix, PATH, kind(WouldBlock), "`resume_writing`"),
        (cannot_send_unix, PATH, kind(NotConnected), "`send_to`"),
    ]);
    #[cfg(unix)]
    check([
        (cannot_listen_unix, PATH, kind(AddrInUse), "this or another program"),
        (cannot_listen_unix, PATH, kind(AlreadyExists), "remove the file"),
        (cannot_listen_unix, PATH, kind(NotFound), "create its directory"),
        (cannot_listen_unix, PATH, kind(PermissionDenied), "permission on the directory"),
        (cannot_listen_unix, PATH, kind(InvalidInput), "relative to"),
    ]);
}

#[test]
fn on_all_else() {
    let unset = || Unset::error(&SocketOption::Ttl(0), kind(InvalidInput));
    check([
        (
            |_, cause| cannot_register(Id::new(1, 1), cause),
            "#1.1",
            kind(AlreadyExists),
            "unregister it first",
        ),
        #[cfg(unix)]
        (|_, cause| cannot_watch(cause), "", number(PERM), "regular files"),
        #[cfg(unix)]
        (|_, cause| cannot_watch(cause), "", number(ACCES), ""),
        (cannot_set_option, V4, number(NODEV), "no such interface"),
        (cannot_set_option, V4, unset(), ""),
        (cannot_open_ping, V4, number(ACCES), "ping_group_range"),
        (cannot_open_raw, V4, kind(PermissionDenied), "CAP_NET_RAW"),
        (
            |on, cause| failed_plainly("start a reactor", on, cause),
            "",
            number(MFILE),
            "`ulimit -n`",
        ),
        #[cfg(unix)]
        (
            |on, cause| failed_plainly("start a reactor", on, cause),
            "",
            number(NFILE),
            "`fs.file-max`",
        ),
        (|on, cause| failed_plainly("adopt", on, cause), "a listener", kind(InvalidInput), ""),
        (|on, cause| failed_plainly("detach", on, cause), "#1.1", kind(NotConnected), ""),
        (
            |on, cause| failed_plainly("pass descriptors to", on, cause),
            "#1.1",
            kind(WouldBlock),
            "",
        ),
        (|on, cause| failed_plainly("wait for events", on, cause), "", number(INVAL), ""),
    ]);
}

#[test]
fn errors_without_kind_in_std_have_one() {
    let of = |cause| cannot_send("9 bytes to [::1]:7000".to_owned(), cause).kind();
    assert_eq!(of(number(AFNOSUPPORT)), Unsupported);
    assert_eq!(of(number(NOPROTOOPT)), Unsupported);
    assert_eq!(of(number(INVAL)), InvalidInput);
    let unset = Unset::error(&SocketOption::OnlyIpv6(true), number(NOPROTOOPT));
    assert_eq!(cannot_set_option(V4.to_owned(), unset).kind(), Unsupported);
}
