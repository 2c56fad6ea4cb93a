//! Errors of connection attempts, and of datagrams that cannot be sent.

use crate::sys::errno::*;
use crate::sys::error::{NO_ROUTE, failed, failed_plainly};
use crate::values::error::Error;
use std::io::{self, ErrorKind::*};

const WAIT: &str = "send less, or wait for `resume_writing`";

pub(crate) fn cannot_connect(on: String, cause: io::Error) -> Error {
    failed("connect to", on, cause, |cause| {
        Some(match (cause.number, cause.kind) {
            (_, ConnectionRefused) => "nothing listens there; is the server running?",
            (_, TimedOut) => "no answer; is the address correct, or does a firewall block it?",
            (_, HostUnreachable | NetworkUnreachable) => NO_ROUTE,
            // With another text, it is the address that was chosen for our end, and the text says so.
            (Some(_), AddrNotAvailable) => "no local port is free",
            (Some(_), _) => return cause.on_route(),
            (None, _) => return cause.on_name(),
        })
    })
}

pub(crate) fn cannot_connect_unix(on: String, cause: io::Error) -> Error {
    failed("connect to", on, cause, |cause| match cause.kind {
        TimedOut => Some("the backlog of the server stayed full"),
        kind => on_unix_sockets(cause.number, kind),
    })
}

pub(crate) fn cannot_send(what: String, cause: io::Error) -> Error {
    failed("send", what, cause, |cause| {
        Some(match (cause.number, cause.kind) {
            (Some(MSGSIZE), _) => {
                "a UDP datagram holds at most 65,507 bytes on IPv4, and 65,527 on IPv6"
            }
            (Some(INVAL), _) if cause.on.ends_with(":0") => "port 0 is not a destination",
            (Some(NOBUFS), _) => "the queue of the network interface is full; send less at a time",
            (_, NotConnected) => "use `send_to`, or `connect` the socket first",
            (_, WouldBlock) => WAIT,
            (_, HostUnreachable | NetworkUnreachable) => NO_ROUTE,
            _ => return cause.on_route(),
        })
    })
}

pub(crate) fn cannot_send_unix(what: String, cause: io::Error) -> Error {
    failed("send", what, cause, |cause| {
        Some(match (cause.number, cause.kind) {
            (Some(MSGSIZE), _) => {
                "a datagram has to fit into the send buffer; enlarge that with `send_buffer_size`"
            }
            (_, WouldBlock) => WAIT,
            (_, NotConnected) => "use `send_to`, or `connect` the socket first",
            (number, kind) => return on_unix_sockets(number, kind),
        })
    })
}

pub(crate) fn cannot_receive(on: String, cause: io::Error) -> Error {
    failed_plainly("receive on", on, cause)
}

/// Returns advice on the names of Unix sockets that are to exist.
fn on_unix_sockets(number: Option<i32>, kind: io::ErrorKind) -> Option<&'static str> {
    Some(match (number, kind) {
        (None, InvalidInput) => "use another name, or a path relative to the working directory",
        (Some(PROTOTYPE), _) => {
            "one of the two sockets is a stream socket, the other a datagram socket"
        }
        (Some(PERM), _) => "the receiver is connected, and accepts datagrams of its peer only",
        (_, ConnectionRefused) => {
            "nothing listens there, or the file is not a socket; is the server running?"
        }
        (_, NotFound) => "no such socket; is the server running?",
        (_, PermissionDenied) => {
            "requires write permission on the socket's file, and search permission on its directory"
        }
        _ => return None,
    })
}
