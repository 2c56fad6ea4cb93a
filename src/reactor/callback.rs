//! All that a protocol can be called for, in one place.

use crate::api::protocol::Protocol;
use crate::api::transport::Transport;
use crate::reactor::guard::{Panic, guarded};
#[cfg(unix)]
use crate::source::fd_passing::OwnedFd;
use crate::values::reason::Reason;
#[cfg(unix)]
use std::mem;

/// A callback that a protocol is due.
#[derive(Debug)]
pub(super) enum Callback<'a> {
    ConnectionMade,
    DataReceived(&'a [u8]),
    #[cfg(unix)]
    DescriptorsReceived(&'a [u8], &'a mut Vec<OwnedFd>),
    #[cfg(unix)]
    DescriptorsLost,
    EofReceived,
    EofNoticed,
    PauseWriting,
    ResumeWriting,
    ReadingResumed,
    ConnectionLost(Reason),
}

impl Callback<'_> {
    /// What the logs call it: the method's name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ConnectionMade => "connection_made",
            Self::DataReceived(_) => "data_received",
            #[cfg(unix)]
            Self::DescriptorsReceived(..) => "descriptors_received",
            #[cfg(unix)]
            Self::DescriptorsLost => "descriptors_lost",
            Self::EofReceived => "eof_received",
            Self::EofNoticed => "eof_noticed",
            Self::PauseWriting => "pause_writing",
            Self::ResumeWriting => "resume_writing",
            Self::ReadingResumed => "reading_resumed",
            Self::ConnectionLost(_) => "connection_lost",
        }
    }

    /// Calls the protocol. Each under a guard of its own, so that nothing has to be looked up within.
    #[inline(always)]
    pub(super) fn make(
        self,
        protocol: &mut dyn Protocol,
        transport: &mut Transport<'_>,
    ) -> Result<(), Panic> {
        match self {
            Self::ConnectionMade => guarded(|| protocol.connection_made(transport)),
            Self::DataReceived(data) => guarded(|| protocol.data_received(transport, data)),
            #[cfg(unix)]
            Self::DescriptorsReceived(data, descriptors) => {
                guarded(|| protocol.descriptors_received(transport, data, mem::take(descriptors)))
            }
            #[cfg(unix)]
            Self::DescriptorsLost => guarded(|| protocol.descriptors_lost(transport)),
            Self::EofReceived => guarded(|| protocol.eof_received(transport)),
            Self::EofNoticed => guarded(|| protocol.eof_noticed(transport)),
            Self::PauseWriting => guarded(|| protocol.pause_writing(transport)),
            Self::ResumeWriting => guarded(|| protocol.resume_writing(transport)),
            Self::ReadingResumed => guarded(|| protocol.reading_resumed(transport)),
            Self::ConnectionLost(reason) => guarded(|| protocol.connection_lost(transport, reason)),
        }
    }
}
