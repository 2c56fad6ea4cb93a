//! Calls of users' code.
//!
//! [`Dispatcher::call`] makes every callback. What differs between the kinds of callback objects stands in
//! their implementations of [`Callee`], beside the code that calls them. A new callback is a method of the
//! users' trait and one `call`; a new kind of callback object is one more implementation.

use crate::api::context::Context;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::Owners;
use crate::values::guard::{Panic, guarded, name_of};
use crate::values::id::Id;
use crate::values::journal::{Callback, CalledWith, Journal, RecordKind};
use crate::values::logging::REACTOR;
use log::{Level, error};

/// A kind of callback object. The value is the key of one such object: the id of its socket, for example.
pub(super) trait Callee: Copy {
    /// The trait that users implement.
    type Object: ?Sized;

    /// What each callback is lent: the context, or a transport of the object's socket.
    type Face<'a>;

    /// Returns the socket that the object belongs to, for the backend.
    fn id(&self) -> Option<Id>;

    /// Returns the subject of the call's record in the journal.
    #[inline(always)]
    fn subject(&self, _journal: &mut Journal) -> u64 {
        self.id().unwrap_or(Id::NONE).number()
    }

    /// Finds the object.
    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object>;

    /// Finds an object that [`find`](Self::find) has not found: several sockets share it.
    fn find_shared<'a>(&self, _owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        None
    }

    /// Returns the name of the object's type, for the logs and the backend. It may be a user's code.
    fn type_name(&self, object: &Self::Object) -> &'static str;

    /// Begins a callback.
    fn lend<'a>(&self, context: &'a mut Context) -> Self::Face<'a>;

    /// Ends a callback that has returned.
    #[inline(always)]
    fn returned(&self, _context: &mut Context) {}

    /// Ends a callback that has panicked.
    fn panicked(&self, _context: &mut Context) {}

    /// Returns true if the call is recorded in the journal, and the backend notified of it.
    fn is_reported(&self) -> bool {
        true
    }
}

impl Dispatcher {
    /// Calls a user's object: recorded, under a guard, timed, and with what it wrote to its own connection sent when
    /// it returns. Returns `None` if there is no such object, or if it has panicked.
    ///
    /// Callbacks that result from this one stay pending until [`run_pending`](Self::run_pending), which follows
    /// the last of the calls that belong together.
    ///
    /// Inlined, as is what sends: see `sys/stream/calls.rs` on returning after a system call.
    #[inline(always)]
    pub(super) fn call<C: Callee, T>(
        &mut self,
        callee: C,
        callback: impl Into<CalledWith>,
        code: impl FnOnce(&mut C::Object, &mut C::Face<'_>) -> T,
    ) -> Option<T> {
        let object = match callee.find(&mut self.owners) {
            Some(object) => object,
            None => callee.find_shared(&mut self.owners)?,
        };
        let called = callback.into();
        if callee.is_reported() {
            let subject = callee.subject(&mut self.context.journal);
            self.context.journal.called(subject, called);
        }
        let returned = guarded(|| code(object, &mut callee.lend(&mut self.context)));
        if self.stopwatch.returned() {
            self.look_after(callee, called.callback);
        }
        match returned {
            Ok(value) => {
                callee.returned(&mut self.context);
                Some(value)
            }
            Err(panic) => {
                self.end_of_panic(callee, called.callback, panic);
                None
            }
        }
    }

    /// Notifies the backend of a callback if it receives every one, and looks at the clock.
    #[cold]
    fn look_after<C: Callee>(&mut self, callee: C, callback: Callback) {
        if self.stopwatch.is_observed()
            && callee.is_reported()
            && let Some(type_name) = self.type_name_of(callee)
        {
            self.context.backend.called(callee.id(), type_name, callback.name());
        }
        let slow = self.stopwatch.look(&mut self.context.totals);
        if callee.is_reported()
            && let Some(took) = self.stopwatch.timed()
        {
            let subject = callee.subject(&mut self.context.journal);
            self.context.journal.returned(subject, took);
        }
        if let Some(slow) = slow {
            slow.report(self.type_name_of(callee).map(|name| (name, callback.name())));
            self.log_journal(callee.id(), Level::Warn);
        }
    }

    /// Reports a panic, and ends the callback.
    #[cold]
    fn end_of_panic<C: Callee>(&mut self, callee: C, callback: Callback, panic: Panic) {
        let Some(type_name) = self.type_name_of(callee) else { return };
        self.report_panic(callee.id(), type_name, callback, panic.message());
        callee.panicked(&mut self.context);
    }

    #[cold]
    pub(super) fn report_panic(
        &mut self,
        id: Option<Id>,
        type_name: &'static str,
        callback: Callback,
        message: &str,
    ) {
        self.context.totals.panics += 1;
        let name = callback.name();
        error!(target: REACTOR, "{type_name}: panic in {name}: {message}");
        let subject = id.unwrap_or(Id::NONE);
        self.context.journal.note(subject, RecordKind::Panicked, callback.index().into(), 0);
        self.log_journal(id, Level::Error);
        self.context.backend.panicked(id, type_name, name, message);
    }

    fn type_name_of(&mut self, callee: impl Callee) -> Option<&'static str> {
        let object = match callee.find(&mut self.owners) {
            Some(object) => object,
            None => callee.find_shared(&mut self.owners)?,
        };
        Some(name_of(|| callee.type_name(object)))
    }
}

/// A value that is called or dropped once: a timer's call, another thread's, a value that a user gave.
#[derive(Clone, Copy)]
pub(super) struct Once {
    pub(super) type_name: &'static str,
    is_reported: bool,
}

impl Once {
    pub(super) fn new(type_name: &'static str) -> Self {
        Self { type_name, is_reported: true }
    }

    /// A drop. The backend is notified only if it panics.
    pub(super) fn dropping(type_name: &'static str) -> Self {
        Self { type_name, is_reported: false }
    }
}

impl Callee for Once {
    /// There is nothing to find: the value moves into the code that is run.
    type Object = [(); 0];
    type Face<'a> = &'a mut Context;

    fn id(&self) -> Option<Id> {
        None
    }

    fn subject(&self, journal: &mut Journal) -> u64 {
        journal.subject_of(self.type_name)
    }

    fn find<'a>(&self, _owners: &'a mut Owners) -> Option<&'a mut [(); 0]> {
        Some(&mut [])
    }

    fn type_name(&self, _object: &[(); 0]) -> &'static str {
        self.type_name
    }

    fn lend<'a>(&self, context: &'a mut Context) -> &'a mut Context {
        context
    }

    fn is_reported(&self) -> bool {
        self.is_reported
    }
}
