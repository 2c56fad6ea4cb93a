//! Simulated processes as the reactor of their parent uses them.

use crate::net::process::Terminal;
use crate::net::{Net, Shared};
use crate::node::PendingSource;
use ropewalk::backend::{ProcessBackend, SocketBackend};
use ropewalk::{Address, Id, ProcessExit, Signal, SocketOption, WindowSize};
use std::io::{self, ErrorKind};

/// A process that was not reaped.
#[derive(Debug)]
pub(super) struct SimulatedProcess {
    pub(super) net: Shared,
    pub(super) number: u64,
}

impl ProcessBackend for SimulatedProcess {
    fn number(&self) -> u32 {
        self.number as u32
    }

    fn try_wait(&mut self) -> io::Result<Option<ProcessExit>> {
        let net = &mut *self.net.borrow_mut();
        net.charge_call();
        let Some(process) = net.processes.get_mut(self.number) else {
            return Err(ErrorKind::NotFound.into());
        };
        process.is_reaped = process.exit.is_some();
        Ok(process.exit)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let net = &mut *self.net.borrow_mut();
        net.charge_call();
        net.signal_process(self.number, signal);
        Ok(())
    }

    fn window_size(&self) -> io::Result<WindowSize> {
        Ok(open_terminal(&mut self.net.borrow_mut(), self.number)?.size)
    }

    fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        open_terminal(&mut self.net.borrow_mut(), self.number)?.size = size;
        Ok(())
    }

    fn kill_and_wait(&mut self) -> io::Result<ProcessExit> {
        self.signal(Signal::Kill)?;
        self.try_wait()?.ok_or_else(|| ErrorKind::TimedOut.into())
    }
}

impl SocketBackend for SimulatedProcess {
    fn register(&mut self, id: Id) -> io::Result<()> {
        let net = &mut *self.net.borrow_mut();
        if let Some(process) = net.processes.get_mut(self.number) {
            process.id = Some(id);
            if process.exit.is_some() {
                let node = process.node;
                net.notify(node, PendingSource::Process(self.number));
            }
        }
        Ok(())
    }

    fn deregister(&mut self) -> io::Result<()> {
        if let Some(process) = self.net.borrow_mut().processes.get_mut(self.number) {
            process.id = None;
        }
        Ok(())
    }

    fn local_address(&self) -> io::Result<Address> {
        Ok(Address::Process(self.number()))
    }

    fn set_option(&self, _option: &SocketOption) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

/// The system reaps a process that has no parent any more.
impl Drop for SimulatedProcess {
    fn drop(&mut self) {
        let net = &mut *self.net.borrow_mut();
        if let Some(process) = net.processes.get_mut(self.number) {
            process.is_reaped = true;
        }
        net.remove_if_over(self.number);
    }
}

/// Makes a call on the pseudo-terminal of a process.
fn open_terminal(net: &mut Net, number: u64) -> io::Result<&mut Terminal> {
    net.charge_call();
    let process = net.processes.get_mut(number).filter(|process| !process.is_hung_up());
    process.and_then(|process| process.terminal.as_mut()).ok_or_else(|| {
        let text = "the process has no open pseudo-terminal";
        io::Error::new(ErrorKind::NotConnected, text)
    })
}

/// Returns how a process ends that a signal ends.
pub(super) fn ended_by(signal: Signal) -> ProcessExit {
    let number = match signal {
        Signal::Hangup => 1,
        Signal::Interrupt => 2,
        Signal::Quit => 3,
        Signal::Kill => 9,
        Signal::User1 => 10,
        Signal::User2 => 12,
        _ => 15,
    };
    ProcessExit::Signal { number, core_dumped: false }
}
