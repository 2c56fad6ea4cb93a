//! A callback that blocks.
//!
//! What one sees: now and then all clients wait at once, for as long as one of them has something slow to do: a look-up of
//! a name, a query, a file on a slow disk, a password to hash.
//!
//! Why: there is one thread. While a callback runs, no event is looked at.
//!
//! The cure: long work belongs to a thread, and its answer comes back as a callback: `Transport::call_in_thread`. Ropewalk
//! logs callbacks above 100 ms; with `time_callbacks` the journal has the duration of each.
//!
//! The issue: fonoster/fonoster#270, "Slow DNS blocks the event loop".

use crate::on_ropewalk::{lines, turn_until};
use crate::{Exhibit, Result, Shown};
use ropewalk::{Protocol, Reactor, Transport};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "blocking_callback",
    about: "One slow callback, and all clients wait.",
    issue: "fonoster/fonoster#270: Slow DNS blocks the event loop",
    broken: || play(false),
    cured: || play(true),
};

/// The slow work lasts until the other client was served, or so long.
const SLOW: Duration = Duration::from_millis(300);

/// What both connections share.
struct Shared {
    in_thread: bool,
    /// Tells the work that the other client was served.
    served: Sender<()>,
    work: RefCell<Option<Receiver<()>>>,
    /// Whether the other client was served during the work.
    was_served: Cell<Option<bool>>,
}

/// Works slowly when it receives "w". Anything else is served at once.
struct Worker(Rc<Shared>);

impl Protocol for Worker {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let shared = self.0.clone();
        match shared.work.take().filter(|_| data == b"w") {
            Some(work) if shared.in_thread => {
                let work = move || work.recv_timeout(SLOW).is_ok();
                let started = transport.call_in_thread(work, move |_, answer| {
                    shared.was_served.set(Some(answer.is_ok_and(|served| served)));
                });
                if started.is_err() {
                    transport.abort();
                }
            }
            // The fault: the callback waits.
            Some(work) => shared.was_served.set(Some(work.recv_timeout(SLOW).is_ok())),
            None => {
                transport.write(data);
                let _: std::result::Result<(), _> = shared.served.send(());
            }
        }
    }
}

fn play(in_thread: bool) -> Result<Shown> {
    let (served, work) = channel();
    let (work, was_served) = (RefCell::new(Some(work)), Cell::new(None));
    let shared = Rc::new(Shared { in_thread, served, work, was_served });
    let mut reactor = Reactor::new()?;
    let state = shared.clone();
    let port = reactor.listen_tcp("127.0.0.1:0", move || Worker(state.clone()))?;
    let mut clients = [TcpStream::connect(port.address())?, TcpStream::connect(port.address())?];
    turn_until(&mut reactor, |context| context.statistics().made == 2)?;
    reactor.time_callbacks(true);
    clients[0].write_all(b"w")?;
    clients[1].write_all(b"p")?;
    turn_until(&mut reactor, |context| {
        shared.was_served.get().is_some() && context.statistics().sent == 1
    })?;
    let is_faulty = shared.was_served.get() != Some(true);
    let when = if is_faulty { "after the slow work, 300 ms later" } else { "during the slow work" };
    let shown = Shown::new(lines(&mut reactor)).mark("data_received").mark("ms").mark("job_done");
    Ok(shown.judge(is_faulty, format!("the other client was served {when}")))
}
