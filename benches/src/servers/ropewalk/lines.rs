//! The broadcast by lines, as the chat of the guide, on its `LineReceiver`: to be compared with
//! tokio and Twisted, which broadcast by lines.

use ropewalk::{Factory, Id, Reason};
use ropewalk_protocols::{Delimiter, LineHandler, LineReceiver, LineTransport};
use std::cell::RefCell;
use std::rc::Rc;

/// Returns a factory of the members of one room.
pub(super) fn members() -> impl Factory {
    let room = Rc::new(RefCell::new(Room::default()));
    move || {
        let line_receiver = LineReceiver::new(Member(room.clone()));
        line_receiver.delimiter(Delimiter::new(b"\n")).max_length(usize::MAX - 1)
    }
}

/// All members, and the line that is being sent to them.
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
        let from = lines.id();
        for &id in room.members.iter().filter(|&&id| id != from) {
            lines.context().transport(id).write(&room.line);
        }
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, _reason: Reason) {
        let gone = lines.id();
        self.0.borrow_mut().members.retain(|&id| id != gone);
    }
}
