//! A clock for clients: timers of a protocol, which are set and reset.
//!
//!     cargo run --example clock
//!
//! Try it in other terminals:
//!
//!     cargo run -p netcat 127.0.0.1:7003
//!
//! Every second it sends its running time to all clients at the same moment, without drift. A client
//! that sends nothing for a minute is disconnected; every line that you type resets that timer.
//!
//! Options:
//!
//!     --listen HOST:PORT  where to listen (127.0.0.1:7003; port 0 lets the system choose)
//!     --every SECONDS     from one tick to the next (1)
//!     --idle SECONDS      after how long without input a client is disconnected (60)
//!     --demo              the clock and a client in one reactor, faster; ends by itself
//!     --help              this text

use lexopt::prelude::*;
use ropewalk::{Protocol, Reason, TimerId, Transport};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::{Failure, say};

/// The times that all clients share.
#[derive(Clone, Copy)]
struct Schedule {
    start: Instant,
    every: Duration,
    idle: Duration,
}

/// A client of the clock. Its timers are removed with it.
struct Clock {
    schedule: Schedule,
    idle: Option<TimerId>,
}

impl Clock {
    /// Sets the timer to the next full period since the start. After a late tick the delay is shorter,
    /// so that delays do not add up.
    fn set_tick(&self, transport: &mut Transport<'_>) {
        let elapsed = self.elapsed(transport).as_nanos();
        let left = self.schedule.every.as_nanos() - elapsed % self.schedule.every.as_nanos();
        transport.set_timer(Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX)));
    }

    fn elapsed(&self, transport: &mut Transport<'_>) -> Duration {
        transport.context().now().duration_since(self.schedule.start)
    }
}

impl Protocol for Clock {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.set_tick(transport);
        self.idle = Some(transport.set_timer(self.schedule.idle));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        if let Some(timer) = self.idle {
            transport.reset_timer(timer, self.schedule.idle);
        }
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, timer: TimerId) {
        if self.idle == Some(timer) {
            write!(transport, "no input for {:?}; goodbye\r\n", self.schedule.idle);
            transport.close();
        } else {
            let elapsed = self.elapsed(transport).as_secs_f64();
            write!(transport, "{elapsed:.1} s since the start\r\n");
            self.set_tick(transport);
        }
    }
}

/// The demo's client. It sends a line once, and is disconnected later.
#[derive(Default)]
struct Client {
    chunks: usize,
}

impl Protocol for Client {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        say(format_args!("clock:  {}", String::from_utf8_lossy(data).trim_end()));
        self.chunks += 1;
        if self.chunks == 3 {
            say(format_args!("client: this resets the idle timer"));
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
        let schedule = Schedule { start: reactor.context().now(), every, idle };
        let port = reactor.listen_tcp(listen, move || Clock { schedule, idle: None })?;
        say(format_args!("listening on {}", port.address()));
        if demo {
            reactor.connect_tcp(port.address(), Client::default)?;
        } else {
            let address = support::reachable(port.address());
            say(format_args!("try it with: cargo run -p netcat {address}"));
        }
        Ok(reactor.run()?)
    })
}

fn seconds(text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| Failure::Usage(format!("'{text}' is not a number of seconds above 0")))
}
