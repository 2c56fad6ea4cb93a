//! The fifth way: callbacks, with a pool of threads for the work.
//!
//! A few threads compute or block for all clients, while the reactor serves the sockets. The answer arrives as a
//! callback on the reactor's thread. Each answer crosses from one thread to another and back, which pays if the
//! work takes longer than that, or blocks.

use ropewalk::{Error, Reactor, ThreadOptions};
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};

struct Service;

impl LineHandler for Service {
    type Line = str;

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        let line = line.to_owned();
        // The next line is not read before this one is answered: so the answers keep their order.
        lines.pause();
        let work = move || service::answer(&line);
        let started = lines.call_in_thread(work, |transport, answer| {
            match answer {
                Ok(answer) => transport.write(answer.as_bytes()),
                Err(_panic) => transport.abort(),
            }
            transport.resume();
        });
        if started.is_err() {
            lines.abort(); // Too many lines wait for a thread.
        }
    }
}

fn main() -> Result<(), Error> {
    let mut reactor = Reactor::new()?;
    reactor.set_threads(ThreadOptions::new().max(4).max_waiting(100_000));
    let new = || LineReceiver::new(Service).max_length(service::LONGEST);
    let port = reactor.listen_tcp("127.0.0.1:0", new)?;
    service::announce(port.address().socket_addr().expect("a TCP address"));
    reactor.run()
}
