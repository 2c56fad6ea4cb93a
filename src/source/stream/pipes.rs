//! Streams of pipes.

use crate::source::stream::{PeerSide, Stream, WriteSide};
use crate::sys::StreamSocket;
use crate::values::address::Address;
use std::time::Instant;

impl Stream {
    /// A stream of pipes, which has an input, an output, or both.
    pub(crate) fn of_pipes(
        socket: StreamSocket,
        peer: Address,
        since: Instant,
        [has_input, has_output]: [bool; 2],
    ) -> Self {
        let mut stream = Self::new(socket, peer, since);
        if !has_input {
            stream.input.peer_side = PeerSide::Ended { first: false };
        }
        if !has_output {
            stream.output.write_side = WriteSide::Absent;
        }
        stream
    }
}
