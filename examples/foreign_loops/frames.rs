//! An echo server inside the loop of another program: one that draws 30 frames a second, as a graphical interface does.
//!
//!     cargo run -p ropewalk-foreign-loops --example frames
//!
//! Try it in other terminals, and watch the counts:
//!
//!     cargo run -p netcat 127.0.0.1:7013
//!
//! The loop is the program's: it waits for the next frame, or until the reactor has something to do, whichever comes
//! first. It asks the reactor for its descriptor, and how long it may wait. Ctrl-C stops the reactor, and then the
//! loop.
//!
//! Options:
//!
//!     --listen HOST:PORT  where to listen (127.0.0.1:7013; port 0 lets the system choose)
//!     --demo              with a client in the same reactor; ends after half a second
//!     --help              this text

use lexopt::prelude::*;
use ropewalk::{Protocol, Reactor, Transport};
use ropewalk_protocols::Echo;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::{Failure, say, show};

/// The time from one frame to the next.
const FRAME: Duration = Duration::from_millis(33);

fn main() -> ExitCode {
    support::main(include_str!("frames.rs"), |mut arguments| {
        let (mut address, mut demo) = (None, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => support::once(&mut address, arguments.value()?)?,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let mut reactor = support::reactor()?;
        let default = if demo { "127.0.0.1:0" } else { "127.0.0.1:7013" };
        let port = reactor.listen_tcp(support::address(address, default)?, || Echo)?;
        say(format_args!("listening on {}", port.address()));
        if demo {
            reactor.connect_tcp(port.address(), || Player)?;
            reactor.context().call_later(Duration::from_millis(500), |context| context.stop());
        }
        draw_until_stopped(&mut reactor)
    })
}

/// The program's own loop.
fn draw_until_stopped(reactor: &mut Reactor) -> Result<(), Failure> {
    let (mut frames, mut turns, mut next_frame) = (0, 0, Instant::now());
    loop {
        if Instant::now() >= next_frame {
            frames += 1;
            next_frame += FRAME;
            draw(reactor, frames, turns)?;
        }
        wait(reactor, next_frame.saturating_duration_since(Instant::now()))?;
        // A turn that does not wait. It is cheap if there is nothing to do.
        turns += 1;
        if !reactor.run_turn(Some(Duration::ZERO))? {
            break;
        }
    }
    say(format_args!("\n{frames} frames and {turns} turns"));
    Ok(())
}

/// Waits until the next frame, or until the reactor has something to do. A program adds its own descriptors.
fn wait(reactor: &mut Reactor, until_frame: Duration) -> Result<(), Failure> {
    let limit = reactor.timeout().map_or(until_frame, |timeout| timeout.min(until_frame));
    let limit = Timespec::try_from(limit).expect("it is below a second");
    let descriptor = reactor.descriptor().expect("the system has one");
    match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&limit)) {
        // A signal has arrived: the descriptor is readable.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(Failure::Run(format!("poll: {}", io::Error::from(error)))),
    }
}

/// Draws a frame: here one row of text.
fn draw(reactor: &mut Reactor, frames: u32, turns: u32) -> Result<(), Failure> {
    let statistics = reactor.context().statistics();
    let ball = " ".repeat((frames % 20).abs_diff(10) as usize);
    let (open, received) = (statistics.made - statistics.lost(), statistics.received);
    show(format_args!("\r{ball}o  {open} connections, {received} bytes, {turns} turns \x1b[K"))
}

/// The client of the demo: sends each answer back.
struct Player;

impl Protocol for Player {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(b"ping");
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let (id, data) = (transport.id(), data.to_vec());
        transport.context().call_later(Duration::from_millis(10), move |context| {
            context.transport(id).write(&data);
        });
    }
}
