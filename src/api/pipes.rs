//! Pipes, terminals and files as connections; standard input and output.

use crate::api::context::{Context, Pending};
use crate::api::protocol::Protocol;
use crate::source::stream::Stream;
use crate::source::table::Source;
use crate::sys::error::failed_plainly;
use crate::sys::{OwnedFd, Readiness, StreamSocket};
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use std::io;

/// Descriptors that a protocol reads and writes in place of a socket: pipes, terminals, stream sockets, regular files
/// or devices. It owns the action: [`adopt`](Self::adopt).
///
/// ```
/// use ropewalk::{Error, Pipes, Protocol, Reactor, Reason, Transport};
/// use std::io::{Read, Write, pipe};
///
/// /// Returns what it receives, in capitals.
/// struct Shout;
///
/// impl Protocol for Shout {
///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
///         transport.write(&data.to_ascii_uppercase());
///     }
///
///     fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
///         transport.context().stop();
///     }
/// }
///
/// let (input, mut questions) = pipe().unwrap();
/// let (mut answers, output) = pipe().unwrap();
/// let mut reactor = Reactor::new()?;
/// Pipes::new().input(input).output(output).adopt(reactor.context(), Shout)?;
///
/// questions.write_all(b"hello").unwrap();
/// drop(questions); // The end of the input closes the connection, as `Protocol::eof_received` does.
/// reactor.run()?;
/// let mut answer = String::new();
/// answers.read_to_string(&mut answer).unwrap();
/// assert_eq!(answer, "HELLO");
/// # Ok::<(), Error>(())
/// ```
///
/// # The connection
///
/// - **The end of the input** calls [`eof_received`](Protocol::eof_received).
///   [`write_eof`](crate::Transport::write_eof) closes the output, after queued data. Without an input
///   nothing is received; without an output what is written is dropped. The absent side counts as ended.
/// - **If nothing reads the output** any more (EPIPE, [write(2)]), the connection ends with
///   [`Reason::Reset`](crate::Reason::Reset), also if nothing is written.
/// - **Regular files**, and devices that the system cannot poll, are always ready. They are read and written within
///   the budget of a turn, and each read may wait for the disk.
/// - **No reset**: [`abort`](crate::Transport::abort) drops queued data, but the reader sees a usual end.
/// - **Unread input** stays in the pipe. A file or pipe that other processes read as well continues for them
///   behind what was read here.
///
/// # Descriptors that other processes share
///
/// The reactor does not set O_NONBLOCK, since all processes with a copy of a descriptor share that flag: a shell would
/// find its terminal non-blocking. A descriptor without the flag is polled before each read and write, and a write
/// takes at most PIPE_BUF bytes ([pipe(7)]; 4096 on Linux). If another process takes the data or the room in between, the
/// call blocks. A pipe with no other users is faster with the flag, which its owner then sets.
///
/// On Linux a terminal is opened once more, with the flag, and the other descriptors keep theirs. Where the process may
/// not open it (after su(1), for example), and on other systems, a write may wait until the terminal shows it.
///
/// SIGPIPE must be ignored, as in all programs with a `main` in Rust.
///
/// [write(2)]: https://man7.org/linux/man-pages/man2/write.2.html
/// [pipe(7)]: https://man7.org/linux/man-pages/man7/pipe.7.html
#[derive(Debug, Default)]
#[doc(alias = "StandardIO")]
#[doc(alias = "uv_pipe")]
#[doc(alias = "uv_tty")]
pub struct Pipes {
    input: Option<OwnedFd>,
    output: Option<OwnedFd>,
    #[cfg(feature = "process")]
    are_standard: bool,
}

