//! Recording into memory, and replays of that.

use ropewalk::backend::System;
use ropewalk::{Address, Handle, Protocol, Reactor, Reason, Transport};
use ropewalk_replay::{Ending, Recorder, Replayer, Summary, Tape};
use std::cell::RefCell;
use std::io::{self, Cursor, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

/// The callbacks of a program, in order.
#[derive(Clone, Default)]
pub(crate) struct Callbacks(Rc<RefCell<Vec<String>>>);

impl Callbacks {
    pub(crate) fn note(&self, callback: impl Into<String>) {
        self.0.borrow_mut().push(callback.into());
    }

    pub(crate) fn list(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

/// A file in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<RefCell<Vec<u8>>>);

impl Memory {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.borrow().clone()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A run that was recorded or replayed.
pub(crate) struct Run {
    pub(crate) bytes: Vec<u8>,
    pub(crate) callbacks: Vec<String>,
    pub(crate) summary: Summary,
}

/// Prepares a reactor. Returns the address for the peer.
pub(crate) trait Program: Fn(&mut Reactor, &Tape, &Callbacks) -> Address {}

impl<F: Fn(&mut Reactor, &Tape, &Callbacks) -> Address> Program for F {}

/// Records a run of the program on real sockets. `peer` runs on a thread; then the run is stopped.
pub(crate) fn record(
    program: impl Program,
    peer: impl FnOnce(SocketAddr, &Handle) + Send + 'static,
) -> Run {
    let (recorder, memory) = recorder();
    record_with(recorder, memory, program, peer)
}

/// Records a run that stops itself.
pub(crate) fn record_alone(recorder: Recorder, memory: &Memory, program: impl Program) -> Run {
    let (tape, callbacks) = (recorder.tape(), Callbacks::default());
    let mut reactor = Reactor::with_backend(recorder);
    program(&mut reactor, &tape, &callbacks);
    reactor.run().unwrap();
    drop(reactor);
    Run { bytes: memory.bytes(), callbacks: callbacks.list(), summary: tape.summary() }
}

/// Returns a recorder of the system, and its file.
pub(crate) fn recorder() -> (Recorder, Memory) {
    let memory = Memory::default();
    (Recorder::new(System::new().unwrap(), memory.clone(), "a test").unwrap(), memory)
}

pub(crate) fn record_with(
    recorder: Recorder,
    memory: Memory,
    program: impl Program,
    peer: impl FnOnce(SocketAddr, &Handle) + Send + 'static,
) -> Run {
    let (tape, callbacks) = (recorder.tape(), Callbacks::default());
    let mut reactor = Reactor::with_backend(recorder);
    reactor.set_grace(Duration::from_secs(1));
    let address = program(&mut reactor, &tape, &callbacks);
    let handle = reactor.handle();
    let address = address.socket_addr().unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    let peer = thread::spawn(move || {
        peer(address, &handle);
        let _ = handle.stop(); // The program may have ended.
    });
    reactor.run().unwrap();
    peer.join().unwrap();
    drop(reactor);
    Run { bytes: memory.bytes(), callbacks: callbacks.list(), summary: tape.summary() }
}

/// Replays a run.
pub(crate) fn replay(bytes: &[u8], program: impl Program) -> Run {
    let replayer = Replayer::new(Cursor::new(bytes.to_vec())).unwrap();
    let (tape, callbacks) = (replayer.tape(), Callbacks::default());
    let mut reactor = Reactor::with_backend(replayer);
    reactor.set_grace(Duration::from_secs(1));
    program(&mut reactor, &tape, &callbacks);
    let _ = reactor.run(); // The summary says how it ended.
    drop(reactor);
    Run { bytes: bytes.to_vec(), callbacks: callbacks.list(), summary: tape.summary() }
}

/// Checks that a complete recording replays to the same callbacks. Returns the replay.
pub(crate) fn check(recorded: &Run, program: impl Program) -> Run {
    assert!(recorded.summary.ending.is_complete(), "{}", recorded.summary.ending);
    let replayed = replay(&recorded.bytes, program);
    assert!(replayed.summary.ending.is_complete(), "{}", replayed.summary.ending);
    assert_eq!(replayed.callbacks, recorded.callbacks);
    assert_eq!(replayed.summary.hash, recorded.summary.hash);
    assert_eq!(replayed.summary.records, recorded.summary.records);
    assert_eq!(replayed.summary.bytes, recorded.summary.bytes);
    assert_eq!(replayed.summary.span, recorded.summary.span);
    replayed
}

/// Returns the difference with which a replay has ended.
pub(crate) fn difference(run: &Run) -> String {
    match &run.summary.ending {
        Ending::Different(difference) => difference.to_string(),
        ending => panic!("{ending}"),
    }
}

/// An echo that notes its callbacks.
pub(crate) struct Echo(pub(crate) Callbacks);

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.0.note(format!("made {} {}", transport.id(), transport.peer()));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.0.note(format!("data {} {}", transport.id(), data.escape_ascii()));
        transport.write(data);
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.0.note(format!("eof {}", transport.id()));
        transport.close();
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.0.note(format!("lost {} {reason}", transport.id()));
    }
}
