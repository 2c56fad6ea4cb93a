//! Long work on a thread of its own, which answers through a `Handle`.
//!
//!     cargo run --example worker
//!
//! Poke it in other terminals:
//!
//!     cargo run --example connect 127.0.0.1:7004
//!
//! Type a number n, and get the n-th prime number, counted out by a thread. Meanwhile the reactor
//! serves the others: type `ping` in another terminal while somebody waits for the 1000000th. Who is
//! gone before the answer is there does not matter: the answer is sent to an id that reaches nobody.
//!
//! Options:
//!
//!     --listen HOST:PORT  where to listen (127.0.0.1:7004; port 0 lets the system choose)
//!     --demo              the server and two clients in one reactor; ends by itself
//!     --help              this text

use lexopt::prelude::*;
use log::info;
use ropewalk::{Context, Handle, Id, Protocol, Reason, Transport};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};
use support::say;

/// How many questions may wait for the thread: beyond that it is better to say so than to collect.
const QUEUE: usize = 100;

/// How soon to look again whether the queue has room.
const RETRY: Duration = Duration::from_millis(50);

/// The last prime that is counted to: some seconds' work.
const MOST: usize = 1_000_000;

/// What the thread is asked for, by whom.
enum Job {
    /// The n-th prime.
    Prime(Id, usize),
    /// He has asked all his questions; when they are answered, close.
    Goodbye(Id),
}

/// A client's questions.
struct Asker {
    jobs: SyncSender<Job>,
}

impl LineHandler for Asker {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        match line.trim() {
            "ping" => lines.send_line("pong"),
            text => match text.parse() {
                Ok(n @ 1..=MOST) => {
                    if self.jobs.try_send(Job::Prime(lines.id(), n)).is_err() {
                        lines.send_line("too many questions wait; ask again later");
                    }
                }
                _ => lines.send_line(format!("type a number from 1 to {MOST}, or ping")),
            },
        }
    }

    /// Who does not read the answers is asked for no more questions.
    fn pause_writing(&mut self, lines: &mut LineTransport<'_>) {
        lines.pause();
    }

    fn resume_writing(&mut self, lines: &mut LineTransport<'_>) {
        lines.resume();
    }

    fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &str) {
        if !unfinished.is_empty() {
            self.line_received(lines, unfinished);
        }
        // To close here would be too soon: the answers are still to come.
        let (jobs, asker) = (self.jobs.clone(), lines.id());
        say_goodbye(lines.context(), jobs, asker);
    }
}

/// The end takes its place behind the questions, as soon as there is one.
fn say_goodbye(context: &mut Context, jobs: SyncSender<Job>, asker: Id) {
    if let Err(TrySendError::Full(_)) = jobs.try_send(Job::Goodbye(asker)) {
        context.call_later(RETRY, move |context| say_goodbye(context, jobs, asker));
    }
}

/// The thread: it does the work, and has the reactor's thread send what came of it.
///
/// It ends when nobody is left who could ask: when the listener and all its connections are gone.
fn work(jobs: &Receiver<Job>, handle: &Handle) {
    for job in jobs {
        let answered = match job {
            Job::Prime(asker, n) => {
                let start = Instant::now();
                let prime = prime(n);
                let answer =
                    format!("prime number {n} is {prime}; that took {:.1?}\n", start.elapsed());
                handle.call(move |context| send(context, asker, &answer))
            }
            Job::Goodbye(asker) => handle.call(move |context| context.close(asker)),
        };
        if answered.is_err() {
            return; // The reactor is gone.
        }
    }
}

fn send(context: &mut Context, asker: Id, answer: &str) {
    if context.is_closing(asker) {
        info!("{asker} is gone; nobody hears that {}", answer.trim_end());
    }
    // No need to ask: to write to one that is gone does nothing.
    context.write(asker, answer.as_bytes());
}

/// The n-th prime number, by trial division.
fn prime(n: usize) -> u64 {
    let mut primes = vec![2];
    let mut candidate = 1;
    while primes.len() < n {
        candidate += 2;
        let mut divisors = primes.iter().take_while(|&&prime| prime * prime <= candidate);
        if divisors.all(|prime| candidate % prime != 0) {
            primes.push(candidate);
        }
    }
    primes[n - 1]
}

/// A client of the demo that does not wait for the answer.
struct Hasty;

impl Protocol for Hasty {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        say(format_args!("hasty:   asks for prime number 30000"));
        transport.write(b"30000\n");
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, _reason: Reason) {
        say(format_args!("hasty:   is gone"));
    }
}

/// One that does, and asks for something else meanwhile.
struct Patient {
    hasty: Id,
}

impl LineHandler for Patient {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        say(format_args!("patient: asks for prime number 20000, and for a pong meanwhile"));
        lines.send_line("20000");
        lines.send_line("ping");
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        say(format_args!("patient: hears '{line}'"));
        if line == "pong" {
            let hasty = self.hasty;
            lines.context().abort(hasty);
            lines.write_eof();
        }
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {
        say(format_args!("patient: the connection ended: {reason}"));
        lines.context().stop();
    }
}

fn main() -> ExitCode {
    support::main(include_str!("worker.rs"), |mut arguments| {
        let (mut listen, mut demo) = ("127.0.0.1:7004".to_owned(), false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => listen = arguments.value()?.string()?,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        if demo {
            listen = "127.0.0.1:0".to_owned();
        }
        support::log_from(if demo { "warn,worker=info" } else { "info" });
        let mut reactor = support::reactor()?;
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let port =
            reactor.listen_tcp(listen, move || LineReceiver::new(Asker { jobs: jobs.clone() }))?;
        say(format_args!("listening on {}", port.address()));
        let handle = reactor.handle();
        thread::spawn(move || work(&queue, &handle));
        if demo {
            let hasty = reactor.connect_tcp(port.address(), || Hasty)?;
            reactor.connect_tcp(port.address(), move || LineReceiver::new(Patient { hasty }))?;
        } else {
            let address = support::reachable(port.address());
            say(format_args!("ask it with: cargo run --example connect {address}"));
        }
        Ok(reactor.run()?)
    })
}
