//! Processes: their callbacks, pipes, signals and ends.
#![cfg(target_os = "linux")]

mod ends;
mod pipes;
mod running;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "pty")]
mod terminal;

use ropewalk::{
    Id, ProcessExit, ProcessOptions, ProcessProtocol, ProcessTransport, Reactor, Reason, TimerId,
};
use std::cell::RefCell;
use std::rc::Rc;
use support::turn_until;

/// The callbacks of a process, in order, and its output.
#[derive(Default)]
struct Record {
    events: Vec<String>,
    out: Vec<u8>,
    err: Vec<u8>,
}

type Log = Rc<RefCell<Record>>;
type Hook = Box<dyn FnMut(&mut ProcessTransport<'_>, &str)>;

/// Records each callback, then runs the test's hook. Output is one event, however many callbacks it takes.
struct Recorder(Log, Hook);

impl Recorder {
    fn new(log: &Log, hook: impl FnMut(&mut ProcessTransport<'_>, &str) + 'static) -> Self {
        Self(Rc::clone(log), Box::new(hook))
    }

    fn note(&mut self, process: &mut ProcessTransport<'_>, event: String) {
        let mut record = self.0.borrow_mut();
        if record.events.last() != Some(&event) {
            record.events.push(event.clone());
        }
        drop(record);
        (self.1)(process, &event);
    }
}

impl ProcessProtocol for Recorder {
    fn connection_made(&mut self, process: &mut ProcessTransport<'_>) {
        self.note(process, "made".to_owned());
    }

    fn out_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
        self.0.borrow_mut().out.extend_from_slice(data);
        self.note(process, "out".to_owned());
    }

    fn err_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
        self.0.borrow_mut().err.extend_from_slice(data);
        self.note(process, "err".to_owned());
    }

    fn pause_writing(&mut self, process: &mut ProcessTransport<'_>) {
        self.note(process, "pause".to_owned());
    }

    fn resume_writing(&mut self, process: &mut ProcessTransport<'_>) {
        self.note(process, "resume".to_owned());
    }

    fn in_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {
        self.note(process, format!("in {reason:?}"));
    }

    fn out_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {
        self.note(process, format!("out {reason:?}"));
    }

    fn err_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {
        self.note(process, format!("err {reason:?}"));
    }

    fn timer_fired(&mut self, process: &mut ProcessTransport<'_>, _timer: TimerId) {
        self.note(process, "timer".to_owned());
    }

    fn process_exited(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
        self.note(process, format!("exited: {exit}"));
    }

    fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
        self.note(process, format!("ended: {exit}"));
    }
}

fn nothing(_process: &mut ProcessTransport<'_>, _event: &str) {}

/// Returns a hook that runs `act` in `connection_made`.
fn on_made(
    act: impl Fn(&mut ProcessTransport<'_>) + 'static,
) -> impl FnMut(&mut ProcessTransport<'_>, &str) + 'static {
    move |process, event| {
        if event == "made" {
            act(process);
        }
    }
}

fn shell(script: &str) -> ProcessOptions {
    ProcessOptions::new("sh").arg("-c").arg(script)
}

/// Starts a process and returns its id.
fn start(
    reactor: &mut Reactor,
    log: &Log,
    mut options: ProcessOptions,
    hook: impl FnMut(&mut ProcessTransport<'_>, &str) + 'static,
) -> Id {
    options.spawn(reactor.context(), Recorder::new(log, hook)).unwrap()
}

/// Runs a process to its end.
fn run(
    options: ProcessOptions,
    hook: impl FnMut(&mut ProcessTransport<'_>, &str) + 'static,
) -> Record {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    start(&mut reactor, &log, options, hook);
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
    log.take()
}

fn has_ended(log: &Log) -> bool {
    log.borrow().events.iter().any(|event| event.starts_with("ended"))
}

fn has(log: &Log, event: &str) -> bool {
    log.borrow().events.iter().any(|of| of.starts_with(event))
}

/// Returns the state of a process as in proc_pid_stat(5): `Z` is a zombie. `None` if there is none.
fn state(number: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

fn number(reactor: &mut Reactor, id: Id) -> u32 {
    ProcessTransport::new(reactor.context(), id).number().unwrap()
}
