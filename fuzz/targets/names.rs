//! Fuzz target: the Unicode handling of the chat. Whatever bytes a member sends as names, rooms and text, the other
//! members receive lines without harmful characters.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ropewalk_chat::{Chat, Harmless};
use ropewalk_simulation::kit::TestServer;

// Each line of the input is a line of one member: a name first, then text and commands.
fuzz_target!(|data: &[u8]| {
    let mut server = TestServer::new(Chat::new().factory());
    let mut reader = server.connect();
    reader.feed("reader\n");
    let mut writer = server.connect();
    for line in data.split(|byte| *byte == b'\n').take(32) {
        writer.feed([line, b"\n"].concat());
    }
    writer.hang_up();
    let received = [reader.take(), writer.take()].concat();
    let text = String::from_utf8(received).expect("the chat sends UTF-8");
    for line in text.lines() {
        assert_eq!(line, Harmless(line).to_string(), "a harmful character was sent");
    }
});
