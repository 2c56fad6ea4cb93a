//! State that is borrowed twice.
//!
//! What one sees: "already borrowed", a panic, when a user does something unusual: leaves the room in the middle of a
//! message, or closes one window from another. In C++ there is no panic, and memory is used after it was freed.
//!
//! Why: shared state is borrowed, and while it is, a callback of other code is called. It comes back for the same
//! state. Nothing in its own code shows that this can happen.
//!
//! The cure: never call other code while a borrow lasts: copy what is needed, end the borrow, then act. The reactor itself
//! does so: no callback of Ropewalk runs inside another, and connections are reached by their ids.
//!
//! The issue: Smithay/calloop#110, "Fix calloop double borrows".

use crate::on_ropewalk::{lines, turn_until};
use crate::{Exhibit, Result, Shown};
use ropewalk::{Id, Protocol, Reactor, Transport};
use std::cell::RefCell;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "borrowed_twice",
    about: "A callback comes back for the state that is borrowed while it is called.",
    issue: "Smithay/calloop#110: Fix calloop double borrows",
    broken: || play(Talker::speak_while_borrowed),
    cured: || play(Talker::speak_after_the_borrow),
};

#[derive(Default)]
struct Room {
    members: Vec<Id>,
    lines: usize,
}

type Speak = fn(&mut Talker, &mut Transport<'_>, &[u8]);

/// Sends what it receives to all members of the room.
struct Talker {
    room: Rc<RefCell<Room>>,
    speak: Speak,
}

impl Talker {
    /// The fault: the room is borrowed while the members are called.
    fn speak_while_borrowed(&mut self, transport: &mut Transport<'_>, line: &[u8]) {
        for member in &self.room.borrow().members {
            self.tell(*member, transport, line);
        }
    }

    /// The cure: the borrow ends before the first call.
    fn speak_after_the_borrow(&mut self, transport: &mut Transport<'_>, line: &[u8]) {
        let members = self.room.borrow().members.clone();
        for member in members {
            self.tell(member, transport, line);
        }
    }

    /// Sends a line to one member, and counts it in the room.
    fn tell(&self, member: Id, transport: &mut Transport<'_>, line: &[u8]) {
        transport.context().transport(member).write(line);
        self.room.borrow_mut().lines += 1;
    }
}

impl Protocol for Talker {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.room.borrow_mut().members.push(transport.id());
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        (self.speak)(self, transport, data);
    }
}

fn play(speak: Speak) -> Result<Shown> {
    let room = Rc::new(RefCell::new(Room::default()));
    let mut reactor = Reactor::new()?;
    let shared = room.clone();
    let port = reactor.listen_tcp("127.0.0.1:0", move || Talker { room: shared.clone(), speak })?;
    let mut clients = [TcpStream::connect(port.address())?, TcpStream::connect(port.address())?];
    turn_until(&mut reactor, |context| context.statistics().made == 2)?;
    clients[0].write_all(b"hello\n")?;
    turn_until(&mut reactor, |context| {
        let statistics = context.statistics();
        statistics.panics > 0 || room.borrow().lines == 2
    })?;
    let counted = room.borrow().lines;
    let shown = Shown::new(lines(&mut reactor))
        .mark("PANIC")
        .mark("lost:")
        .mark("data_received")
        .mark("send");
    Ok(shown.judge(counted < 2, format!("{counted} of 2 members have the line in full")))
}
