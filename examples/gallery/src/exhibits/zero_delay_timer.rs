//! A timer without delay that sets itself again.
//!
//! What one sees: "run this as soon as possible, and again" works, and nothing else does. The loop does not come back to its
//! sockets.
//!
//! Why: the loop fires timers until none is due. A callback sets a timer of no delay, which is due at once, so there is
//! always one.
//!
//! The cure: fire what was due when the turn began, and nothing that was set since. Ropewalk draws that line at the number of
//! the last timer.
//!
//! The issue: libuv/libuv#4245, "uv_timer_start behavior with `timeout == 0` does not match documentation and can lead to
//! starvation".

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::{SmallLoop, connection};
use crate::{Exhibit, Result, Shown};
use ropewalk::journal::{TimerJob, What};
use ropewalk::{Context, Protocol, Reactor, Transport};
use std::cell::Cell;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "zero_delay_timer",
    about: "A timer of no delay sets itself again, and the sockets wait for ever.",
    issue: "libuv/libuv#4245: uv_timer_start behavior with `timeout == 0` does not match documentation and can lead to starvation",
    broken,
    cured,
};

/// Firings after which the timer is not set again.
const MANY: u32 = 10_000;
/// Firings that are few, in the turns in which a client is accepted and served.
const FEW: u32 = 100;

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let (mut socket, mut client) = connection()?;
    small.add(&mut socket, 1)?;
    client.write_all(b"hello")?;
    let (mut due, mut fired) = (Some(Instant::now()), 0);
    // The fault: the clock is read again for each timer, and what was set meanwhile is due.
    while due.is_some_and(|due| due <= Instant::now()) {
        small.note(None, What::TimerFired(TimerJob::Call, fired));
        fired += 1;
        due = (fired < MANY).then(Instant::now); // The callback sets it again.
    }
    for event in small.wait_patiently()? {
        small.receive(event.token, &mut socket, &mut [0; 100]);
    }
    let shown = Shown::new(small.into_lines()).mark("fired").mark("recv");
    Ok(shown.judge(fired > FEW, format!("the client was served after {fired} timers")))
}

/// What the timer and the connection share.
#[derive(Default)]
struct Shared {
    fired: Cell<u32>,
    is_served: Cell<bool>,
}

struct Reader(Rc<Shared>);

impl Protocol for Reader {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {
        self.0.is_served.set(true);
    }
}

/// Sets a timer of no delay, again and again until the client is served.
fn tick(context: &mut Context, shared: Rc<Shared>) {
    context.call_later(Duration::ZERO, move |context| {
        shared.fired.set(shared.fired.get() + 1);
        if shared.fired.get() < MANY && !shared.is_served.get() {
            tick(context, shared);
        }
    });
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let shared = Rc::new(Shared::default());
    let state = shared.clone();
    let port = reactor.listen_tcp("127.0.0.1:0", move || Reader(state.clone()))?;
    let mut client = TcpStream::connect(port.address())?;
    client.write_all(b"hello")?;
    tick(reactor.context(), shared.clone());
    turn_until(&mut reactor, |_| shared.is_served.get())?;
    let fired = shared.fired.get();
    let shown = Shown::new(lines(&mut reactor)).mark("fired").mark("recv");
    Ok(shown.judge(fired > FEW, format!("the client was served after {fired} timers")))
}