impl Pipes {
    /// No descriptor yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Standard input and output, whatever they are. [`Transport::peer`](crate::Transport::peer) is
    /// [`Address::StandardIo`].
    ///
    /// Other text that the program prints appears between what the protocol writes. Once the output has ended, the
    /// null device takes its place (dup2(2)), so that its reader sees the end: what is printed later is lost. The same
    /// happens to both when the connection ends. Standard error is never touched.
    ///
    /// Descriptors that the shell has closed (`<&-`) are the null device in a program with a `main` in Rust.
    ///
    /// ```standalone_crate
    /// use ropewalk::{Error, Pipes, Protocol, Reactor, Reason, Transport};
    ///
    /// /// Copies standard input to standard output.
    /// struct Cat;
    ///
    /// impl Protocol for Cat {
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    ///
    ///     fn pause_writing(&mut self, transport: &mut Transport<'_>) {
    ///         transport.pause();
    ///     }
    ///
    ///     fn resume_writing(&mut self, transport: &mut Transport<'_>) {
    ///         transport.resume();
    ///     }
    ///
    ///     fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
    ///         transport.context().stop();
    ///     }
    /// }
    ///
    /// fn main() -> Result<(), Error> {
    ///     let mut reactor = Reactor::new()?;
    ///     Pipes::standard().adopt(reactor.context(), Cat)?;
    /// #   reactor.context().stop();
    ///     reactor.run()
    /// }
    /// ```
    #[cfg(feature = "process")]
    pub fn standard() -> Self {
        Self { are_standard: true, ..Self::default() }
    }

    /// Sets the descriptor to read.
    #[doc(alias = "connect_read_pipe")]
    #[must_use]
    pub fn input(mut self, descriptor: impl Into<OwnedFd>) -> Self {
        self.input = Some(descriptor.into());
        self
    }

    /// Sets the descriptor to write.
    #[doc(alias = "connect_write_pipe")]
    #[must_use]
    pub fn output(mut self, descriptor: impl Into<OwnedFd>) -> Self {
        self.output = Some(descriptor.into());
        self
    }

    /// Serves a connection on the descriptors, which the reactor owns from now on. `protocol` receives
    /// [`connection_made`](Protocol::connection_made) after the running callback, and then all other callbacks.
    /// [`Transport::peer`](crate::Transport::peer) is [`Address::Pipes`].
    ///
    /// # Errors
    ///
    /// If there is no descriptor; if one is a socket, but not a stream; if no descriptors are left. In the
    /// [shutdown](crate::RunPhase::DuringShutdown) it always fails. The descriptors are closed then, and the protocol is
    /// dropped.
    pub fn adopt(self, context: &mut Context, protocol: impl Protocol) -> Result<Id, Error> {
        let id = self.open(context);
        let id = id.map_err(|cause| failed_plainly("adopt", "pipes", cause));
        let (id, protocol) = context.or_discard(id, protocol)?;
        context.pending.push_back(Pending::Made(id, Box::new(protocol)));
        Ok(id)
    }

    fn open(self, context: &mut Context) -> io::Result<Id> {
        context.check_may_open()?;
        #[cfg(feature = "process")]
        if self.are_standard {
            let socket = context.backend.standard_io()?;
            return context.register_pipes(socket, Address::StandardIo, [true; 2]);
        }
        let sides = [self.input.is_some(), self.output.is_some()];
        let socket = context.backend.adopt_pipes(self.input, self.output)?;
        context.register_pipes(socket, Address::Pipes, sides)
    }
}

impl Context {
    /// Makes a connection of a pair of pipes. The sides are those of [`Stream::of_pipes`].
    pub(super) fn register_pipes(
        &mut self,
        socket: StreamSocket,
        peer: Address,
        sides: [bool; 2],
    ) -> io::Result<Id> {
        let mut stream = Stream::of_pipes(socket, peer, self.now, sides);
        if !stream.input.has_ended() {
            // Assumed until the first read, since the poll reports nothing of regular files.
            stream.readiness |= Readiness::READABLE;
        }
        let id = self.register(Source::Stream(stream))?;
        self.enqueue(id);
        Ok(id)
    }
}
