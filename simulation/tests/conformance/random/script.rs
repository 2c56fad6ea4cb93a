//! What is played: steps of operations, in words that a reader of a failure understands.

use crate::ground::Side;
use ropewalk::SocketOption;
use std::fmt;

/// What is done before the reactors run again, until nothing more comes of it.
pub(crate) type Step = Vec<Op>;

pub(crate) struct Script {
    /// Whether each side has a reactor of its own.
    pub(crate) apart: bool,
    pub(crate) steps: Vec<Step>,
    /// The connections of which it is left to chance how many bytes arrive before they end.
    pub(crate) vague: Vec<bool>,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End(pub(crate) usize, pub(crate) Side);

/// Where a socket listens or receives.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Ip,
    Path,
    Abstract,
    /// The system chooses an abstract name.
    Unnamed,
    /// Where the listener, or the datagram socket, of this number is or was.
    Of(usize),
    /// An address that this machine does not have.
    Foreign,
}

/// What an end does of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// It answers each byte with one of its own.
    pub(crate) answers: bool,
    /// It goes on when the peer has ended its side.
    pub(crate) stays: bool,
}

/// Where a datagram goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The peer with which the socket is connected.
    Peer,
    /// A datagram socket, or where it was.
    Socket(usize),
    /// A listener for connections.
    Listener(usize),
    Nobody,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A listener with the next number.
    Listen(Place, Vec<SocketOption>),
    /// A connection with the next number, to a listener.
    Connect(usize, Vec<SocketOption>, [Manner; 2]),
    /// To where a datagram socket is.
    ConnectWrongly(usize, [Manner; 2]),
    Write(End, usize),
    /// So many pieces of so many bytes, one whenever there is room.
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
    /// So many datagrams of so many bytes.
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
        let reactors = if self.apart { "a reactor for each side" } else { "one reactor" };
        writeln!(f, "{reactors}")?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{number:3}  {step:?}")?;
        }
        Ok(())
    }
}
