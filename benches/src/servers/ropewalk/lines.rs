//! The broadcast by lines, as the chat of our guide, on its `LineReceiver`: the peers who go line by
//! line, tokio and Twisted, are to be compared with this one.

use ropewalk::{Factory, Id, Reason};
use ropewalk_protocols::{Delimiter, LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::rc::Rc;

/// Those of one room.
pub(super) fn members() -> impl Factory {
    let room = Rc::new(RefCell::new(Room::default()));
    move || {
        let line_receiver = LineReceiver::new(Member(room.clone()));
        line_receiver.delimiter(Delimiter::new(b"\n")).max_length(usize::MAX - 1)
    }
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
