//! A load for an echo server. Every received byte is checked.
//!
//!     cargo run --release --example echo_client -- --demo
//!     cargo run --release --example echo_client 127.0.0.1:7000
//!
//! The first has a server of its own; the second needs one in another terminal:
//!
//!     cargo run --release --example echo 127.0.0.1:7000
//!
//! Each connection sends a message, waits for all of its echo, and sends the next. The number of
//! messages, the messages per second and the round-trip times are printed.
//!
//! Options:
//!
//!     HOST:PORT          the server (127.0.0.1:7000)
//!     --connections N    the number of connections (10)
//!     --messages N       the number of messages on each connection (10000; with --demo 1000)
//!     --size BYTES       the length of a message (64)
//!     --demo             an echo server in the same reactor; ends by itself
//!     --help             this text

use lexopt::prelude::*;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reactor, Reason, Transport};
use ropewalk_protocols::Echo;
use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::{Failure, say};

/// The period of the sent pattern in bytes. It is prime, so that the check fails if a buffer with a size of a power of
/// two loses or duplicates a chunk.
const PERIOD: usize = 251;

/// The load on the server.
#[derive(Clone, Copy)]
struct Load {
    connections: usize,
    /// On each connection.
    messages: usize,
    size: usize,
}

/// The state of the measurement, shared by all connections.
struct Tally {
    load: Load,
    /// The pattern. A message begins in its first period, where the previous message has ended.
    pattern: Vec<u8>,
    round_trips: Vec<Duration>,
    /// The number of connections that have messages to send.
    busy: usize,
    start: Instant,
    failure: Option<String>,
}

impl Tally {
    fn new(load: Load) -> Self {
        Self {
            load,
            pattern: (0..PERIOD + load.size).map(|place| (place % PERIOD) as u8).collect(),
            round_trips: Vec::new(),
            busy: load.connections,
            start: Instant::now(),
            failure: None,
        }
    }

    fn fail(&mut self, context: &mut Context, message: String) {
        self.failure.get_or_insert(message);
        context.stop();
    }

    fn print_progress(&self) {
        let (done, seconds) = (self.round_trips.len(), self.start.elapsed().as_secs_f64());
        let all = self.load.connections.saturating_mul(self.load.messages);
        say(format_args!("{seconds:.0} s: {done} of {all} messages"));
    }

    fn print_result(&mut self) -> Result<(), Failure> {
        let (done, seconds) = (self.round_trips.len(), self.start.elapsed().as_secs_f64());
        support::show(format_args!(
            "{done} messages of {} bytes, every byte as sent, in {seconds:.2} s\n",
            self.load.size
        ))?;
        self.round_trips.sort_unstable();
        if let (Some(median), Some(high)) = (self.percentile(50), self.percentile(99)) {
            let rate = done as f64 / seconds;
            support::show(format_args!(
                "{rate:.0} messages a second; round trip: median {median:.1?}, p99 {high:.1?}\n"
            ))?;
        }
        Ok(())
    }

    fn percentile(&self, percent: usize) -> Option<Duration> {
        self.round_trips.get(self.round_trips.len() * percent / 100).copied()
    }
}

/// The protocol of a connection: a message, its echo, the next message.
struct Pinger {
    tally: Rc<RefCell<Tally>>,
    /// The number of messages to send after this one.
    left: usize,
    sent_at: Instant,
    /// The position of the next received byte in the pattern.
    position: usize,
    /// The number of bytes of the message that were not received yet.
    awaited: usize,
}

impl Pinger {
    fn send(&mut self, transport: &mut Transport<'_>) {
        let tally = self.tally.borrow();
        (self.sent_at, self.awaited) = (Instant::now(), tally.load.size);
        transport.write(&tally.pattern[self.position..self.position + tally.load.size]);
    }

    /// Checks received data.
    fn check(&mut self, data: &[u8]) -> Result<(), &'static str> {
        if data.len() > self.awaited {
            return Err("more data was received than was sent");
        }
        if data != &self.tally.borrow().pattern[self.position..self.position + data.len()] {
            return Err("the received data differs from the sent data");
        }
        self.awaited -= data.len();
        self.position = (self.position + data.len()) % PERIOD;
        Ok(())
    }
}

impl Protocol for Pinger {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.send(transport);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if let Err(message) = self.check(data) {
            let message = format!("{}: {message}", transport.peer());
            self.tally.borrow_mut().fail(transport.context(), message);
        } else if self.awaited == 0 {
            self.tally.borrow_mut().round_trips.push(self.sent_at.elapsed());
            if self.left == 0 {
                transport.close();
            } else {
                self.left -= 1;
                self.send(transport);
            }
        }
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let mut tally = self.tally.borrow_mut();
        tally.busy -= 1;
        match reason {
            Reason::Closed if tally.busy == 0 => transport.context().stop(),
            Reason::Closed | Reason::Stopped => {}
            reason => {
                let message = format!("{}: the connection ended: {reason}", transport.peer());
                tally.fail(transport.context(), message);
            }
        }
    }
}

/// The factory of the connections.
struct PingerFactory {
    tally: Rc<RefCell<Tally>>,
}

impl Factory for PingerFactory {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Pinger {
            tally: Rc::clone(&self.tally),
            left: self.tally.borrow().load.messages - 1,
            sent_at: Instant::now(),
            position: 0,
            awaited: 0,
        }))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
        self.tally.borrow_mut().fail(context, error.to_string());
    }
}

fn main() -> ExitCode {
    support::main(include_str!("echo_client.rs"), |mut arguments| {
        let (mut server, mut demo) = (None, false);
        let (mut connections, mut messages, mut size) = (10, None, 64);
        while let Some(argument) = arguments.next()? {
            match argument {
                Value(address) => support::once(&mut server, address)?,
                Long("connections") => {
                    connections = support::at_least_one(&mut arguments)? as usize
                }
                Long("messages") => {
                    messages = Some(support::at_least_one(&mut arguments)? as usize)
                }
                Long("size") => size = support::at_least_one(&mut arguments)? as usize,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        let mut server = support::address(server, "127.0.0.1:7000")?;
        support::log_from("warn");
        let messages = messages.unwrap_or(if demo { 1_000 } else { 10_000 });
        let mut reactor = support::reactor()?;
        if demo {
            let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
            say(format_args!("listening on {}", port.address()));
            server = port.address().to_string();
        }
        measure(reactor, &server, Load { connections, messages, size })
    })
}

fn measure(mut reactor: Reactor, server: &str, load: Load) -> Result<(), Failure> {
    let Load { connections, messages, size } = load;
    say(format_args!(
        "{connections} connections to {server} send {messages} messages of {size} bytes each"
    ));
    let tally = Rc::new(RefCell::new(Tally::new(load)));
    for _ in 0..connections {
        reactor.connect_tcp(server, PingerFactory { tally: Rc::clone(&tally) })?;
    }
    report_each_second(reactor.context(), Rc::clone(&tally));
    reactor.run()?;
    let mut tally = tally.borrow_mut();
    if let Some(message) = tally.failure.take() {
        return Err(Failure::Run(message));
    }
    tally.print_result()
}

fn report_each_second(context: &mut Context, tally: Rc<RefCell<Tally>>) {
    context.call_later(Duration::from_secs(1), move |context| {
        tally.borrow().print_progress();
        report_each_second(context, tally);
    });
}
