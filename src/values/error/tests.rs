use super::*;
use crate::values::errno::*;
use crate::values::socket_option::{SocketOption, Unset};
use std::io::ErrorKind::*;

#[test]
fn says_what_where_why_and_what_to_do() {
    let cause = io::Error::from(AddrInUse);
    let error = Error::new(Action::Listen, "127.0.0.1:7001", cause);
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:7001") && text.contains("port 0"), "{text}");
    assert_eq!(format!("{error:?}"), text);
    assert_eq!(io::Error::from(error).to_string(), text);
}

/// What was tried, with which address, what was answered, and a word of the advice; or none.
type Case = (Action, &'static str, io::Error, &'static str);

fn number(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// An error without a number, as this library makes them.
fn kind(kind: io::ErrorKind) -> io::Error {
    io::Error::new(kind, "a text")
}

#[track_caller]
fn check(cases: impl IntoIterator<Item = Case>) {
    for (action, address, cause, expected) in cases {
        let what = format!("{cause:?} for {address}");
        let advice = Error::new(action, address, cause).advice().unwrap_or_default();
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
        (Action::Listen, V4, kind(AddrInUse), "of this program or of another"),
        (Action::Listen, V4, kind(AddrNotAvailable), "0.0.0.0 or [::]"),
        (Action::Listen, "127.0.0.1:80", number(ACCES), "below 1024"),
        (Action::Listen, V4, number(ACCES), ""),
        (Action::Listen, "127.0.0.1:80", number(PERM), ""),
        (Action::Listen, "nonsense", kind(InvalidInput), "HOST:PORT"),
        (Action::Listen, V4, number(INVAL), ""),
        (Action::Listen, LINK, number(INVAL), "takes its interface"),
        (Action::Listen, LINK_ON, number(INVAL), "no such interface"),
        (Action::Listen, LINK_ON, number(NODEV), "no such interface"),
        (Action::Listen, V6, number(AFNOSUPPORT), "other family"),
        (Action::Listen, "host:7000", kind(NotFound), "is the name right"),
        (Action::Listen, V4, number(MFILE), "`ulimit -n`"),
    ]);
}

#[test]
fn on_connecting() {
    check([
        (Action::Connect, V4, kind(ConnectionRefused), "is the server running"),
        (Action::Connect, V4, kind(TimedOut), "firewall stand between"),
        (Action::Connect, V4, kind(HostUnreachable), "knows no way"),
        (Action::Connect, V4, kind(NetworkUnreachable), "knows no way"),
        (Action::Connect, V4, number(PERM), "a firewall of this machine"),
        (Action::Connect, V4, number(ACCES), "`broadcast`; else a route"),
        (Action::Connect, V4, number(INVAL), "blackhole"),
        (Action::Connect, V6, number(INVAL), "blackhole"),
        (Action::Connect, LINK, number(INVAL), "takes its interface"),
        (Action::Connect, LINK_ON, number(INVAL), "no such interface"),
        (Action::Connect, V6, number(AFNOSUPPORT), "other family"),
        (Action::Connect, V4, kind(AddrInUse), ""),
        (Action::Connect, V4, kind(AddrNotAvailable), ""),
        (Action::Connect, V4, number(ADDRNOTAVAIL), "no port is free at our end"),
        (Action::Connect, "host:7000", kind(NotFound), "is the name right"),
        (Action::Connect, "7000", kind(InvalidInput), "HOST:PORT"),
        (Action::Connect, V4, number(MFILE), "`ulimit -n`"),
        (Action::LookUp, "host:7000", kind(NotFound), "is the name right"),
        (Action::LookUp, "7000", kind(InvalidInput), "HOST:PORT"),
    ]);
}

#[test]
fn on_sending() {
    check([
        (Action::Send, "9 bytes to 192.0.2.1:7000", number(MSGSIZE), "65,507"),
        (Action::Send, "9 bytes to 192.0.2.1:0", number(INVAL), "no port 0"),
        (Action::Send, "9 bytes to 192.0.2.1:7000", number(INVAL), "blackhole"),
        (Action::Send, "9 bytes to [fe80::1]:7000", number(INVAL), "takes its interface"),
        (Action::Send, "9 bytes to 192.0.2.1:7000", number(PERM), "firewall"),
        (Action::Send, "9 bytes to 192.0.2.1:7000", number(ACCES), "`broadcast`"),
        (Action::Send, "9 bytes to [::1]:7000", number(AFNOSUPPORT), "other family"),
        (Action::Send, "9 bytes to 192.0.2.1:7000", number(NOBUFS), "queue of the network"),
        (Action::Send, "9 bytes", kind(NotConnected), "`send_to`"),
        (Action::Send, "9 bytes", kind(WouldBlock), "`resume_writing`"),
        (Action::Send, "9 bytes", kind(NetworkUnreachable), "knows no way"),
        (Action::Send, "9 bytes", kind(InvalidInput), ""),
        (Action::Receive, V4, number(PERM), ""),
    ]);
}

