//! A small loop on mio, for the faults that Ropewalk does not have.
//!
//! It waits, reads, writes and accepts, and keeps a line for each. What it does *not* do is to decide when: that is in the
//! file of each exhibit, and there is the fault. The words of the lines are those of Ropewalk's journal.

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use ropewalk::backend::Readiness;
use ropewalk::journal::{CallOutcome, SystemCall, WaitLimit, What};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a wait lasts that should have ended earlier: no wait is longer, whatever its line says.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

/// An event of the last wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) token: usize,
    /// The peer has ended its side.
    pub(crate) has_ended: bool,
}

/// The loop.
pub(crate) struct SmallLoop {
    poll: Poll,
    events: Events,
    begun: Instant,
    /// The time of the turn: the clock is read after a wait.
    time: Duration,
    lines: Vec<String>,
}

impl SmallLoop {
    pub(crate) fn new() -> io::Result<Self> {
        let (poll, events) = (Poll::new()?, Events::with_capacity(64));
        let (begun, time) = (Instant::now(), Duration::ZERO);
        Ok(Self { poll, events, begun, time, lines: Vec::new() })
    }

    /// Registers a source: its events have this token.
    pub(crate) fn add(&self, source: &mut impl Source, token: usize) -> io::Result<()> {
        self.registry().register(source, Token(token), Interest::READABLE)
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Waits for events, and returns them.
    pub(crate) fn wait(
        &mut self,
        limit: Option<Duration>,
        why: WaitLimit,
    ) -> io::Result<Vec<Ready>> {
        self.note(None, What::TurnBegins(limit, why));
        let limit = limit.map_or(PATIENCE, |limit| limit.min(PATIENCE));
        self.poll.poll(&mut self.events, Some(limit))?;
        self.time = self.begun.elapsed();
        self.note(None, What::Waited);
        let mut events = Vec::new();
        for event in &self.events {
            let (token, has_ended) = (event.token().0, event.is_read_closed());
            let ended = if has_ended { Readiness::ENDED } else { Readiness::READABLE };
            events.push((Ready { token, has_ended }, Readiness::READABLE | ended));
        }
        let noted = |(event, readiness): (Ready, Readiness)| {
            self.note(Some(event.token), What::Event(readiness));
            event
        };
        Ok(events.into_iter().map(noted).collect())
    }

    /// Waits as long as [`PATIENCE`].
    pub(crate) fn wait_patiently(&mut self) -> io::Result<Vec<Ready>> {
        self.wait(Some(PATIENCE), WaitLimit::Caller)
    }

    pub(crate) fn receive(
        &mut self,
        token: usize,
        socket: &mut TcpStream,
        buffer: &mut [u8],
    ) -> CallOutcome {
        let outcome = match socket.read(buffer) {
            Ok(0) => CallOutcome::Eof,
            result => outcome_of(result),
        };
        self.note(Some(token), What::Syscall(SystemCall::Receive, outcome));
        outcome
    }

    pub(crate) fn send(
        &mut self,
        token: usize,
        socket: &mut TcpStream,
        data: &[u8],
    ) -> CallOutcome {
        let outcome = outcome_of(socket.write(data));
        self.note(Some(token), What::Syscall(SystemCall::Send, outcome));
        outcome
    }

    pub(crate) fn accept(&mut self, token: usize, listener: &TcpListener) -> io::Result<TcpStream> {
        let accepted = listener.accept();
        let outcome = match &accepted {
            Ok(_) => CallOutcome::Done,
            Err(error) => CallOutcome::from(error),
        };
        self.note(Some(token), What::Syscall(SystemCall::Accept, outcome));
        accepted.map(|(socket, _)| socket)
    }

    /// Keeps a line, in the words of the journal.
    pub(crate) fn note(&mut self, token: Option<usize>, what: What) {
        self.say(token, &what.to_string());
    }

    /// Keeps a line about something that Ropewalk's journal has no word for.
    pub(crate) fn say(&mut self, token: Option<usize>, what: &str) {
        let (seconds, nanos) = (self.time.as_secs(), self.time.subsec_nanos());
        let token = token.map_or_else(|| "-".to_owned(), |token| format!("#{token}"));
        self.lines.push(format!("{seconds:>5}.{nanos:09} {token:<8} {:<12} {what}", "small loop"));
    }

    /// Returns the lines.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}

fn outcome_of(result: io::Result<usize>) -> CallOutcome {
    match result {
        Ok(count) => CallOutcome::Bytes(count as u32),
        Err(error) if error.kind() == ErrorKind::WouldBlock => CallOutcome::WouldBlock,
        Err(error) => CallOutcome::from(&error),
    }
}

/// Returns a listener on a free port, and its address.
pub(crate) fn listener() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Returns a connection: the side of the loop, and the side of the client, which blocks.
pub(crate) fn connection() -> io::Result<(TcpStream, std::net::TcpStream)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (socket, _) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((TcpStream::from_std(socket), client))
}
