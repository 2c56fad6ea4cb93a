//! Processes: starting, reaping and ending them.

use crate::api::context::{Context, Pending};
use crate::api::process_protocol::ProcessProtocol;
use crate::source::process::Process;
use crate::source::stream::Stream;
use crate::source::table::Source;
use crate::sys::error::failed;
use crate::sys::{ProcessBackend, StreamSocket};
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::journal::RecordKind;
use crate::values::logging::PROCESS;
use crate::values::process::{ProcessExit, ProcessOptions, Signal};
use crate::values::reason::Reason;
use log::{debug, info, warn};
use std::io::{self, ErrorKind};

/// # Starting
impl ProcessOptions {
    /// Starts the process. See [`ProcessProtocol`] for an example. `protocol` receives
    /// [`connection_made`](ProcessProtocol::connection_made) after the running callback, and then all other callbacks.
    /// These options can start another process later.
    ///
    /// A signal that this process ignores stays ignored in the new one (execve(2)), unless its program changes that: for
    /// instance SIGHUP under nohup(1). SIGPIPE must be ignored, as in all programs with a `main` in Rust: a write to a
    /// process that has closed its standard input raises it. The new process does not ignore it.
    ///
    /// The process inherits no descriptors except standard input, output and error. The reactor watches a descriptor of
    /// the process (pidfd_open(2)) for its end, without SIGCHLD, and waits for no other child. The call returns when the
    /// program is being executed, which takes about a millisecond.
    ///
    /// When the reactor [stops](Context::stop), its standard input is closed after queued data, and it receives SIGTERM.
    /// The stop waits for its end within the [grace period](crate::Reactor::set_grace); then it is killed.
    ///
    /// # Errors
    ///
    /// If the program does not exist or cannot be executed; if no descriptors or processes are left; on systems
    /// other than Linux. In the [shutdown](crate::RunPhase::DuringShutdown) it always fails. The protocol is dropped then.
    #[doc(alias = "spawnProcess")]
    #[doc(alias = "subprocess_exec")]
    pub fn spawn(
        &mut self,
        context: &mut Context,
        protocol: impl ProcessProtocol,
    ) -> Result<Id, Error> {
        let id = context.start_process(self);
        let program = || self.command.get_program().display().to_string();
        let id = id.map_err(|cause| {
            failed("start", program(), cause, |cause| {
                (cause.kind == ErrorKind::NotFound)
                    .then_some("is it installed, and does its working directory exist?")
            })
        });
        let (id, protocol) = context.or_discard(id, protocol)?;
        context.pending.push_back(Pending::Spawned(id, Box::new(protocol)));
        Ok(id)
    }
}

