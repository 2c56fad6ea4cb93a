//! Ropewalk, on its public API alone: the echo of `ropewalk-protocols`, and a broadcast as the
//! chat of our guide, on its `LineReceiver`.
//!
//! A protocol that forwards all lines of a piece at once, as the peers that bring bytes only do
//! here, costs an eighth of the instructions a delivery (23 instead of 193, with 10 speakers of
//! 16 lines). It is not taken, since it would be compared with tokio and Twisted going line by
//! line.

use super::listener::BACKLOG;
use super::{Served, Work, announce};
use ropewalk::{Id, ListenOptions, Reactor, Reason};
use ropewalk_protocols::{Delimiter, Echo, LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::process;
use std::rc::Rc;
use std::time::Duration;

/// Serves until a signal; then the process ends in order.
pub(super) fn serve(work: Work, address: SocketAddr) -> Served {
    let mut reactor = Reactor::new()?;
    reactor.stop_on_signals()?;
    // Nobody misses what a stopped benchmark had still to send.
    reactor.set_grace(Duration::ZERO);
    let options = ListenOptions::new().backlog(BACKLOG.unsigned_abs());
    let context = reactor.context();
    let port = match work {
        Work::Echo => context.listen_tcp_with(address, &options, || Echo)?,
        Work::Broadcast => {
            let room = Rc::new(RefCell::new(Room::default()));
            let member = move || {
                let line_receiver = LineReceiver::new(Member(room.clone()));
                line_receiver.delimiter(Delimiter::new(b"\n")).max_length(usize::MAX - 1)
            };
            context.listen_tcp_with(address, &options, member)?
        }
    };
    announce(port.address())?;
    reactor.run()?;
    process::exit(0)
}

/// Everyone who is there, and the line that is on its way to them.
#[derive(Default)]
struct Room {
    members: Vec<Id>,
    line: Vec<u8>,
}

struct Member(Rc<RefCell<Room>>);

impl LineHandler for Member {
    type Line = [u8];

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        self.0.borrow_mut().members.push(lines.id());
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &[u8]) {
        let room = &mut *self.0.borrow_mut();
        room.line.clear();
        room.line.extend_from_slice(line);
        room.line.push(b'\n');
        let speaker = lines.id();
        for &id in room.members.iter().filter(|&&id| id != speaker) {
            lines.context().write(id, &room.line);
        }
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
        let gone = lines.id();
        self.0.borrow_mut().members.retain(|&id| id != gone);
    }
}
