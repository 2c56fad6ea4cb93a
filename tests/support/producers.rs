//! Producers that record their callbacks.

#![allow(dead_code)] // No test program uses all of it.

use crate::support::*;
use ropewalk::{Context, FileSender, Id, Producer, Reactor, Transport};
use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::rc::Rc;

/// The callbacks of producers, in order.
pub(crate) type ProducerLog = Rc<RefCell<Vec<&'static str>>>;

/// Records its callbacks, and runs `produce` on each resume.
pub(crate) struct Noting<F> {
    pub(crate) calls: ProducerLog,
    pub(crate) produce: F,
}

impl<F: FnMut(&mut Transport<'_>) + 'static> Producer for Noting<F> {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        self.calls.borrow_mut().push("resume");
        (self.produce)(transport);
    }

    fn pause_producing(&mut self, _transport: &mut Transport<'_>) {
        self.calls.borrow_mut().push("pause");
    }

    fn stop_producing(&mut self, _context: &mut Context) {
        self.calls.borrow_mut().push("stop");
    }
}

pub(crate) fn noting(
    calls: &ProducerLog,
    produce: impl FnMut(&mut Transport<'_>) + 'static,
) -> impl Producer {
    Noting { calls: Rc::clone(calls), produce }
}

/// Returns a producer that writes `count` chunks of a pattern, one on each resume.
pub(crate) fn pieces(calls: &ProducerLog, count: usize) -> impl Producer {
    let mut left = count;
    noting(calls, move |transport| {
        transport.write(&pattern(10_000));
        left -= 1;
        if left == 0 {
            transport.unregister_producer();
        }
    })
}

/// Returns a reactor, the id of its one connection, and the client.
pub(crate) fn one(log: &Log) -> (Reactor, Id, TcpStream) {
    let (reactor, client) = up_with_client(log, only_record);
    (reactor, log.ids()[0], client)
}

pub(crate) fn pull(reactor: &mut Reactor, id: Id, producer: impl Producer) {
    reactor.context().transport(id).register_pull_producer(producer).expect("it is the first");
}

pub(crate) fn push(reactor: &mut Reactor, id: Id, producer: impl Producer) {
    reactor.context().transport(id).register_push_producer(producer).expect("it is the first");
}

pub(crate) fn ignore(_transport: &mut Transport<'_>) {}

/// A file of this process alone, with these bytes.
pub(crate) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile();
    file.write_all(bytes).unwrap();
    file
}

pub(crate) fn tempfile() -> File {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("ropewalk-test-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

/// The result of sending a file.
pub(crate) type Outcome = Rc<RefCell<Option<Result<u64, (ErrorKind, String)>>>>;

pub(crate) fn noting_outcome(sender: FileSender, outcome: &Outcome) -> FileSender {
    let outcome = Rc::clone(outcome);
    sender.on_done(move |_, result| {
        let result = result.map_err(|error| (error.kind(), error.to_string()));
        assert!(outcome.borrow_mut().replace(result).is_none(), "done once");
    })
}
