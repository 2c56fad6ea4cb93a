//! An id that is used again.
//!
//! What one sees: once in a while a new connection is closed as soon as it was made, or receives an event that belongs to
//! another one. It needs two events in one batch, so it happens under load only.
//!
//! Why: the poll returns a batch of events, each with the number that the program has chosen: a slot of a table, or a
//! descriptor. The handler of the first event closes another connection and accepts a new one, which takes the free slot.
//! The second event of the batch has the same number, and was meant for the closed one.
//!
//! The cure: a number that is never used again, such as a slot and a serial, and a look-up that compares both. An `Id` of
//! Ropewalk is that, and its events carry it.
//!
//! The issue: tokio-rs/mio#172, "Weird behavior on reusing tokens."

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::{Ready, SmallLoop, connection, listener};
use crate::{Exhibit, Result, Shown};
use mio::net::{TcpListener, TcpStream};
use ropewalk::{Id, Protocol, Reactor, Transport};
use std::cell::Cell;
use std::io::{self, Write};
use std::net;
use std::rc::Rc;
use std::time::Duration;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "id_reused",
    about: "An event of a closed connection reaches the new one in its slot.",
    issue: "tokio-rs/mio#172: Weird behavior on reusing tokens.",
    broken,
    cured,
};

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let (listener, address) = listener()?;
    let ((first, mut kicker), (second, leaver)) = (connection()?, connection()?);
    let mut slots = [Some(first), Some(second)];
    for (slot, socket) in slots.iter_mut().enumerate() {
        small.add(socket.as_mut().ok_or("the slot is empty")?, slot)?;
    }
    let _newcomer = net::TcpStream::connect(address)?;
    kicker.write_all(b"kick 1")?;
    drop(leaver);
    for event in small.wait_patiently()? {
        ready(&mut small, &mut slots, event, &listener)?;
    }
    let is_faulty = slots[1].is_none();
    let fate = if is_faulty { "closed by the event of another one" } else { "not affected" };
    let shown = Shown::new(small.into_lines()).mark("slot 1").mark("ended");
    Ok(shown.judge(is_faulty, format!("the new connection was {fate}")))
}

/// Handles an event. The fault: the slot alone says which connection it is for.
fn ready(
    small: &mut SmallLoop,
    slots: &mut [Option<TcpStream>; 2],
    event: Ready,
    listener: &TcpListener,
) -> io::Result<()> {
    if event.has_ended {
        small.say(Some(event.token), &format!("closes what is in slot {}", event.token));
        slots[event.token] = None;
    } else if let Some(socket) = &mut slots[event.token] {
        small.receive(event.token, socket, &mut [0; 100]);
        slots[1] = Some(small.accept(9, listener)?);
        small.say(Some(1), "slot 1 has a new connection");
    }
    Ok(())
}

/// Ends the connection that was made last.
struct Kicker(Rc<Cell<Option<Id>>>);

impl Protocol for Kicker {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.0.set(Some(transport.id()));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        if let Some(last) = self.0.take() {
            transport.context().abort(last);
        }
    }
}

fn cured() -> Result<Shown> {
    let last = Rc::new(Cell::new(None));
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", move || Kicker(last.clone()))?;
    let mut kicker = net::TcpStream::connect(port.address())?;
    let leaver = net::TcpStream::connect(port.address())?;
    turn_until(&mut reactor, |context| context.statistics().made == 2)?;
    // Three events, in this order: of the first connection, of the listener, and of the second connection.
    kicker.write_all(b"kick")?;
    let _newcomer = net::TcpStream::connect(port.address())?;
    drop(leaver);
    turn_until(&mut reactor, |context| context.statistics().made == 3)?;
    reactor.turn(Some(Duration::ZERO))?;
    let is_faulty = reactor.context().statistics().lost() != 1;
    let fate = if is_faulty { "lost" } else { "not affected" };
    let shown = Shown::new(lines(&mut reactor)).mark("lost").mark("connection_made").mark("ended");
    Ok(shown.judge(is_faulty, format!("the new connection was {fate}")))
}
