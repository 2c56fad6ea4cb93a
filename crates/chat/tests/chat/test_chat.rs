//! A chat on one reactor, driven by hand, and its clients.

#![allow(dead_code)] // No module needs all of it.

use crate::support::{Client, listening, turn_until};
use ropewalk::{Address, Reactor};
use ropewalk_chat::Chat;

/// The answer to `/drain`, a command that does not exist. It follows all lines sent before.
pub(crate) const DRAINED: &str = "* there is no /drain; see /help\n";

/// Removes all received data, which includes [`DRAINED`]. Returns it without that answer.
pub(crate) fn take_before_drained(client: &mut Client) -> String {
    let text = String::from_utf8(std::mem::take(&mut client.received)).unwrap();
    text.replace(DRAINED, "")
}

/// Returns a chat with alice and bob. Alice has read that bob has joined.
#[track_caller]
pub(crate) fn alice_and_bob(chat: Chat) -> (TestChat, Client, Client) {
    let mut chat = TestChat::new(chat);
    let mut alice = chat.join("alice");
    let bob = chat.join("bob");
    chat.drain(&mut alice);
    (chat, alice, bob)
}

/// A chat and the address of its listener.
pub(crate) struct TestChat {
    pub(crate) reactor: Reactor,
    pub(crate) address: Address,
}

impl TestChat {
    pub(crate) fn new(chat: Chat) -> Self {
        let (reactor, address) = listening(chat.factory());
        Self { reactor, address }
    }

    /// Connects a client, which has been asked for a name.
    pub(crate) fn connect(&mut self) -> Client {
        let mut client = Client::connect(&self.address);
        self.until(&mut client, "* what is your name?\n");
        client
    }

    /// Connects a client that has a name and has read the welcome.
    pub(crate) fn join(&mut self, name: &str) -> Client {
        let mut client = self.connect();
        self.send_line(&mut client, name);
        self.until(&mut client, &format!("* welcome, {name}; /help lists the commands\n"));
        self.until(&mut client, "* you are ");
        self.drain(&mut client);
        client
    }

    pub(crate) fn send_line(&mut self, client: &mut Client, line: &str) {
        client.send(&mut self.reactor, format!("{line}\n"));
    }

    /// Runs turns until the client has received `text`.
    #[track_caller]
    pub(crate) fn until(&mut self, client: &mut Client, text: &str) {
        turn_until(&mut self.reactor, || client.text().contains(text));
    }

    /// Lets the client read all data sent to it so far. Returns and removes it.
    #[track_caller]
    pub(crate) fn drain(&mut self, client: &mut Client) -> String {
        self.send_line(client, "/drain");
        self.until(client, DRAINED);
        take_before_drained(client)
    }

    #[track_caller]
    pub(crate) fn until_closed(&mut self, client: &mut Client) {
        turn_until(&mut self.reactor, || client.has_ended());
    }

    /// Connects a client that has sent these lines, and received `mark`.
    #[track_caller]
    pub(crate) fn client(&mut self, lines: &[&str], mark: &str) -> Client {
        let mut client = Client::connect(&self.address);
        for line in lines {
            self.send_line(&mut client, line);
        }
        self.until(&mut client, mark);
        client
    }
}
