//! The broadcast by chunks: all lines that a read completes are forwarded at once.

use super::super::Lines;
use ropewalk::{Factory, Id, Protocol, Reason, Transport};
use std::cell::RefCell;
use std::rc::Rc;

/// Returns a factory of the members of one room.
pub(super) fn members() -> impl Factory {
    let room = Rc::new(RefCell::new(Vec::new()));
    move || Member { room: room.clone(), lines: Lines::default() }
}

struct Member {
    /// All members.
    room: Rc<RefCell<Vec<Id>>>,
    lines: Lines,
}

impl Protocol for Member {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.room.borrow_mut().push(transport.id());
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let room = self.room.borrow();
        let from = transport.id();
        self.lines.cut(data, |lines| {
            for &id in room.iter().filter(|&&id| id != from) {
                transport.context().transport(id).write(lines);
            }
        });
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        let gone = transport.id();
        self.room.borrow_mut().retain(|&id| id != gone);
    }
}
