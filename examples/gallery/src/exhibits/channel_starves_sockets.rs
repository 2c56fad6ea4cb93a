//! A channel that starves the sockets.
//!
//! What one sees: the loop is busy, its queue of tasks is never empty, and no client has an answer.
//!
//! Why: the loop handles messages until there are none, and the handler of a message sends the next one. Other threads that
//! send as fast as the loop handles have the same effect.
//!
//! The cure: handle the messages that were there when the turn began, or a number of them, and look at the sockets
//! between. Ropewalk takes the queue as it is, and up to 1,024 calls a turn.
//!
//! The issue: netty/netty#1154, "Potential I/O starvation in NioEventLoop".

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::{SmallLoop, connection};
use crate::{Exhibit, Result, Shown};
use ropewalk::journal::{Callback, What};
use ropewalk::{Protocol, Reactor, Sender, Transport};
use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "channel_starves_sockets",
    about: "Messages that cause messages are handled first, for ever.",
    issue: "netty/netty#1154: Potential I/O starvation in NioEventLoop",
    broken,
    cured,
};

/// Messages after which the sender stops.
const MANY: usize = 10_000;
/// Messages that are few, in the turns in which a client is accepted and served.
const FEW: usize = 100;

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let (mut socket, mut client) = connection()?;
    small.add(&mut socket, 1)?;
    client.write_all(b"hello")?;
    let mut queue = VecDeque::from([1]);
    let mut before = 0;
    // The fault: the loop ends when the queue is empty.
    while let Some(number) = queue.pop_front() {
        small.note(None, What::Called(Callback::Channel, 0));
        before += 1;
        if number < MANY {
            queue.push_back(number + 1); // A message causes the next one.
        }
    }
    for event in small.wait_patiently()? {
        small.receive(event.token, &mut socket, &mut [0; 100]);
    }
    let shown = Shown::new(small.into_lines()).mark("recv").mark("channel");
    Ok(shown.judge(before > FEW, format!("the client was served after {before} messages")))
}

struct Reader(Rc<Cell<bool>>);

impl Protocol for Reader {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {
        self.0.set(true);
    }
}

fn cured() -> Result<Shown> {
    let (served, before) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let mut reactor = Reactor::new()?;
    let is_served = served.clone();
    let port = reactor.listen_tcp("127.0.0.1:0", move || Reader(is_served.clone()))?;
    let mut client = TcpStream::connect(port.address())?;
    client.write_all(b"hello")?;
    let next: Rc<OnceCell<Sender<usize>>> = Rc::default();
    let (sender, is_served, count) = (next.clone(), served.clone(), before.clone());
    let channel = reactor.context().channel(move |_, number: usize| {
        count.set(number);
        if let Some(sender) = sender.get().filter(|_| number < MANY && !is_served.get()) {
            let _: std::result::Result<(), _> = sender.send(number + 1);
        }
    });
    channel.send(1)?;
    let _: std::result::Result<(), _> = next.set(channel);
    turn_until(&mut reactor, |_| served.get())?;
    let before = before.get();
    let shown = Shown::new(lines(&mut reactor)).mark("recv").mark(" channel");
    Ok(shown.judge(before > FEW, format!("the client was served after {before} messages")))
}
