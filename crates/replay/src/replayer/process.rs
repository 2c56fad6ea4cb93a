//! Replayed processes.

use crate::outcome::Outcome;
use crate::player::Player;
use crate::record::{Call, Method};
use crate::replayer::over;
use crate::replayer::stream::{Replayed, replayed_pipe};
use crate::socket::{exit_of, size_of};
use ropewalk::backend::{ProcessBackend, SocketBackend, Spawned};
use ropewalk::{Address, Id, ProcessExit, Signal, SocketOption, WindowSize};
use std::io;
use std::rc::Rc;

/// Replays the start of a process, and then its pipes as streams. Nothing is executed.
pub(super) fn replayed(player: &Rc<Player>, text: &str) -> io::Result<Spawned> {
    let call = Call::Other { method: Method::SpawnProcess, socket: 0, text };
    let number = player.result(&call, |outcome| match outcome {
        Outcome::Count(number) => u32::try_from(number).ok(),
        _ => None,
    });
    let number = number.unwrap_or_else(|| Err(over()))?;
    let socket = Replayed::new(player);
    let pipes = [(); 3].map(|()| replayed_pipe(player, socket.number));
    Ok(Spawned { process: Box::new(ReplayedProcess { number, socket }), pipes })
}

/// A recorded process.
#[derive(Debug)]
struct ReplayedProcess {
    number: u32,
    socket: Replayed,
}

impl SocketBackend for ReplayedProcess {
    fn register(&mut self, id: Id) -> io::Result<()> {
        self.socket.register(id)
    }

    fn deregister(&mut self) -> io::Result<()> {
        self.socket.deregister()
    }

    fn local_address(&self) -> io::Result<Address> {
        self.socket.local_address()
    }

    fn set_option(&self, option: &SocketOption) -> io::Result<()> {
        self.socket.set_option(option)
    }
}

impl ProcessBackend for ReplayedProcess {
    fn number(&self) -> u32 {
        self.number
    }

    fn try_wait(&mut self) -> io::Result<Option<ProcessExit>> {
        let call = self.socket.call(Method::TryWait, "");
        let exit = self.socket.player.result(&call, |outcome| match outcome {
            Outcome::Nothing => Some(None),
            Outcome::Count(code) => Some(Some(exit_of(code)?)),
            _ => None,
        });
        exit.unwrap_or(Ok(None))
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.socket.done(Method::SendSignal, &format!("{signal:?}"))
    }

    fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        self.socket.done(Method::SetWindowSize, &format!("{size:?}"))
    }

    fn window_size(&self) -> io::Result<WindowSize> {
        let call = self.socket.call(Method::WindowSize, "");
        let size = self.socket.player.result(&call, |outcome| match outcome {
            Outcome::Count(code) => size_of(code),
            _ => None,
        });
        size.unwrap_or_else(|| Err(over()))
    }

    fn kill_and_wait(&mut self) -> io::Result<ProcessExit> {
        let call = self.socket.call(Method::KillAndWait, "");
        let exit = self.socket.player.result(&call, |outcome| match outcome {
            Outcome::Count(code) => exit_of(code),
            _ => None,
        });
        exit.unwrap_or_else(|| Err(over()))
    }
}
