//! A worker thread for long computations, which answers through a `Handle`.
//!
//!     cargo run --example worker
//!
//! Try it in other terminals:
//!
//!     cargo run -p netcat 127.0.0.1:7004
//!
//! For a number n, the thread computes the n-th prime number. The reactor serves other clients in the
//! meantime: type `ping` in another terminal while the thread computes the 1000000th. An answer to a connection
//! that was lost is discarded: its id is stale.
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

/// The length of the thread's queue. When it is full, clients are notified; memory is bounded.
const QUEUE: usize = 100;

/// The interval at which a full queue is tried again: short for a client, and long for a processor.
const RETRY: Duration = Duration::from_millis(50);

/// The largest n. The computation takes some seconds.
const MAX: usize = 1_000_000;

/// A job for the thread, and the connection that receives the answer.
enum Job {
    /// The n-th prime.
    Prime(Id, usize),
    /// The end of the connection's requests. After the answers it is closed.
    Close(Id),
}

/// The protocol of a client.
struct Requests {
    jobs: SyncSender<Job>,
}

impl LineHandler for Requests {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        match line.trim() {
            "ping" => lines.send_line("pong"),
            text => match text.parse() {
                Ok(n @ 1..=MAX) => {
                    if self.jobs.try_send(Job::Prime(lines.id(), n)).is_err() {
                        lines.send_line("the queue is full; try again later");
                    }
                }
                _ => lines.send_line(format!("type a number from 1 to {MAX}, or ping")),
            },
        }
    }

    /// A client that does not read answers can send no more requests.
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
        // The connection is closed after the pending answers.
        let (jobs, client) = (self.jobs.clone(), lines.id());
        close_later(lines.context(), jobs, client);
    }
}

/// Queues the end of the requests, when the queue has space.
fn close_later(context: &mut Context, jobs: SyncSender<Job>, client: Id) {
    if let Err(TrySendError::Full(_)) = jobs.try_send(Job::Close(client)) {
        context.call_later(RETRY, move |context| close_later(context, jobs, client));
    }
}

/// The worker thread: computes answers, which the reactor's thread sends.
///
/// It ends when the listener and all its connections are closed.
fn work(jobs: &Receiver<Job>, handle: &Handle) {
    for job in jobs {
        let answered = match job {
            Job::Prime(client, n) => {
                let start = Instant::now();
                let prime = prime(n);
                let answer =
                    format!("prime number {n} is {prime}; that took {:.1?}\n", start.elapsed());
                handle.call(move |context| send(context, client, &answer))
            }
            Job::Close(client) => handle.call(move |context| context.close(client)),
        };
        if answered.is_err() {
            return; // The reactor has ended.
        }
    }
}

fn send(context: &mut Context, client: Id, answer: &str) {
    if context.transport(client).is_closing() {
        info!("{client} is closed; discarded: {}", answer.trim_end());
    }
    // A write to a stale id does nothing.
    context.transport(client).write(answer.as_bytes());
}

/// Computes the n-th prime number by trial division.
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

/// A client of the demo that is disconnected before the answer.
struct Impatient;

impl Protocol for Impatient {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        say(format_args!("first:  requests prime number 30000"));
        transport.write(b"30000\n");
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, _reason: Reason) {
        say(format_args!("first:  is disconnected"));
    }
}

/// A client of the demo that waits for the answer, and sends another request in the meantime.
struct Patient {
    other: Id,
}

impl LineHandler for Patient {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        say(format_args!("second: requests prime number 20000, and a pong in the meantime"));
        lines.send_line("20000");
        lines.send_line("ping");
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        say(format_args!("second: received '{line}'"));
        if line == "pong" {
            let other = self.other;
            lines.context().abort(other);
            lines.write_eof();
        }
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {
        say(format_args!("second: the connection ended: {reason}"));
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
        let port = reactor
            .listen_tcp(listen, move || LineReceiver::new(Requests { jobs: jobs.clone() }))?;
        say(format_args!("listening on {}", port.address()));
        let handle = reactor.handle();
        thread::spawn(move || work(&queue, &handle));
        if demo {
            let other = reactor.connect_tcp(port.address(), || Impatient)?;
            reactor.connect_tcp(port.address(), move || LineReceiver::new(Patient { other }))?;
        } else {
            let address = support::reachable(port.address());
            say(format_args!("try it with: cargo run -p netcat {address}"));
        }
        Ok(reactor.run()?)
    })
}
