//! The rehearsal of a hot restart: clients who come, ask and go without a pause, while one process
//! after the other takes the server over.

use ropewalk::{Address, Context, Error, Factory, Id, Interest, Protocol, Reason, Watcher};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use rustix::process::{Pid, Signal, kill_process};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::unix::Folder;
use support::{Failure, say};

/// How many clients are there at a time, and how often each asks before it goes and the next comes.
const CLIENTS: usize = 50;
const QUESTIONS: usize = 20;

/// How many processes there are, one after the other, and how long each goes on at least.
const PROCESSES: usize = 3;
const INTERVAL: Duration = Duration::from_millis(300);

/// How long all of it may take: some tens of times as long as it does.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Rehearsal(Rc<RefCell<State>>);

struct State {
    folder: Folder,
    /// Where the clients go, once there is somebody.
    server: Option<String>,
    processes: Vec<Pid>,
    ended: usize,
    /// No more clients come.
    over: bool,
    clients: usize,
    connections: usize,
    refused: usize,
    /// How many answers did not come, or came wrong.
    lost: usize,
    /// How many each process gave.
    answers: BTreeMap<String, usize>,
    longest_wait: Duration,
    failure: Option<String>,
}

pub(crate) fn run() -> Result<(), Failure> {
    let mut reactor = support::reactor()?;
    let rehearsal = Rehearsal(Rc::new(RefCell::new(State {
        folder: Folder::new(),
        server: None,
        processes: Vec::new(),
        ended: 0,
        over: false,
        clients: 0,
        connections: 0,
        refused: 0,
        lost: 0,
        answers: BTreeMap::new(),
        longest_wait: Duration::ZERO,
        failure: None,
    })));
    rehearsal.start_process(reactor.context());
    let patience = rehearsal.clone();
    reactor.context().call_later(LIMIT, move |context| patience.fail(context, "it never ends"));
    let begin = Instant::now();
    reactor.run()?;
    let mut state = rehearsal.0.borrow_mut();
    state.print(begin.elapsed());
    state.failure.take().map_or(Ok(()), |message| Err(Failure::Run(message)))
}

impl State {
    fn print(&self, time: Duration) {
        let (seconds, connections) = (time.as_secs_f64(), self.connections);
        let answers: usize = self.answers.values().sum();
        say(format_args!("{CLIENTS} clients at a time, {connections} in all, {seconds:.1} s:"));
        for process in &self.processes {
            let process = process.to_string();
            let answers = self.answers.get(&process).copied().unwrap_or(0);
            say(format_args!("  {answers} answers by process {process}"));
        }
        let (refused, lost, wait) = (self.refused, self.lost, self.longest_wait);
        say(format_args!("  {answers} answers, {lost} lost, {refused} clients refused"));
        say(format_args!("  the longest wait for an answer was {wait:.1?}"));
    }
}

impl Rehearsal {
    fn start_process(&self, context: &mut Context) {
        let started = self.spawn().and_then(|process| {
            let watched = context.watch(process, Interest::Readable);
            watched.map_err(|error| error.to_string())
        });
        if let Err(error) = started {
            self.fail(context, error);
        }
    }

    fn spawn(&self) -> Result<Process, String> {
        let mut state = self.0.borrow_mut();
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("--control").arg(state.folder.path("control")).arg("127.0.0.1:0");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        state.processes.push(Pid::from_child(&child));
        let output = child.stdout.take().expect("it is a pipe");
        Ok(Process { child, output, line: Vec::new(), rehearsal: self.clone() })
    }

    /// A process has the listener.
    fn listening(&self, context: &mut Context, server: &str) {
        let first = self.0.borrow_mut().server.replace(server.to_owned()).is_none();
        if first {
            (0..CLIENTS).for_each(|_| self.send_client(context));
        }
        self.go_on_later(context);
    }

