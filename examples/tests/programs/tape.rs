//! Recordings of programs, and their replays.

use crate::scene::*;

#[test]
fn recorded_chat_is_replayed() {
    let folder = folder("tape");
    let file = folder.join("chat.rec");
    let file = file.to_str().unwrap();
    let options = ["--listen", "127.0.0.1:0", "--burst", "7", "--record", file];
    let (mut server, address) = Program::serve("chat", &options);
    let mut alice = Client::connect(&address);
    alice.read_until("name");
    alice.type_line("alice");
    alice.read_until("alone");
    let mut bob = Client::connect(&address);
    bob.type_line("bob");
    alice.read_until("bob joined");
    bob.type_line("good evening");
    alice.read_until("good evening");
    server.signal("TERM");
    let end = server.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains("recorded ") && end.output.contains(file), "{end:?}");

    let end = run("chat", &["--replay", file]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains(&address) && end.output.contains("no difference"), "{end:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn damaged_recording_is_refused() {
    let folder = folder("damage");
    let file = folder.join("chat.rec");
    let file = file.to_str().unwrap();
    assert_eq!(run("chat", &["--demo", "--record", file]).code, Some(0));
    let mut bytes = std::fs::read(file).unwrap();
    let half = bytes.len() / 2;
    bytes[half] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let end = run("chat", &["--replay", file]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.errors.contains("the recording is damaged"), "{end:?}");
    std::fs::remove_dir_all(folder).unwrap();
}
