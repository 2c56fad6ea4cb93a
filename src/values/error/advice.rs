//! What to do about an error, where that is known.
//!
//! An error number is advised on only where it has one cause for that request, or a few that can all be
//! named: see errno(3), connect(2), bind(2), sendto(2), ip(7), ipv6(7) and unix(7). A kind of std's may
//! stand for several numbers, so those that differ are told apart by their numbers first.

use crate::values::errno::*;
use crate::values::error::{Action, Error, Explained};
use crate::values::socket_option::Unset;
use std::io::ErrorKind::{self, *};
use std::net::{SocketAddr, SocketAddrV6};

const NO_WAY: &str = "this machine knows no way there";
const NO_INTERFACE: &str = "there is no such interface; `ip link` lists those that are there";
const WAIT: &str = "send less, or wait for `resume_writing`";

impl Error {
    pub(super) fn advice(&self) -> Option<&'static str> {
        let cause = self.cause.get_ref();
        if cause.is_some_and(|cause| cause.is::<Unset>() || cause.is::<Explained>()) {
            return None; // It has advice of its own.
        }
        match self.number() {
            Some(MFILE) => {
                return Some("too many files are open; raise the limit with `ulimit -n`");
            }
            Some(NFILE) => {
                return Some(
                    "too many files are open in the whole system; raise `fs.file-max` (sysctl(8))",
                );
            }
            _ => {}
        }
        let (number, kind) = (self.number(), self.kind());
        match self.action {
            Action::Listen => self.on_listening(number, kind),
            Action::Connect => self.on_connecting(number, kind),
            Action::LookUp => on_names(number, kind),
            Action::Send => self.on_sending(number, kind),
            Action::Join | Action::Leave => on_groups(self.action, number, kind),
            Action::ListenUnix => on_listening_by_name(number, kind),
            Action::ConnectUnix | Action::SendUnix => {
                on_names_of_sockets(self.action, number, kind)
            }
            action => on_others(action, number, kind),
        }
    }

    fn number(&self) -> Option<i32> {
        self.cause.raw_os_error()
    }

    /// The port, if the address is one in digits.
    fn port(&self) -> Option<u16> {
        self.address.parse::<SocketAddr>().ok().map(|address| address.port())
    }

    fn on_listening(&self, number: Option<i32>, kind: ErrorKind) -> Option<&'static str> {
        Some(match (number, kind) {
            (_, AddrInUse) => {
                "a socket has it already, of this program or of another; choose another port, or \
                 port 0 to let the system choose one"
            }
            (_, AddrNotAvailable) => {
                "this machine has no such address; try 127.0.0.1 or [::1], or for all of them \
                 0.0.0.0 or [::]"
            }
            (Some(ACCES), _) if self.port().is_some_and(|port| (1..1024).contains(&port)) => {
                "ports below 1024 need a privilege; choose one above"
            }
            (Some(_), _) => return self.on_address(number),
            (None, kind) => return on_names(number, kind),
        })
    }

    fn on_connecting(&self, number: Option<i32>, kind: ErrorKind) -> Option<&'static str> {
        Some(match (number, kind) {
            (_, ConnectionRefused) => "nothing listens there; is the server running?",
            (_, TimedOut) => "no answer; is the address right, and does a firewall stand between?",
            (_, HostUnreachable | NetworkUnreachable) => NO_WAY,
            // With another text, it is the address that was chosen for our end, and the text says so.
            (Some(_), AddrNotAvailable) => "no port is free at our end",
            (Some(_), _) => return self.on_way(number),
            (None, kind) => return on_names(number, kind),
        })
    }

    fn on_sending(&self, number: Option<i32>, kind: ErrorKind) -> Option<&'static str> {
        Some(match (number, kind) {
            (Some(MSGSIZE), _) => {
                "a UDP datagram holds at most 65,507 bytes over IPv4 and 65,527 over IPv6"
            }
            (Some(INVAL), _) if self.address.ends_with(":0") => "there is no port 0 to send to",
            (Some(NOBUFS), _) => "the queue of the network interface is full; send less at a time",
            (_, NotConnected) => "use `send_to`, or `connect` it first",
            (_, WouldBlock) => WAIT,
            (_, HostUnreachable | NetworkUnreachable) => NO_WAY,
            _ => return self.on_way(number),
        })
    }

    /// On what stands in the way to an address.
    fn on_way(&self, number: Option<i32>) -> Option<&'static str> {
        Some(match number? {
            ACCES => {
                "broadcasting has to be allowed first, with `broadcast`; else a route forbids it \
                 (`ip route get`)"
            }
            PERM => "a firewall of this machine forbids it",
            INVAL if self.link_local().is_none() => {
                "a blackhole route takes what goes there (`ip route get` shows it)"
            }
            _ => return self.on_address(number),
        })
    }

    /// On addresses that are none for this socket, or for this machine.
    fn on_address(&self, number: Option<i32>) -> Option<&'static str> {
        Some(match (number?, self.link_local()) {
            (AFNOSUPPORT, _) => {
                "the socket is of the other family, IPv4 or IPv6, or this system has only one; a \
                 socket on [::] takes both"
            }
            (NODEV, _) => NO_INTERFACE,
            (INVAL, Some(address)) if address.scope_id() == 0 => {
                "a link-local address takes its interface, as in [fe80::1%eth0]:7000"
            }
            (INVAL, Some(_)) => NO_INTERFACE,
            _ => return None,
        })
    }

    /// The address, if it is of use with its interface only.
    fn link_local(&self) -> Option<SocketAddrV6> {
        let last = self.address.rsplit(' ').next()?; // Behind what was sent there.
        let address = last.parse::<SocketAddrV6>().ok()?;
        address.ip().is_unicast_link_local().then_some(address)
    }
}