    /// After a while the next process comes, or it is over; but only once there were clients for this one.
    fn go_on_later(&self, context: &mut Context) {
        let rehearsal = self.clone();
        context.call_later(INTERVAL, move |context| {
            let mut state = rehearsal.0.borrow_mut();
            let newest = state.processes.last().expect("there is one").to_string();
            let begun = state.processes.len();
            let busy = state.answers.contains_key(&newest);
            state.over |= busy && begun == PROCESSES;
            drop(state);
            if !busy {
                rehearsal.go_on_later(context);
            } else if begun < PROCESSES {
                rehearsal.start_process(context);
            }
        });
    }

    fn process_ended(&self, context: &mut Context) {
        let mut state = self.0.borrow_mut();
        state.ended += 1;
        if state.ended == PROCESSES {
            context.stop();
        }
    }

    fn send_client(&self, context: &mut Context) {
        let server = self.0.borrow().server.clone().expect("the first process listens");
        match context.connect_tcp(server, self.clone()) {
            Ok(_) => {
                let mut state = self.0.borrow_mut();
                state.clients += 1;
                state.connections += 1;
            }
            Err(error) => self.fail(context, error),
        }
    }

    /// Another client comes in the place of one that has gone.
    fn client_gone(&self, context: &mut Context) {
        let mut state = self.0.borrow_mut();
        state.clients -= 1;
        if !state.over {
            drop(state);
            self.send_client(context);
        } else if state.clients == 0 {
            let last = state.processes.last().expect("there is one");
            let _ = kill_process(*last, Signal::TERM);
        }
    }

    fn fail(&self, context: &mut Context, error: impl ToString) {
        let mut state = self.0.borrow_mut();
        state.over = true;
        state.failure.get_or_insert_with(|| error.to_string());
        context.stop();
    }
}

/// A process, by what it prints.
struct Process {
    child: Child,
    output: ChildStdout,
    /// The beginning of a line.
    line: Vec<u8>,
    rehearsal: Rehearsal,
}

impl Watcher for Process {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }

    fn readable(&mut self, context: &mut Context, id: Id) {
        let mut buffer = [0; 1024];
        let count = self.output.read(&mut buffer).unwrap_or(0);
        for piece in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                say(format_args!("{}: {}", self.child.id(), line.trim_end()));
                if let Some(server) = line.trim_end().strip_prefix("listening on ") {
                    self.rehearsal.listening(context, server);
                }
            }
        }
        if count == 0 {
            context.close(id);
            match self.child.wait() {
                Ok(status) if status.success() => self.rehearsal.process_ended(context),
                Ok(status) => self.rehearsal.fail(context, status),
                Err(error) => self.rehearsal.fail(context, error),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It has ended, unless the rehearsal has failed.
        let _ = self.child.wait();
    }
}

impl Factory for Rehearsal {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        let client = Client { rehearsal: self.clone(), asked: 0, since: Instant::now() };
        Some(Box::new(LineReceiver::new(client)))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        self.0.borrow_mut().refused += 1;
        self.fail(context, error);
    }
}

/// Asks, waits for the answer, and asks again.
struct Client {
    rehearsal: Rehearsal,
    asked: usize,
    since: Instant,
}

impl Client {
    fn ask(&mut self, lines: &mut LineTransport<'_>) {
        self.asked += 1;
        self.since = Instant::now();
        self.rehearsal.0.borrow_mut().lost += 1; // until the answer is there
        lines.send_line(format!("question {}", self.asked));
    }
}

impl LineHandler for Client {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        self.ask(lines);
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        let (process, answer) = line.split_once(": ").unwrap_or_default();
        if answer == format!("question {}", self.asked) {
            let mut state = self.rehearsal.0.borrow_mut();
            state.lost -= 1;
            state.longest_wait = state.longest_wait.max(self.since.elapsed());
            *state.answers.entry(process.to_owned()).or_default() += 1;
        }
        if self.asked == QUESTIONS { lines.close() } else { self.ask(lines) }
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
        self.rehearsal.client_gone(lines.context());
    }
}