#[test]
fn on_groups() {
    let unclear = || Explained::error(InvalidInput, "an interface is told by its index");
    check([
        (Action::Join, "224.0.0.9", number(NODEV), "another interface"),
        (Action::Join, "224.0.0.9", number(NOBUFS), "igmp_max_memberships"),
        (Action::Join, "224.0.0.9", kind(AddrInUse), "joined before"),
        (Action::Join, "10.0.0.1", kind(InvalidInput), "ff00::/8"),
        (Action::Join, "ff02::9", unclear(), ""),
        (Action::Join, "ff02::9", number(NOPROTOOPT), "other family"),
        (Action::Join, "ff02::9", kind(AddrNotAvailable), ""),
        (Action::Leave, "224.0.0.9", kind(AddrNotAvailable), "not joined there"),
        (Action::Leave, "224.0.0.9", number(NODEV), "no such interface"),
        (Action::Leave, "10.0.0.1", kind(InvalidInput), "ff00::/8"),
    ]);
}

#[test]
fn on_names_of_unix_sockets() {
    const PATH: &str = "/run/a.sock";
    let both = [Action::ConnectUnix, Action::SendUnix];
    #[cfg(unix)] // Elsewhere there are no such numbers.
    check(both.into_iter().flat_map(|action| {
        [
            (action, PATH, number(PERM), "its own peer only"),
            (action, PATH, number(ACCES), "write to the socket's file"),
            (action, PATH, number(PROTOTYPE), "another type"),
        ]
    }));
    check(both.into_iter().flat_map(|action| {
        [
            (action, PATH, kind(ConnectionRefused), "or it is no socket"),
            (action, PATH, kind(NotFound), "is the server running"),
            (action, PATH, kind(InvalidInput), "choose another"),
        ]
    }));
    check([
        (Action::ConnectUnix, PATH, kind(TimedOut), "queue was full"),
        (Action::ConnectUnix, PATH, kind(WouldBlock), ""),
        (Action::SendUnix, PATH, number(MSGSIZE), "`send_buffer_size`"),
        (Action::SendUnix, PATH, kind(WouldBlock), "`resume_writing`"),
        (Action::SendUnix, PATH, kind(NotConnected), "`send_to`"),
        (Action::ListenUnix, PATH, kind(AddrInUse), "of this program or of another"),
        (Action::ListenUnix, PATH, kind(AlreadyExists), "remove it yourself"),
        (Action::ListenUnix, PATH, kind(NotFound), "directory has to be made"),
        (Action::ListenUnix, PATH, kind(PermissionDenied), "write to the directory"),
        (Action::ListenUnix, PATH, kind(InvalidInput), "choose another"),
    ]);
}

#[test]
fn on_all_else() {
    let unset = || Unset::error(&SocketOption::Ttl(0), kind(InvalidInput));
    check([
        (Action::RegisterProducer, "#1.1", kind(AlreadyExists), "unregister it first"),
        #[cfg(unix)]
        (Action::Watch, "", number(PERM), "regular files"),
        #[cfg(unix)]
        (Action::Watch, "", number(ACCES), ""),
        (Action::SetOption, V4, number(NODEV), "no such interface"),
        (Action::SetOption, V4, unset(), ""),
        (Action::OpenPing, V4, number(ACCES), "ping_group_range"),
        (Action::OpenRaw, V4, kind(PermissionDenied), "CAP_NET_RAW"),
        (Action::Start, "", number(MFILE), "`ulimit -n`"),
        #[cfg(unix)]
        (Action::Start, "", number(NFILE), "`fs.file-max`"),
        (Action::Adopt, "a listener", kind(InvalidInput), ""),
        (Action::Detach, "#1.1", kind(NotConnected), ""),
        (Action::Pass, "#1.1", kind(WouldBlock), ""),
        (Action::Poll, "", number(INVAL), ""),
    ]);
}

#[test]
fn what_std_has_no_kind_for_has_one() {
    let of = |cause| Error::new(Action::Send, "9 bytes to [::1]:7000", cause).kind();
    assert_eq!(of(number(AFNOSUPPORT)), Unsupported);
    assert_eq!(of(number(NOPROTOOPT)), Unsupported);
    assert_eq!(of(number(INVAL)), InvalidInput);
    let unset = Unset::error(&SocketOption::OnlyIpv6(true), number(NOPROTOOPT));
    assert_eq!(Error::new(Action::SetOption, V4, unset).kind(), Unsupported);
}
