//! The demo of a hot restart: a load of clients on the server, while one process after the other takes it over.

use ropewalk::{Address, Context, Error, Factory, Id, Interest, Protocol, Reason, Watcher};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::unix::Folder;
use support::{Failure, say};

/// The number of concurrent clients, and of requests on a connection: many connections are made during a handover.
const CLIENTS: usize = 50;
const REQUESTS: usize = 20;

/// The number of processes, and the minimum time from one to the next, in which thousands of requests are answered.
const PROCESSES: usize = 3;
const INTERVAL: Duration = Duration::from_millis(300);

/// The time limit for the demo: some tens of times as long as it takes.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Demo(Rc<RefCell<State>>);

struct State {
    folder: Folder,
    /// The server's address, after the first process listens.
    server: Option<String>,
    processes: Vec<u32>,
    ended: usize,
    /// True after the last client was connected.
    over: bool,
    clients: usize,
    connections: usize,
    refused: usize,
    /// The number of requests without the right answer.
    lost: usize,
    /// The number of answers by process.
    answers: BTreeMap<String, usize>,
    longest_wait: Duration,
    failure: Option<String>,
}

pub(crate) fn run() -> Result<(), Failure> {
    let mut reactor = support::reactor()?;
    let demo = Demo(Rc::new(RefCell::new(State {
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
    demo.start_process(reactor.context());
    let limited = demo.clone();
    reactor
        .context()
        .call_later(LIMIT, move |context| limited.fail(context, "the demo exceeds its time limit"));
    let begin = Instant::now();
    reactor.run()?;
    let mut state = demo.0.borrow_mut();
    state.print(begin.elapsed());
    state.failure.take().map_or(Ok(()), |message| Err(Failure::Run(message)))
}

impl State {
    fn print(&self, time: Duration) {
        let (seconds, connections) = (time.as_secs_f64(), self.connections);
        let answers: usize = self.answers.values().sum();
        say(format_args!("{CLIENTS} concurrent clients, {connections} in total, {seconds:.1} s:"));
        for process in &self.processes {
            let process = process.to_string();
            let answers = self.answers.get(&process).copied().unwrap_or(0);
            say(format_args!("  {answers} answers by process {process}"));
        }
        let (refused, lost, wait) = (self.refused, self.lost, self.longest_wait);
        say(format_args!("  {answers} answers, {lost} lost, {refused} connections refused"));
        say(format_args!("  the longest time to an answer was {wait:.1?}"));
    }
}

impl Demo {
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
        state.processes.push(child.id());
        let output = child.stdout.take().expect("it is a pipe");
        Ok(Process { child, output, line: Vec::new(), demo: self.clone() })
    }

    /// Handles the line in which a process reports that it listens.
    fn listening(&self, context: &mut Context, server: &str) {
        let first = self.0.borrow_mut().server.replace(server.to_owned()).is_none();
        if first {
            (0..CLIENTS).for_each(|_| self.connect_client(context));
        }
        self.continue_later(context);
    }

    /// After the interval, starts the next process or ends the load. The newest process must have answered before.
    fn continue_later(&self, context: &mut Context) {
        let demo = self.clone();
        context.call_later(INTERVAL, move |context| {
            let mut state = demo.0.borrow_mut();
            let newest = state.processes.last().expect("there is one").to_string();
            let begun = state.processes.len();
            let busy = state.answers.contains_key(&newest);
            state.over |= busy && begun == PROCESSES;
            drop(state);
            if !busy {
                demo.continue_later(context);
            } else if begun < PROCESSES {
                demo.start_process(context);
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

    fn connect_client(&self, context: &mut Context) {
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

    /// Connects another client in place of a lost one, or ends the last process.
    fn client_lost(&self, context: &mut Context) {
        let mut state = self.0.borrow_mut();
        state.clients -= 1;
        if !state.over {
            drop(state);
            self.connect_client(context);
        } else if state.clients == 0 {
            let last = state.processes.last().expect("there is one");
            let _ = Command::new("sh").arg("-c").arg(format!("kill -TERM {last}")).status();
        }
    }

    fn fail(&self, context: &mut Context, error: impl ToString) {
        let mut state = self.0.borrow_mut();
        state.over = true;
        state.failure.get_or_insert_with(|| error.to_string());
        context.stop();
    }
}

/// The output of a server process.
struct Process {
    child: Child,
    output: ChildStdout,
    /// The beginning of an unfinished line.
    line: Vec<u8>,
    demo: Demo,
}

impl Watcher for Process {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }

    fn readable(&mut self, context: &mut Context, id: Id) {
        let mut buffer = [0; 1024];
        let count = self.output.read(&mut buffer).unwrap_or(0);
        for chunk in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(chunk);
            if chunk.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                say(format_args!("{}: {}", self.child.id(), line.trim_end()));
                if let Some(server) = line.trim_end().strip_prefix("listening on ") {
                    self.demo.listening(context, server);
                }
            }
        }
        if count == 0 {
            context.close(id);
            match self.child.wait() {
                Ok(status) if status.success() => self.demo.process_ended(context),
                Ok(status) => self.demo.fail(context, status),
                Err(error) => self.demo.fail(context, error),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It has ended, except after a failure.
        let _ = self.child.wait();
    }
}

impl Factory for Demo {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        let client = Client { demo: self.clone(), sent: 0, since: Instant::now() };
        Some(Box::new(LineReceiver::new(client)))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        self.0.borrow_mut().refused += 1;
        self.fail(context, error);
    }
}

/// A client that sends a request after the answer to the previous one.
struct Client {
    demo: Demo,
    sent: usize,
    since: Instant,
}

impl Client {
    fn send(&mut self, lines: &mut LineTransport<'_>) {
        self.sent += 1;
        self.since = Instant::now();
        self.demo.0.borrow_mut().lost += 1; // Until the answer is received.
        lines.send_line(format!("request {}", self.sent));
    }
}

impl LineHandler for Client {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        self.send(lines);
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        let (process, answer) = line.split_once(": ").unwrap_or_default();
        if answer == format!("request {}", self.sent) {
            let mut state = self.demo.0.borrow_mut();
            state.lost -= 1;
            state.longest_wait = state.longest_wait.max(self.since.elapsed());
            *state.answers.entry(process.to_owned()).or_default() += 1;
        }
        if self.sent == REQUESTS { lines.close() } else { self.send(lines) }
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
        self.demo.client_lost(lines.context());
    }
}
