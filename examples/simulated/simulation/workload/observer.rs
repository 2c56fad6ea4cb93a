//! The chat server, and an observer for each room, which records the lines of the room.

use super::{ROOMS, Shared};
use ropewalk::{Error, Reactor};
use ropewalk_chat::Chat;
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use std::cell::Cell;
use std::rc::Rc;

/// Starts the server. It listens for clients when all observers are in their rooms.
pub(super) fn serve(reactor: &mut Reactor, shared: &Shared) -> Result<(), Error> {
    let chat = Chat::new().write_limit(64 * 1024);
    reactor.listen_unix("/run/chat", chat.factory())?;
    let missing = Rc::new(Cell::new(ROOMS.len()));
    shared.update(|record| record.server_started());
    for room in ROOMS {
        let (shared, chat, missing) = (shared.clone(), chat.clone(), Rc::clone(&missing));
        reactor.connect_unix("/run/chat", move || {
            let (shared, chat, missing) = (shared.clone(), chat.clone(), Rc::clone(&missing));
            LineReceiver::new(Observer { room, chat, missing, shared })
        })?;
    }
    Ok(())
}

struct Observer {
    room: &'static str,
    chat: Chat,
    /// The number of observers that are not in their rooms yet.
    missing: Rc<Cell<usize>>,
    shared: Shared,
}

impl LineHandler for Observer {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        self.shared.update(|record| record.observers.push(lines.id()));
        lines.send_line(format!("observer-{}", self.room));
        lines.send_line(format!("/join {}", self.room));
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        if line.starts_with('<') {
            return self.shared.update(|record| record.line_sent(self.room, line));
        }
        if let Some((_, members)) =
            line.strip_prefix("* in ").and_then(|line| line.split_once(": "))
        {
            let members = members.split(", ").map(str::to_owned);
            return self.shared.update(|record| record.present.extend(members));
        }
        // Every client is in the lobby first.
        let arrives = line.starts_with("* you are ") && !line.ends_with(" already");
        if arrives && line.contains(&format!(" in {}", self.room)) {
            self.missing.set(self.missing.get() - 1);
            if self.missing.get() == 0 {
                let listening = lines.context().listen_tcp("0.0.0.0:7001", self.chat.factory());
                if let Err(error) = listening {
                    self.shared.update(|record| record.errors.push(error.to_string()));
                }
            }
        }
    }
}