/// On what an address was written as.
fn on_names(number: Option<i32>, kind: ErrorKind) -> Option<&'static str> {
    Some(match (number, kind) {
        (None, InvalidInput) => "write it as HOST:PORT, such as 127.0.0.1:7000 or [::1]:7000",
        (_, NotFound) => "is the name right, and can the name server be reached?",
        _ => return None,
    })
}

/// On the groups of multicast.
fn on_groups(action: Action, number: Option<i32>, kind: ErrorKind) -> Option<&'static str> {
    Some(match (action, number, kind) {
        (Action::Join, Some(NODEV), _) => {
            "no such interface, or no route to the group; name another interface"
        }
        (_, Some(NODEV), _) => NO_INTERFACE,
        (Action::Join, Some(NOBUFS), _) => {
            "too many groups; raise `net.ipv4.igmp_max_memberships` (sysctl(8))"
        }
        (_, Some(NOPROTOOPT | AFNOSUPPORT), _) => "the socket is of the other family, IPv4 or IPv6",
        (Action::Join, _, AddrInUse) => "it was joined before",
        (Action::Leave, _, AddrNotAvailable) => "it was not joined there",
        (_, None, InvalidInput) => "groups are 224.0.0.0 to 239.255.255.255, and ff00::/8",
        _ => return None,
    })
}

fn on_listening_by_name(number: Option<i32>, kind: ErrorKind) -> Option<&'static str> {
    Some(match (number, kind) {
        (None, InvalidInput) => "choose another; a path may be relative to the working directory",
        (_, AddrInUse) => {
            "a socket has that name already, of this program or of another; choose another name"
        }
        (_, AlreadyExists) => "it is left alone; choose another path, or remove it yourself",
        (_, NotFound) => "its directory has to be made first",
        (_, PermissionDenied) => {
            "this user has to be allowed to write to the directory, and to what another left \
             there; choose a directory of its own"
        }
        _ => return None,
    })
}

/// On the names of Unix sockets that are to be there.
fn on_names_of_sockets(
    action: Action,
    number: Option<i32>,
    kind: ErrorKind,
) -> Option<&'static str> {
    Some(match (action, number, kind) {
        (_, None, InvalidInput) => {
            "choose another; a path may be relative to the working directory"
        }
        (Action::SendUnix, Some(MSGSIZE), _) => {
            "it may be as long as the send buffer; raise that with `send_buffer_size`"
        }
        (_, Some(PROTOTYPE), _) => {
            "that socket is of another type: one is for connections, the other for datagrams"
        }
        (_, Some(PERM), _) => {
            "a socket for datagrams that is connected takes them from its own peer only"
        }
        (Action::SendUnix, _, WouldBlock) => WAIT,
        (Action::SendUnix, _, NotConnected) => "use `send_to`, or `connect` it first",
        (_, _, ConnectionRefused) => {
            "nobody listens there any more, or it is no socket; is the server running?"
        }
        (_, _, NotFound) => "no such socket; is the server running?",
        (_, _, PermissionDenied) => {
            "this user has to be allowed to write to the socket's file, and to enter its directory"
        }
        (Action::ConnectUnix, _, TimedOut) => "the server's queue was full all the time",
        _ => return None,
    })
}

fn on_others(action: Action, number: Option<i32>, kind: ErrorKind) -> Option<&'static str> {
    Some(match (action, number, kind) {
        (Action::RegisterProducer, _, AlreadyExists) => {
            "the connection has one; unregister it first, or write its data after its own"
        }
        (Action::Watch, Some(PERM), _) => {
            "the system's poll does not take regular files and directories, which are always \
             ready: read it at once, or in a thread"
        }
        (Action::SetOption, Some(NODEV), _) => NO_INTERFACE,
        (Action::OpenPing, _, PermissionDenied) => {
            "allow it to your groups, with `sysctl net.ipv4.ping_group_range='0 2147483647'`, or \
             use a raw socket, with the privilege CAP_NET_RAW"
        }
        (Action::OpenRaw, _, PermissionDenied) => {
            "it needs the privilege CAP_NET_RAW: run the program with `sudo`, or give it the \
             privilege with `sudo setcap cap_net_raw+ep PROGRAM`"
        }
        _ => return None,
    })
}
