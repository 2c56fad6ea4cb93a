//! System calls for sending and receiving datagrams.

use crate::sys::datagram::DatagramFamily;
#[cfg(unix)]
use crate::sys::platform::SENDING;
use crate::sys::platform::receive_inet;
#[cfg(unix)]
use crate::sys::unix;
use crate::values::address::{Address, unknown};
#[cfg(unix)]
use rustix::net;
use std::io;

pub(super) fn receive(socket: &DatagramFamily, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
    match socket {
        DatagramFamily::Inet(socket) => receive_inet(socket, buffer),
        // rustix panics at a sender's name that fills all of sun_path; this call does not.
        #[cfg(unix)]
        DatagramFamily::Unix(socket) => {
            let (length, sender) = socket.recv_from(buffer)?;
            Ok((length, unix::address(&sender)))
        }
    }
}

#[cfg(unix)]
pub(super) fn send(
    socket: &DatagramFamily,
    data: &[u8],
    to: Option<&Address>,
) -> io::Result<usize> {
    Ok(match to {
        None => net::send(socket, data, SENDING)?,
        Some(Address::Inet(to)) => net::sendto(socket, data, SENDING, to)?,
        Some(Address::Unix(to)) => net::sendto(socket, data, SENDING, &unix::destination(to)?)?,
        Some(_) => return Err(unknown()),
    })
}

#[cfg(not(unix))]
pub(super) fn send(
    socket: &DatagramFamily,
    data: &[u8],
    to: Option<&Address>,
) -> io::Result<usize> {
    let DatagramFamily::Inet(socket) = socket;
    match to {
        None => socket.send(data),
        Some(Address::Inet(to)) => socket.send_to(data, *to),
        Some(_) => Err(unknown()),
    }
}
