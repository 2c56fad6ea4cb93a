//! Processes on Linux: pidfd_open(2).

use crate::sys::{BorrowedFd, OwnedFd};
use crate::values::process::Signal;
use rustix::process::{self, Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use std::io;
use std::process::Child;

/// Returns an error if this system cannot run processes.
pub(crate) fn check() -> io::Result<()> {
    Ok(())
}

/// Opens a descriptor of a child that was not reaped. It becomes readable when the child ends.
pub(crate) fn open(child: &Child) -> io::Result<OwnedFd> {
    Ok(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?)
}

/// Sends a signal to the process of a descriptor, and never to another one.
pub(crate) fn signal(process: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    Ok(pidfd_send_signal(process, number(signal))?)
}

fn number(signal: Signal) -> process::Signal {
    match signal {
        Signal::Continue => process::Signal::CONT,
        Signal::Hangup => process::Signal::HUP,
        Signal::Interrupt => process::Signal::INT,
        Signal::Kill => process::Signal::KILL,
        Signal::Quit => process::Signal::QUIT,
        Signal::Stop => process::Signal::STOP,
        Signal::Terminate => process::Signal::TERM,
        Signal::User1 => process::Signal::USR1,
        Signal::User2 => process::Signal::USR2,
    }
}
