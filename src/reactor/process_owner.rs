//! Owners of processes.

use crate::api::process_protocol::ProcessProtocol;
use crate::api::process_transport::ProcessTransport;
use crate::api::protocol::Protocol;
use crate::api::transport::Transport;
use crate::values::id::Id;
use crate::values::reason::Reason;

/// The owner of a process. Its pipes are connections, and this is the protocol of all of them: each callback goes to
/// the method for that pipe.
pub(super) struct ProcessOwner {
    pub(super) id: Id,
    pub(super) pipes: [Option<Id>; 3],
    pub(super) protocol: Box<dyn ProcessProtocol>,
}

impl ProcessOwner {
    /// Returns the index of a pipe: 0 for standard input.
    fn index(&self, pipe: Id) -> usize {
        self.pipes.iter().position(|of| *of == Some(pipe)).unwrap_or_default()
    }

    fn lend<'a>(id: Id, transport: &'a mut Transport<'_>) -> ProcessTransport<'a> {
        ProcessTransport::new(transport.context(), id)
    }
}

impl Protocol for ProcessOwner {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let index = self.index(transport.id());
        let process = &mut Self::lend(self.id, transport);
        match index {
            2 => self.protocol.err_received(process, data),
            _ => self.protocol.out_received(process, data),
        }
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.protocol.pause_writing(&mut Self::lend(self.id, transport));
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.protocol.resume_writing(&mut Self::lend(self.id, transport));
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let index = self.index(transport.id());
        let process = &mut Self::lend(self.id, transport);
        match index {
            0 => self.protocol.in_connection_lost(process, reason),
            1 => self.protocol.out_connection_lost(process, reason),
            _ => self.protocol.err_connection_lost(process, reason),
        }
    }

    fn type_name(&self) -> &'static str {
        self.protocol.type_name()
    }
}
