//! Recorded processes.

use crate::outcome::Outcome;
use crate::record::{Call, Method};
use crate::recorder::stream::{Registered, recorded as recorded_stream};
use crate::recording::Recording;
use crate::socket::{exit_code, size_code};
use ropewalk::backend::{ProcessBackend, SocketBackend, Spawned, StreamSocket};
use ropewalk::{Address, Id, ProcessExit, Signal, SocketOption, WindowSize};
use std::fmt;
use std::io;
use std::rc::Rc;

/// Records the start of a process, and then its pipes as streams.
pub(super) fn recorded(
    recording: &Rc<Recording>,
    text: &str,
    spawned: io::Result<Spawned>,
) -> io::Result<Spawned> {
    let call = Call::Other { method: Method::SpawnProcess, socket: 0, text };
    let number = spawned.as_ref().map_or(0, |spawned| spawned.process.number());
    let spawned = recording.result(&call, spawned, |_| Outcome::Count(number.into()))?;
    let registered = Registered::new(recording.number_socket(), recording);
    let number = registered.number;
    let pipe = |pipe: Option<StreamSocket>| match pipe {
        Some(pipe) => {
            let opened = Ok((pipe, Address::Unknown));
            recorded_stream(recording, Method::Pipe, number, "", opened).ok().map(|(pipe, _)| pipe)
        }
        None => {
            recording.write(&Call::plain(Method::Pipe, number), &Outcome::Nothing);
            None
        }
    };
    let pipes = spawned.pipes.map(pipe);
    let process = RecordedProcess { process: spawned.process, registered };
    Ok(Spawned { process: Box::new(process), pipes })
}

/// A process of the wrapped backend.
struct RecordedProcess {
    process: Box<dyn ProcessBackend>,
    registered: Registered,
}

impl fmt::Debug for RecordedProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecordedProcess").field(&self.process).finish()
    }
}

impl SocketBackend for RecordedProcess {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.registered.register(self.process.as_mut(), id)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.registered.deregister(self.process.as_mut())
    }

    fn local_address(&self) -> io::Result<Address> {
        self.registered.local_address(self.process.local_address())
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        let set = self.process.set_option(option);
        self.registered.done(Method::SetOption, &format!("{option:?}"), set)
    }
}

impl ProcessBackend for RecordedProcess {
    fn number(&self) -> u32 {
        self.process.number()
    }

    fn try_wait(&mut self) -> io::Result<Option<ProcessExit>> {
        let call = self.registered.call(Method::TryWait, "");
        self.registered.recording.result(&call, self.process.try_wait(), |exit| {
            exit.map_or(Outcome::Nothing, |exit| Outcome::Count(exit_code(exit)))
        })
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let sent = self.process.signal(signal);
        self.registered.done(Method::SendSignal, &format!("{signal:?}"), sent)
    }

    fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        let set = self.process.set_window_size(size);
        self.registered.done(Method::SetWindowSize, &format!("{size:?}"), set)
    }

    fn window_size(&self) -> io::Result<WindowSize> {
        let call = self.registered.call(Method::WindowSize, "");
        let size = self.process.window_size();
        self.registered.recording.result(&call, size, |size| Outcome::Count(size_code(*size)))
    }

    fn kill_and_wait(&mut self) -> io::Result<ProcessExit> {
        let call = self.registered.call(Method::KillAndWait, "");
        let exit = self.process.kill_and_wait();
        self.registered.recording.result(&call, exit, |exit| Outcome::Count(exit_code(*exit)))
    }
}