impl Context {
    fn start_process(&mut self, options: &mut ProcessOptions) -> io::Result<Id> {
        self.check_may_open()?;
        let has_terminal = options.settings.pseudo_terminal.is_some();
        if std::mem::replace(&mut options.used_up, has_terminal) {
            let text = "options with a pseudo-terminal can start one process only";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let spawned = self.backend.spawn_process(&mut options.command, options.settings)?;
        let number = spawned.process.number();
        let id = self.register_process(spawned.process, has_terminal)?;
        for (index, socket) in spawned.pipes.into_iter().enumerate() {
            let Some(socket) = socket else { continue };
            match self.register_pipe(socket, number, index == 0) {
                Ok(pipe) => {
                    self.process_mut(id).expect("it was registered above").pipes[index] = Some(pipe)
                }
                Err(error) => {
                    self.give_up_process(id);
                    return Err(error);
                }
            }
        }
        info!(target: PROCESS, "{id} started {}: process {number}", options.command.get_program().display());
        Ok(id)
    }

    /// Gives a process a slot, and registers it. If that fails it is killed: if it were only dropped, it would run on.
    fn register_process(
        &mut self,
        mut backend: Box<dyn ProcessBackend>,
        has_terminal: bool,
    ) -> io::Result<Id> {
        let process = Process::new(backend.number(), has_terminal);
        let id = self.register(Source::Process(Box::new(process)));
        let id = id.inspect_err(|_| {
            reap(&mut *backend);
        })?;
        let registered = backend.register(id);
        self.process_mut(id).expect("it has a slot").backend = Some(backend);
        registered.inspect_err(|_| self.give_up_process(id))?;
        Ok(id)
    }

    /// Makes a stream of a pipe.
    fn register_pipe(
        &mut self,
        socket: StreamSocket,
        number: u32,
        is_stdin: bool,
    ) -> io::Result<Id> {
        let sides = [!is_stdin, is_stdin];
        let stream = Stream::of_pipes(socket, Address::Process(number), self.now, sides);
        self.register(Source::Stream(stream))
    }

    /// Ends a process that could not be registered, or not all its pipes. It has no protocol yet.
    #[cold]
    fn give_up_process(&mut self, id: Id) {
        let Some(process) = self.process_mut(id) else { return };
        let (backend, pipes) = (process.backend.take(), process.pipes);
        if let Some(mut backend) = backend {
            reap(&mut *backend);
        }
        for pipe in pipes.into_iter().flatten().chain([id]) {
            self.shut(pipe);
            self.sources.remove(pipe);
        }
    }

    pub(crate) fn process_of(&self, id: Id) -> Option<&Process> {
        match self.sources.get(id)? {
            Source::Process(process) => Some(process),
            _ => None,
        }
    }

    /// Returns the open pipes of a process.
    pub(crate) fn pipes_of(&self, id: Id) -> impl Iterator<Item = Id> + use<> {
        self.process_of(id).map_or([None; 3], |process| process.pipes).into_iter().flatten()
    }

    pub(crate) fn process_mut(&mut self, id: Id) -> Option<&mut Process> {
        match self.sources.get_mut(id)? {
            Source::Process(process) => Some(process),
            _ => None,
        }
    }

    /// Reaps a process that has ended.
    pub(crate) fn serve_process(&mut self, id: Id) {
        let process = self.process_mut(id).and_then(|process| process.backend.as_mut());
        match process.map(|backend| backend.try_wait()) {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(exit))) => self.note_exit(id, exit),
            Some(Err(error)) => {
                warn!(target: PROCESS, "{id} waiting for the process failed: {error}");
                self.note_exit(id, ProcessExit::Unknown);
            }
        }
    }

    /// Has a process and its pipes served in the next turn, and not before.
    #[cold]
    pub(crate) fn enqueue_process(&mut self, id: Id) {
        self.pipes_of(id).chain([id]).for_each(|id| self.enqueue(id));
    }

    fn note_exit(&mut self, id: Id, exit: ProcessExit) {
        let Some(process) = self.process_mut(id) else { return };
        process.exit = Some(exit);
        let (detail, status) = match exit {
            ProcessExit::Code(code) => (0, code),
            ProcessExit::Signal { number, .. } => (1, number),
            ProcessExit::Unknown => (0, -1),
        };
        self.journal.note(id, RecordKind::Exited, detail, status as usize);
        let Some(process) = self.process_mut(id) else { return };
        info!(target: PROCESS, "{id} process {} {exit}", process.number);
        if let Some(mut backend) = process.backend.take() {
            crate::api::close::deregister(&mut *backend);
        }
        self.pending.push_back(Pending::Exited(id));
    }

    /// Kills a process. Its protocol is notified when it has ended.
    pub(crate) fn kill_process(&mut self, id: Id) {
        self.send_signal(id, Signal::Kill);
    }

    fn send_signal(&self, id: Id, signal: Signal) {
        let backend = self.process_of(id).and_then(|process| process.backend.as_ref());
        if let Some(Err(error)) = backend.map(|backend| backend.signal(signal)) {
            debug!(target: PROCESS, "{id} {signal:?}: {error}");
        }
    }

    /// Closes the pipes of a process.
    pub(crate) fn close_pipes(&mut self, id: Id) {
        self.pipes_of(id).for_each(|pipe| self.close(pipe));
    }

    /// Ends the process of which a callback has panicked, if `pipe` belongs to one.
    #[cold]
    pub(crate) fn end_process_of_pipe(&mut self, pipe: Id) {
        if !matches!(self.peer_of(pipe), Some(Address::Process(_))) {
            return;
        }
        let process = self.sources.iter().find_map(|(id, source)| match source {
            Source::Process(process) if process.pipes.contains(&Some(pipe)) => Some(id),
            _ => None,
        });
        process.into_iter().for_each(|id| self.end_process_of_panic(id));
    }

    /// Ends a process of which a callback has panicked.
    #[cold]
    pub(crate) fn end_process_of_panic(&mut self, id: Id) {
        self.kill_process(id);
        self.pipes_of(id).for_each(|pipe| self.end(pipe, Reason::Panicked));
    }

    /// Ends a process at a stop: asks it once, or kills it and waits for its end.
    pub(crate) fn stop_process(&mut self, id: Id, asks: bool) {
        let Some(process) = self.process_mut(id) else { return };
        match &mut process.backend {
            Some(backend) if !asks => {
                let exit = reap(&mut **backend);
                self.note_exit(id, exit);
            }
            Some(_) if !std::mem::replace(&mut process.asked_to_end, true) => {
                self.send_signal(id, Signal::Terminate);
                // A stopped process would not receive it.
                self.send_signal(id, Signal::Continue);
            }
            _ => {}
        }
    }
}

fn reap(backend: &mut dyn ProcessBackend) -> ProcessExit {
    backend.kill_and_wait().unwrap_or_else(|error| {
        warn!(target: PROCESS, "process {}: {error}", backend.number());
        ProcessExit::Unknown
    })
}
