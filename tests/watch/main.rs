//! Watched descriptors: pipes, timers, files, and sockets of other libraries.
#![cfg(unix)]

mod embedding;
mod ends;
mod readiness;
#[path = "../support/mod.rs"]
mod support;

use ropewalk::{Context, Id, Interest, Reactor, Reason, Watcher};
use std::cell::RefCell;
use std::io::{PipeReader, PipeWriter, Read, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

/// The callbacks of the watchers, in order.
type WatchLog = Rc<RefCell<Vec<(Id, String)>>>;

/// Records each callback, then runs the test's hook.
struct Recorder<F> {
    descriptor: F,
    calls: WatchLog,
    hook: Hook<F>,
}

impl<F> Recorder<F> {
    fn new(
        descriptor: F,
        calls: &WatchLog,
        hook: impl FnMut(&mut F, &mut Context, Id, &str) + 'static,
    ) -> Self {
        Self { descriptor, calls: Rc::clone(calls), hook: Box::new(hook) }
    }

    fn note(&mut self, context: &mut Context, id: Id, what: &str) {
        self.calls.borrow_mut().push((id, what.to_owned()));
        (self.hook)(&mut self.descriptor, context, id, what);
    }
}

impl<F: AsFd + 'static> Watcher for Recorder<F> {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    fn readable(&mut self, context: &mut Context, id: Id) {
        self.note(context, id, "readable");
    }

    fn writable(&mut self, context: &mut Context, id: Id) {
        self.note(context, id, "writable");
    }

    fn lost(&mut self, context: &mut Context, id: Id, reason: Reason) {
        self.note(context, id, &format!("lost: {reason:?}"));
    }
}

type Hook<F> = Box<dyn FnMut(&mut F, &mut Context, Id, &str)>;

/// Reads one byte, and closes the watch at the end of the data.
fn read_one(reader: &mut PipeReader, context: &mut Context, id: Id, what: &str) {
    if what == "readable" && reader.read(&mut [0]).unwrap() == 0 {
        context.close(id);
    }
}

fn words(calls: &WatchLog) -> Vec<String> {
    calls.borrow().iter().map(|(_, what)| what.clone()).collect()
}

/// Returns a reactor that watches the reading end of a pipe, and the writing end.
fn watched_pipe(
    calls: &WatchLog,
    hook: impl FnMut(&mut PipeReader, &mut Context, Id, &str) + 'static,
) -> (Reactor, Id, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let watcher = Recorder::new(reader, calls, hook);
    let id = reactor.context().watch(watcher, Interest::Readable).unwrap();
    (reactor, id, writer)
}
