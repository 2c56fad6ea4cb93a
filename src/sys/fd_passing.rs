//! Passed descriptors: sending and receiving them on a Unix socket (SCM_RIGHTS, unix(7)).

use crate::sys::platform::{RECEIVING, SENDING, close_on_exec};
use crate::sys::received::{MAX_DESCRIPTORS, ReceivedMessage};
use rustix::cmsg_space;
use rustix::net::{
    self, RecvAncillaryBuffer, RecvAncillaryMessage, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The size of a control message with the most descriptors that a message can carry.
const SPACE: usize = cmsg_space!(ScmRights(MAX_DESCRIPTORS));

/// The size of the buffer for control messages: descriptors, and all that the system may add: credentials
/// (SO_PASSCRED), a security label (SO_PASSSEC, of at most NAME_MAX bytes), times (SO_TIMESTAMP) and similar.
/// So a lack of space is never the reason for missing descriptors.
const RECEIVE_SPACE: usize = SPACE + 1024;

/// Sends bytes, and `descriptors` with the first of them. If any byte was taken, all descriptors were.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    slices: &[IoSlice<'_>],
    descriptors: &[OwnedFd],
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
    }
    Ok(net::sendmsg(socket, slices, &mut control, SENDING)?)
}

/// Reads bytes, and the descriptors sent with them if `take` is true.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    take: bool,
) -> io::Result<ReceivedMessage> {
    let mut space = [MaybeUninit::uninit(); RECEIVE_SPACE];
    let used = if take { RECEIVE_SPACE } else { 0 };
    let mut control = RecvAncillaryBuffer::new(&mut space[..used]);
    let slices = &mut [IoSliceMut::new(buffer)];
    let message = net::recvmsg(socket, slices, &mut control, RECEIVING)?;
    let cut = message.flags.contains(ReturnFlags::CTRUNC);
    let (mut descriptors, mut stopped) = (Vec::new(), cut);
    for message in control.drain() {
        stopped = true;
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            descriptors.extend(passed);
        }
    }
    close_on_exec(&descriptors);
    Ok(ReceivedMessage { count: message.bytes, descriptors, cut, stopped })
}
