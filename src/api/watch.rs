//! Watches of descriptors, and the trait of their watchers.

use crate::api::context::{Context, Pending};
use crate::source::table::Source;
use crate::source::timer::TimerId;
use crate::source::watch::Watch;
use crate::sys::BorrowedFd;
use crate::sys::errno::PERM;
use crate::sys::error::failed;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::REACTOR;
use crate::values::reason::Reason;
use crate::values::watch::{Interest, Ready};
use log::debug;
use std::any::type_name;
use std::any::type_name_of_val;
use std::io;

/// Watches a descriptor that is not a socket of the reactor: a pipe, a terminal, an inotify(7) or
/// timerfd_create(2) descriptor, or one of another library. The watcher reads and writes itself; the reactor
/// notifies it when the descriptor is ready. [`Context::watch`] begins the watch.
///
/// # When it is called
///
/// - Just before each callback the reactor checks that the descriptor is ready (poll(2)). So one read or one
///   write in each callback does not block, even if the descriptor is blocking. Further reads and writes may
///   block, unless the descriptor is non-blocking (O_NONBLOCK).
/// - The callback is made in every turn as long as the descriptor is ready (level-triggered, epoll(7)). So a
///   callback need not read all data.
/// - At the end of the data a descriptor stays readable, and each read returns 0 bytes. Then
///   [close](Context::close) the watch, or set its interest to [`Nothing`](crate::Interest::Nothing).
///   Otherwise the callback is made in every turn. The same holds for
///   [`writable`](Self::writable) if the watcher has no data to write.
/// - [`lost`](Self::lost) is the last callback, called once, whatever ends the watch. A panic in a callback ends
///   this watch, with [`Reason::Panicked`], and affects nothing else.
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
    /// Returns the descriptor to watch. [`Context::watch`] calls it once; the reactor keeps a copy of the
    /// descriptor (dup(2)) until the watch ends.
    #[doc(alias = "fileno")]
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// The descriptor is readable: a read returns data, the end or an error.
    #[doc(alias = "doRead")]
    fn readable(&mut self, context: &mut Context, id: Id) {}

    /// The descriptor is writable: a write accepts data, or returns an error.
    #[doc(alias = "doWrite")]
    fn writable(&mut self, context: &mut Context, id: Id) {}

    /// A timer of this watcher, which [`Context::set_timer`] has set, has fired.
    fn timer_fired(&mut self, context: &mut Context, id: Id, timer: TimerId) {}

    /// The watch has ended; after this the watcher is dropped.
    #[doc(alias = "connectionLost")]
    fn lost(&mut self, context: &mut Context, id: Id, reason: Reason) {}

    /// Returns the name of this type, for the logs and for [`Backend::called`](crate::backend::Backend::called). A
    /// wrapper returns the name of the wrapped object.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

/// # Watching other descriptors
impl Context {
    /// Watches a descriptor. The watcher is notified when it is readable or writable.
    /// See [`Watcher`], with an example.
    ///
    /// [Closing](Self::close) the id ends the watch; a stop of the reactor does, too.
    ///
    /// # Errors
    ///
    /// If the system cannot poll the descriptor: a regular file or a directory is always ready and cannot be
    /// watched; if no descriptors are left. In the [shutdown](crate::RunPhase::DuringShutdown) it always fails. The watcher is
    /// dropped then, without a callback.
    #[doc(alias = "addReader")]
    #[doc(alias = "addWriter")]
    #[doc(alias = "add_reader")]
    #[doc(alias = "add_writer")]
    #[doc(alias = "uv_poll")]
    pub fn watch(&mut self, watcher: impl Watcher, interest: Interest) -> Result<Id, Error> {
        let id = self.register_watch(&watcher, interest);
        let id = id.map_err(cannot_watch);
        let (id, watcher) = self.or_discard(id, watcher)?;
        debug!(target: REACTOR, "{id} watched for {interest:?}: {}", type_name_of_val(&watcher));
        self.pending.push_back(Pending::Watch(id, Box::new(watcher)));
        Ok(id)
    }

    fn register_watch(&mut self, watcher: &impl Watcher, interest: Interest) -> io::Result<Id> {
        self.check_may_open()?;
        let descriptor = self.backend.watch(watcher.descriptor())?;
        self.register(Source::Watch(Watch { descriptor, interest }))
    }

    /// Sets what a descriptor is watched for; [`Interest::of`] returns it. It does nothing if there is no such watch.
    ///
    /// If the descriptor is ready for the new interest, the callback is made in the next turn.
    #[doc(alias = "removeReader")]
    #[doc(alias = "removeWriter")]
    #[doc(alias = "remove_reader")]
    #[doc(alias = "remove_writer")]
    pub fn set_interest(&mut self, id: Id, interest: Interest) {
        if let Some(Source::Watch(watch)) = self.sources.get_mut(id) {
            watch.interest = interest;
            self.enqueue(id); // The poll does not report earlier readiness again.
        } else {
            self.note_stale(id, "set_interest");
        }
    }

    /// Returns the readiness of a watched descriptor, as far as the watch includes it. After the end of the
    /// watch it returns no readiness.
    pub(crate) fn ready_of(&mut self, id: Id) -> Ready {
        let Some(Source::Watch(watch)) = self.sources.get(id) else {
            return Ready::default();
        };
        watch.ready().unwrap_or_else(|error| {
            self.end_watch(id, Reason::Failed(error));
            Ready::default()
        })
    }

    /// Ends a watch of which a callback has panicked, with [`Reason::Panicked`], whatever the callback
    /// requested before.
    #[cold]
    pub(crate) fn end_watch_of_panic(&mut self, id: Id) {
        self.end_watch(id, Reason::Panicked);
        for notice in &mut self.pending {
            if let Pending::Unwatched(of, reason) = notice
                && *of == id
            {
                *reason = Reason::Panicked;
            }
        }
    }

    /// Ends a watch now. Its watcher is notified after the running callback.
    pub(crate) fn end_watch(&mut self, id: Id, reason: Reason) {
        if let Some(Source::Watch(_)) = self.sources.get(id) {
            self.shut(id);
            self.pending.push_back(Pending::Unwatched(id, reason));
        }
    }
}

pub(super) fn cannot_watch(cause: io::Error) -> Error {
    failed("watch the descriptor", "", cause, |cause| {
        (cause.number == Some(PERM)).then_some(
            "regular files and directories cannot be polled, since they are always ready; read \
             them directly or on a thread",
        )
    })
}

impl Interest {
    /// Returns what a descriptor is watched for, or `None` if there is no such watch.
    pub fn of(context: &Context, watch: Id) -> Option<Self> {
        match context.sources.get(watch)? {
            Source::Watch(watch) => Some(watch.interest),
            _ => None,
        }
    }
}
