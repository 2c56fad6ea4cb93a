//! Processes: callbacks of their protocols.

use crate::api::context::Context;
use crate::api::process_protocol::ProcessProtocol;
use crate::api::process_transport::ProcessTransport;
use crate::reactor::call::Callee;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::{Owner, Owners};
use crate::reactor::process_owner::ProcessOwner;
use crate::values::id::Id;
use crate::values::journal::Callback;

/// The protocol of a process.
#[derive(Clone, Copy)]
pub(super) struct ProcessOf(pub(super) Id);

impl Callee for ProcessOf {
    type Object = dyn ProcessProtocol;
    type Face<'a> = ProcessTransport<'a>;

    fn id(&self) -> Option<Id> {
        Some(self.0)
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        match owners.get_mut(self.0)? {
            Owner::Process(owner) => Some(owner.protocol.as_mut()),
            _ => None,
        }
    }

    fn type_name(&self, protocol: &dyn ProcessProtocol) -> &'static str {
        protocol.type_name()
    }

    fn lend<'a>(&self, context: &'a mut Context) -> ProcessTransport<'a> {
        ProcessTransport::new(context, self.0)
    }

    fn panicked(&self, context: &mut Context) {
        context.end_process_of_panic(self.0);
    }
}

impl Dispatcher {
    /// Sets the protocol of a process and its pipes, and notifies it.
    pub(super) fn make_process(&mut self, id: Id, protocol: Box<dyn ProcessProtocol>) {
        let pipes = self.context.process_of(id).map_or([None; 3], |process| process.pipes);
        for pipe in pipes.into_iter().flatten() {
            self.set_owner(pipe, Owner::Pipe(id));
        }
        let owner = ProcessOwner { id, pipes, protocol };
        self.set_owner(id, Owner::Process(Box::new(owner)));
        self.call(ProcessOf(id), Callback::ConnectionMade, |protocol, process| {
            protocol.connection_made(process);
        });
    }

    /// Notifies the protocol of a process that has exited.
    pub(super) fn notify_exited(&mut self, id: Id) {
        let exit = self.context.process_of(id).and_then(|process| process.exit);
        if let Some(exit) = exit {
            self.call(ProcessOf(id), Callback::ProcessExited, |protocol, process| {
                protocol.process_exited(process, exit);
            });
            self.context.process_mut(id).expect("its slot is not freed yet").notified = true;
            self.end_process(id);
        }
    }

    /// Notes that a connection has ended, if it was a pipe of a process.
    pub(super) fn note_pipe_lost(&mut self, pipe: Id) {
        if let Some(id) = self.owners.process_of(pipe)
            && let Some(process) = self.context.process_mut(id)
        {
            process.pipes.iter_mut().for_each(|of| _ = of.take_if(|of| *of == pipe));
            self.end_process(id);
        }
    }

    /// Makes the last callback of a process, if it has ended, and frees its slot.
    fn end_process(&mut self, id: Id) {
        let process = self.context.process_of(id).filter(|process| process.has_ended());
        if let Some(exit) = process.and_then(|process| process.exit) {
            self.call(ProcessOf(id), Callback::ProcessEnded, |protocol, process| {
                protocol.process_ended(process, exit);
            });
            self.free(id);
        }
    }
}
