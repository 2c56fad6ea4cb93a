//! A chat room's line counter beside tokio: the reactor has a thread of its own in an asynchronous program.
//!
//!     cargo run -p ropewalk-foreign-loops --example in_tokio
//!
//! Try it in other terminals:
//!
//!     cargo run -p netcat 127.0.0.1:7018
//!
//! Each line that a client sends is passed to a task of tokio's, which answers after a while (it sleeps without
//! blocking a thread). Lines go one way through tokio's channel (`try_send` does not wait), and answers the other way
//! by a [`Handle`](ropewalk::Handle), which never waits. So neither loop blocks the other. Ctrl-C stops the reactor,
//! which ends the program.
//!
//! Options:
//!
//!     --listen HOST:PORT  where to listen (127.0.0.1:7018; port 0 lets the system choose)
//!     --demo              with a client in the same reactor; ends by itself
//!     --help              this text

use lexopt::prelude::*;
use ropewalk::{Error, Handle, Id};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use support::{DemoClient, Failure, say};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many lines may wait for the task.
const WAITING: usize = 1000;

/// A line, and the connection that receives the answer.
type Request = (Id, String);

/// The protocol of a client, on the reactor's thread.
struct Asking {
    requests: Sender<Request>,
}

impl LineHandler for Asking {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        if self.requests.try_send((lines.id(), line.to_owned())).is_err() {
            lines.send_line("too many lines wait: try again later");
        }
    }

    /// The answers that are on their way follow: the task closes the connection behind them.
    fn eof_received(&mut self, lines: &mut LineTransport<'_>, unfinished: &str) {
        let _ = self.requests.try_send((lines.id(), unfinished.to_owned()));
        let _ = self.requests.try_send((lines.id(), String::new()));
    }
}

fn main() -> ExitCode {
    support::main(include_str!("in_tokio.rs"), |mut arguments| {
        let (mut address, mut demo) = (None, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("listen") => support::once(&mut address, arguments.value()?)?,
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let default = if demo { "127.0.0.1:0" } else { "127.0.0.1:7018" };
        let address = support::address(address, default)?;
        let (requests, received) = channel(WAITING);
        let (started, starting) = std::sync::mpsc::channel();
        let reactor = thread::spawn(move || {
            let served = serve(&address, requests, demo, &started);
            served.map_err(|error| error.to_string())
        });
        // The thread ends without a handle if it cannot listen.
        if let Ok(handle) = starting.recv() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let runtime = runtime.map_err(|error| Failure::Run(error.to_string()))?;
            runtime.block_on(answer(received, handle));
        }
        reactor.join().expect("no callback panics through the reactor").map_err(Failure::Run)
    })
}

/// The reactor's thread.
fn serve(
    address: &str,
    requests: Sender<Request>,
    demo: bool,
    started: &std::sync::mpsc::Sender<Handle>,
) -> Result<(), Error> {
    let mut reactor = support::reactor()?;
    let new = move || LineReceiver::new(Asking { requests: requests.clone() });
    let port = reactor.listen_tcp(address, new)?;
    say(format_args!("listening on {}", port.address()));
    if demo {
        reactor.connect_tcp(port.address(), || DemoClient)?;
    }
    let _ = started.send(reactor.handle());
    reactor.run()
    // The factory and its sender are dropped with the reactor, which ends the task.
}

/// The task: answers each line after a while, and ends when the reactor has.
async fn answer(mut requests: Receiver<Request>, handle: Handle) {
    while let Some((id, line)) = requests.recv().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let answered = handle.call(move |context| match line.is_empty() {
            true => context.close(id),
            false => context
                .transport(id)
                .write(format!("{} characters\n", line.chars().count()).as_bytes()),
        });
        if answered.is_err() {
            return; // The reactor has ended.
        }
    }
}
