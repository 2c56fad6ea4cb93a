//! A side without a reactor: a peer that reads, writes and ends at random.

use crate::model::{Ending, Model, Phase};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(data),
            Self::Unix(socket) => socket.write(data),
        }
    }

    fn shut(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write),
        }
    }

    /// Makes a close reset the peer. Unix sockets have no resets.
    fn reset(&self) {
        if let Self::Tcp(socket) = self {
            let socket = socket2::SockRef::from(socket);
            socket.set_linger(Some(Duration::ZERO)).expect("linger");
        }
    }
}

/// The peer of a side of the reactor.
pub(crate) struct Raw {
    side: usize,
    socket: Option<Socket>,
    /// The unsent part of a frame.
    pending: Vec<u8>,
}

impl Raw {
    pub(crate) fn tcp(side: usize, socket: TcpStream) -> Self {
        socket.set_nonblocking(true).expect("nonblocking");
        Self { side, socket: Some(Socket::Tcp(socket)), pending: Vec::new() }
    }

    pub(crate) fn unix(side: usize, socket: UnixStream) -> Self {
        socket.set_nonblocking(true).expect("nonblocking");
        Self { side, socket: Some(Socket::Unix(socket)), pending: Vec::new() }
    }

    /// Performs a random operation.
    pub(crate) fn operate(&mut self, model: &mut Model) {
        let most = *model.random.choose(&[100, 5000, 100_000, 1_000_000]);
        let amount = model.random.below(most) as usize;
        match model.random.below(40) {
            0..16 => self.read(model, 1 + amount),
            16..34 => self.write(model, amount.min(300_000)),
            34..36 if model.operations & 1 << 40 != 0 => self.shut(model),
            36..38 if model.operations & 1 << 41 != 0 => self.close(model, false),
            38..40 if model.operations & 1 << 42 != 0 => self.close(model, true),
            _ => {}
        }
    }

    /// Reads at most `most` bytes, until it would block.
    pub(crate) fn read(&mut self, model: &mut Model, most: usize) {
        let mut buffer = vec![0; most.min(256 * 1024)];
        let mut left = most;
        while let Some(socket) = &mut self.socket
            && left > 0
        {
            let length = left.min(buffer.len());
            match socket.read(&mut buffer[..length]) {
                Ok(0) => return self.ended(model),
                Ok(count) => {
                    left -= count;
                    model.received(self.side, &buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return self.failed(model, &error),
            }
        }
    }

    /// Records the end of the data. May be called again, since its own side may end later.
    fn ended(&mut self, model: &mut Model) {
        if !std::mem::replace(&mut model.sides[self.side].eof, true) {
            model.note(format!("{} eof", self.side));
            model.ended(self.side);
        }
        if model.stopped || model.sides[self.side].ending != Ending::Open {
            self.close(model, false);
        }
    }

    fn failed(&mut self, model: &mut Model, error: &io::Error) {
        let (own, peer) = (&model.sides[self.side], &model.sides[self.side ^ 1]);
        let peer_closed = peer.ending == Ending::Close || peer.phase == Phase::Gone;
        let late = peer_closed && (own.is_unix || !model.in_time());
        let excused = peer.may_be_cut() || late || model.stopped;
        model.check(self.side, excused, &format!("it failed: {error}"));
        self.close(model, false);
    }

    fn write(&mut self, model: &mut Model, length: usize) {
        let own = &mut model.sides[self.side];
        if own.ending != Ending::Open {
            return;
        }
        if self.pending.is_empty() {
            (_, self.pending) = own.out.frame(length, false);
        }
        self.continue_write(model);
    }

    /// Continues a write.
    pub(crate) fn continue_write(&mut self, model: &mut Model) {
        while let Some(socket) = &mut self.socket
            && !self.pending.is_empty()
        {
            match socket.write(&self.pending) {
                Ok(count) => _ = self.pending.drain(..count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // On Unix sockets data of the peer can still be read, and the read decides whether it may fail.
                Err(_) if model.sides[self.side].is_unix => return self.drop_pending(model),
                // The system reports a reset once. A read would return the end of the stream.
                Err(error) => return self.failed(model, &error),
            }
        }
    }

    /// Drops the unsent part of a frame.
    fn drop_pending(&mut self, model: &mut Model) {
        model.sides[self.side].out.not_sent(self.pending.len());
        self.pending.clear();
        model.sides[self.side].ending = Ending::Close;
    }

    /// Ends its write side.
    pub(crate) fn shut(&mut self, model: &mut Model) {
        if model.sides[self.side].ending == Ending::Open
            && let Some(socket) = &self.socket
        {
            model.note(format!("{} ends its side", self.side));
            let _ = socket.shut(); // If the connection has failed, the next read reports it.
            self.drop_pending(model);
            model.sides[self.side].ending = Ending::WriteEof;
        }
    }

    /// Closes the socket, with a reset if `reset`.
    pub(crate) fn close(&mut self, model: &mut Model, reset: bool) {
        let Some(socket) = self.socket.take() else { return };
        model.note(format!("{} closes{}", self.side, if reset { " by a reset" } else { "" }));
        self.drop_pending(model);
        if reset {
            socket.reset();
        }
        let own = &mut model.sides[self.side];
        own.cut |= reset;
        own.phase = Phase::Gone;
    }

    pub(crate) fn side(&self) -> usize {
        self.side
    }

    pub(crate) fn is_open(&self) -> bool {
        self.socket.is_some()
    }
}
