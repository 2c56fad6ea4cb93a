//! A script: steps of operations, in words that explain a failure.

use crate::environment::Side;
use ropewalk::SocketOption;
use std::fmt;

/// Operations before the reactors run again, until no more events occur.
pub(crate) type Step = Vec<Op>;

pub(crate) struct Script {
    /// Each side has its own reactor.
    pub(crate) run_with_two_reactors: bool,
    pub(crate) steps: Vec<Step>,
    /// Connections for which it is not determined how many bytes arrive before they end.
    pub(crate) vague: Vec<bool>,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End(pub(crate) usize, pub(crate) Side);

/// The address of a socket.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Ip,
    Path,
    Abstract,
    /// The system chooses an abstract name.
    Unnamed,
    /// The address of the listener, or the datagram socket, of this number.
    Of(usize),
    /// An address that this machine does not have.
    Foreign,
}

/// The behaviour of an end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// It answers each byte with a byte.
    pub(crate) answers: bool,
    /// It stays open when the peer has ended.
    pub(crate) stays: bool,
}

/// The destination of a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The peer to which the socket is connected.
    Peer,
    /// A datagram socket, or its former address.
    Socket(usize),
    /// A stream listener.
    Listener(usize),
    Nobody,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A listener with the next number.
    Listen(Place, Vec<SocketOption>),
    /// A connection with the next number, to a listener.
    Connect(usize, Vec<SocketOption>, [Behaviour; 2]),
    /// To the address of a datagram socket.
    ConnectWrongly(usize, [Behaviour; 2]),
    Write(End, usize),
    /// Chunks of equal size, one whenever the connection is writable.
    Produce(End, usize, usize),
    EndWriting(End),
    Close(End),
    Abort(End),
    Pause(End),
    Resume(End),
    Set(End, SocketOption),
    SetOnListener(usize, SocketOption),
    CloseListener(usize),
    /// A datagram socket with the next number.
    Bind(Side, Place, Vec<SocketOption>),
    /// The same, connected from the beginning.
    Tie(Side, Target, Vec<SocketOption>),
    /// A datagram socket is connected.
    Retie(usize, Target),
    /// Datagrams of equal size.
    Send(usize, Target, usize, usize),
    SetOnSocket(usize, SocketOption),
    CloseSocket(usize),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Side::Client => write!(f, "client {}", self.0),
            Side::Server => write!(f, "server {}", self.0),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reactors =
            if self.run_with_two_reactors { "a reactor for each side" } else { "one reactor" };
        writeln!(f, "{reactors}")?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{number:3}  {step:?}")?;
        }
        Ok(())
    }
}
