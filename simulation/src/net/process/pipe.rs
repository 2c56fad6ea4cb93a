//! Pipes of simulated processes, and their ends in the reactor of the parent.

use crate::net::error::system;
use crate::net::{Net, Shared};
use crate::node::PendingSource;
use crate::trace::What;
use ropewalk::backend::{Readiness, SocketBackend, StreamBackend};
use ropewalk::{Address, Id, SocketOption};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

/// The capacity of a pipe, and the longest write that is not split (pipe(7), PIPE_BUF).
const CAPACITY: usize = 64 * 1024;
const ATOMIC: usize = 4096;

/// The index of standard input among the pipes of a process.
pub(super) const STDIN: usize = 0;

/// A pipe between a process and the reactor of its parent.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) data: VecDeque<u8>,
    /// The end of the parent is closed.
    pub(super) parent_closed: bool,
    /// All ends of the process, and of the processes that it has left behind, are closed.
    pub(super) process_closed: bool,
    id: Option<Id>,
    /// What the reactor was not notified of yet.
    pending: Readiness,
}

impl Pipe {
    pub(super) fn free_space(&self) -> usize {
        CAPACITY - self.data.len()
    }

    /// Returns the present readiness of the parent's end. `index` is that of the pipe in its process.
    fn readiness(&self, index: usize) -> Readiness {
        let mut readiness = Readiness::default();
        let (has_data, is_closed) = (!self.data.is_empty(), self.process_closed);
        match index {
            STDIN if is_closed => readiness |= Readiness::FAILED,
            STDIN if self.free_space() > 0 => readiness |= Readiness::WRITABLE,
            STDIN => {}
            _ if is_closed => readiness |= Readiness::ENDED,
            _ if has_data => readiness |= Readiness::READABLE,
            _ => {}
        }
        readiness
    }
}

/// The parent's end of a pipe.
#[derive(Debug)]
pub(super) struct SimulatedPipe {
    pub(super) net: Shared,
    pub(super) process: u64,
    pub(super) index: usize,
}

impl Net {
    /// Notifies the parent of the present readiness of a pipe.
    pub(super) fn notify_pipe(&mut self, number: u64, index: usize) {
        let Some(process) = self.processes.get_mut(number) else { return };
        let pipe = &mut process.pipes[index];
        let readiness = pipe.readiness(index);
        if pipe.id.is_none() || readiness == Readiness::default() {
            return; // Registration reports the readiness.
        }
        let first = pipe.pending == Readiness::default();
        pipe.pending |= readiness;
        let node = process.node;
        if first {
            self.notify(node, PendingSource::Pipe(number, index));
        }
    }

    /// Returns the event of a pipe that the parent is to be notified of.
    pub(in crate::net) fn take_pipe_event(
        &mut self,
        number: u64,
        index: usize,
    ) -> Option<ropewalk::backend::Event> {
        let pipe = &mut self.processes.get_mut(number)?.pipes[index];
        crate::net::event(pipe.id, std::mem::take(&mut pipe.pending))
    }

    fn read_pipe(&mut self, number: u64, index: usize, buffer: &mut [u8]) -> io::Result<usize> {
        self.charge_call();
        let Some(process) = self.processes.get_mut(number) else { return Ok(0) };
        let (node, pipe) = (process.node, &mut process.pipes[index]);
        let (id, is_over) = (pipe.id, index == STDIN || pipe.process_closed);
        let count = pipe.data.len().min(buffer.len());
        if index == STDIN || count == 0 {
            return if is_over { Ok(0) } else { Err(system(ErrorKind::WouldBlock)) };
        }
        buffer.iter_mut().zip(pipe.data.drain(..count)).for_each(|(to, byte)| *to = byte);
        self.charge_data(node, count);
        self.note(node, id, What::Reads(count));
        self.advance(number);
        Ok(count)
    }

    fn write_pipe(
        &mut self,
        number: u64,
        index: usize,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.charge_write();
        let process =
            self.processes.get_mut(number).filter(|process| !process.pipes[index].process_closed);
        let Some(process) = process.filter(|_| index == STDIN) else {
            return Err(system(ErrorKind::BrokenPipe));
        };
        let (node, pipe) = (process.node, &mut process.pipes[index]);
        let (id, free) = (pipe.id, pipe.free_space());
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        if offered > free && (free == 0 || offered <= ATOMIC) {
            return Err(system(ErrorKind::WouldBlock));
        }
        let count = offered.min(free);
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let written: Vec<u8> = bytes.take(count).collect();
        let has_terminal = process.terminal.is_some();
        if !has_terminal {
            pipe.data.extend(&written);
        }
        self.charge_data(node, count);
        self.note(node, id, What::Writes(&written));
        if has_terminal {
            self.type_into(number, &written);
        }
        self.advance(number);
        Ok(count)
    }

    fn close_parent(&mut self, number: u64, index: usize) {
        let Some(process) = self.processes.get_mut(number) else { return };
        let pipe = &mut process.pipes[index];
        (pipe.parent_closed, pipe.id) = (true, None);
        self.hang_up(number);
        self.advance(number);
        self.remove_if_over(number);
    }
}

impl StreamBackend for SimulatedPipe {
    fn connected_to(&self) -> io::Result<Option<Address>> {
        Ok(Some(Address::Pipes))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.net.borrow_mut().read_pipe(self.process, self.index, buffer)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.net.borrow_mut().write_pipe(self.process, self.index, slices)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        if self.index == STDIN {
            self.net.borrow_mut().close_parent(self.process, self.index);
        }
        Ok(())
    }

    fn reset_on_close(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_nodelay(&self, _nodelay: bool) -> io::Result<()> {
        Ok(())
    }

    fn short_means_would_block(&self) -> bool {
        false
    }

    fn lingers(&self) -> bool {
        false
    }
}

impl SocketBackend for SimulatedPipe {
    fn register(&mut self, id: Id) -> io::Result<()> {
        let mut net = self.net.borrow_mut();
        if let Some(process) = net.processes.get_mut(self.process) {
            process.pipes[self.index].id = Some(id);
        }
        net.notify_pipe(self.process, self.index);
        Ok(())
    }

    fn deregister(&mut self) -> io::Result<()> {
        if let Some(process) = self.net.borrow_mut().processes.get_mut(self.process) {
            let pipe = &mut process.pipes[self.index];
            (pipe.id, pipe.pending) = (None, Readiness::default());
        }
        Ok(())
    }

    fn local_address(&self) -> io::Result<Address> {
        Ok(Address::Pipes)
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        let net = self.net.borrow();
        let is_broken = self.index == STDIN
            && net
                .processes
                .get(self.process)
                .is_none_or(|process| process.pipes[STDIN].process_closed);
        Ok(is_broken.then(|| ErrorKind::BrokenPipe.into()))
    }

    fn set_option(&self, _option: &SocketOption) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

impl Drop for SimulatedPipe {
    fn drop(&mut self) {
        self.net.borrow_mut().close_parent(self.process, self.index);
    }
}
