//! Tells each client the time: timers that are set, put off and cancelled.
//!
//!     cargo run --example clock
//!
//! Poke it in other terminals:
//!
//!     cargo run --example connect 127.0.0.1:7003
//!
//! Every second it says how long the clock has run, to all clients at the same moment, and without
//! drifting. Who says nothing for a minute is dismissed; every line you type puts that off.
//!
//! Options:
//!
//!     --listen HOST:PORT  where to listen (127.0.0.1:7003; port 0 lets the system choose)
//!     --every SECONDS     from one tick to the next (1)
//!     --idle SECONDS      how long a client may be silent (60)
//!     --demo              the clock and a client in one reactor, faster; ends by itself
//!     --help              this text

use lexopt::prelude::*;
use ropewalk::{Context, Id, Protocol, Reason, TimerId, Transport};
use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::{Failure, say};

/// What all clients share.
#[derive(Clone, Copy)]
struct Pace {
    start: Instant,
    every: Duration,
    idle: Duration,
}

/// One client's ticking.
#[derive(Clone)]
struct Ticker {
    client: Id,
    pace: Pace,
    /// The next tick. Each tick sets it anew, and the client's end cancels it.
    timer: Rc<Cell<Option<TimerId>>>,
}

impl Ticker {
    /// Sets the timer to the next full period since the start. If one tick comes late, the wait for
    /// the next is the shorter: so lateness does not add up.
    fn schedule(self, context: &mut Context) {
        let elapsed = context.now().duration_since(self.pace.start).as_nanos();
        let left = self.pace.every.as_nanos() - elapsed % self.pace.every.as_nanos();
        let timer = Rc::clone(&self.timer);
        let wait = Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX));
        timer.set(Some(context.call_later(wait, move |context| self.tick(context))));
    }

    fn tick(self, context: &mut Context) {
        let elapsed = context.now().duration_since(self.pace.start);
        let text = format!("{:.1} s since the start\r\n", elapsed.as_secs_f64());
        context.write(self.client, text.as_bytes());
        self.schedule(context);
    }
}

/// A client of the clock.
struct Clock {
    pace: Pace,
    tick: Rc<Cell<Option<TimerId>>>,
    dismissal: Option<TimerId>,
}

impl Protocol for Clock {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let (client, idle) = (transport.id(), self.pace.idle);
        let context = transport.context();
        Ticker { client, pace: self.pace, timer: Rc::clone(&self.tick) }.schedule(context);
        self.dismissal = Some(context.call_later(idle, move |context| {
            let text = format!("you have said nothing for {idle:?}; goodbye\r\n");
            context.write(client, text.as_bytes());
            context.close(client);
        }));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        if let Some(timer) = self.dismissal {
            transport.context().reset(timer, self.pace.idle);
        }
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        // Left alone, they would go on to write to nobody: no harm, but no use either.
        for timer in [self.tick.take(), self.dismissal.take()].into_iter().flatten() {
            transport.context().cancel(timer);
        }
    }
}

/// The demo's client: it speaks once, and is dismissed after that.
#[derive(Default)]
struct Listener {
    pieces: usize,
}

impl Protocol for Listener {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        say(format_args!("clock:  {}", String::from_utf8_lossy(data).trim_end()));
        self.pieces += 1;
        if self.pieces == 3 {
            say(format_args!("client: this puts my dismissal off"));
            transport.write(b"I am still here\r\n");
        }
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        say(format_args!("client: the connection ended: {reason}"));
        transport.context().stop();
    }
}

fn main() -> ExitCode {
    support::main(include_str!("clock.rs"), |mut arguments| {
        let mut listen = "127.0.0.1:7003".to_owned();
        let (mut every, mut idle, mut demo) =
            (Duration::from_secs(1), Duration::from_secs(60), false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => listen = arguments.value()?.string()?,
                Long("every") => every = seconds(&arguments.value()?.string()?)?,
                Long("idle") => idle = seconds(&arguments.value()?.string()?)?,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        if demo {
            listen = "127.0.0.1:0".to_owned();
            (every, idle) = (Duration::from_millis(200), Duration::from_millis(700));
        }
        support::log_from(if demo { "warn" } else { "info" });
        let mut reactor = support::reactor()?;
        let pace = Pace { start: reactor.context().now(), every, idle };
        let port = reactor.listen_tcp(listen, move || Clock {
            pace,
            tick: Rc::default(),
            dismissal: None,
        })?;
        say(format_args!("listening on {}", port.address()));
        if demo {
            reactor.connect_tcp(port.address(), Listener::default)?;
        } else {
            let address = support::reachable(port.address());
            say(format_args!("hear it tick with: cargo run --example connect {address}"));
        }
        Ok(reactor.run()?)
    })
}

fn seconds(text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| Failure::Usage(format!("'{text}' is no number of seconds above 0")))
}
