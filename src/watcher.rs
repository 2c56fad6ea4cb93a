//! What users implement who watch a descriptor. Floor 3.

use crate::context::Context;
use crate::id::Id;
use crate::reason::Reason;
use crate::world::Borrowed;
use std::any::type_name;

/// Watches a descriptor that is not a socket of the reactor's: a pipe, a terminal, an inotify(7) or
/// timerfd_create(2) descriptor, that of another library. It reads and writes itself; the reactor
/// tells it when. [`Context::watch`] begins it.
///
/// # When it is called
///
/// - A callback comes only when the descriptor was asked just before and was ready (poll(2)). So one
///   read, or one write, in each callback does not wait, even if the descriptor is a blocking one.
///   More than one might, unless the descriptor is non-blocking (O_NONBLOCK).
/// - It comes again, in every turn, as long as the descriptor is ready: nothing is lost if less is
///   read than there is. (It is level-triggered, in the words of epoll(7).)
/// - At the end of the data a descriptor stays readable for ever: a read brings 0 bytes. Then
///   [close](Context::close) the watch, or set its interest to [`Nothing`](crate::Interest::Nothing);
///   else the callback comes again, turn after turn. So it is with
///   [`writable`](Self::writable) for one who has nothing to write.
/// - [`lost`](Self::lost) comes last and once, whatever ends the watch. A panic in a callback ends
///   this watch, with [`Reason::Panicked`], and nothing else.
///
/// ```
/// use ropewalk::{Context, Error, Id, Interest, Reactor, Reason, Watcher};
/// use std::io::{PipeReader, Read, Write, pipe};
/// use std::os::fd::{AsFd, BorrowedFd};
///
/// struct Reader(PipeReader);
///
/// impl Watcher for Reader {
///     fn descriptor(&self) -> BorrowedFd<'_> {
///         self.0.as_fd()
///     }
///
///     fn readable(&mut self, context: &mut Context, id: Id) {
///         let mut buffer = [0; 100];
///         match self.0.read(&mut buffer) {
///             Ok(0) | Err(_) => context.close(id),
///             Ok(count) => println!("{}", String::from_utf8_lossy(&buffer[..count])),
///         }
///     }
///
///     fn lost(&mut self, context: &mut Context, _id: Id, reason: Reason) {
///         println!("no longer watched: {reason}");
///         context.stop();
///     }
/// }
///
/// let (reader, mut writer) = pipe().unwrap();
/// let mut reactor = Reactor::new()?;
/// reactor.context().watch(Reader(reader), Interest::Readable)?;
/// writer.write_all(b"hello").unwrap();
/// drop(writer);
/// reactor.run()?;
/// # Ok::<(), Error>(())
/// ```
#[allow(unused_variables)] // The names are the documentation.
#[doc(alias = "IReadDescriptor")]
#[doc(alias = "IWriteDescriptor")]
pub trait Watcher: 'static {
    /// What is to be watched. It is asked for once, by [`Context::watch`]; the reactor keeps a copy of
    /// the descriptor (dup(2)) until the watch ends.
    #[doc(alias = "fileno")]
    fn descriptor(&self) -> Borrowed<'_>;

    /// There is something to read: bytes, the end or an error.
    #[doc(alias = "doRead")]
    fn readable(&mut self, context: &mut Context, id: Id) {}

    /// There is room to write, or an error to be met by writing.
    #[doc(alias = "doWrite")]
    fn writable(&mut self, context: &mut Context, id: Id) {}

    /// The watch has ended; after this the watcher is dropped.
    #[doc(alias = "connectionLost")]
    fn lost(&mut self, context: &mut Context, id: Id, reason: Reason) {}

    /// What the logs call it.
    #[doc(hidden)]
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}
