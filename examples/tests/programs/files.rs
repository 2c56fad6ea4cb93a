//! Programs that serve files.

use crate::scene::*;
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;

#[test]
fn send_file_sends_everything_to_slow_clients() {
    let path = std::env::temp_dir().join(format!("ropewalk-send-file-{}", std::process::id()));
    // More than the buffers of a connection.
    let expected: Vec<u8> = (0..30_000_000_u32).map(|place| (place % 251) as u8).collect();
    std::fs::write(&path, &expected).unwrap();
    let (mut server, address) =
        Program::serve("send_file", &[path.to_str().unwrap(), "127.0.0.1:0"]);
    let mut slow = TcpStream::connect(&address).unwrap();
    let gone = TcpStream::connect(&address).unwrap();
    if let Some(received) = socat(&format!("exec socat -u TCP:{address} -")) {
        assert!(received == expected);
    }
    let mut quick = Vec::new();
    TcpStream::connect(&address).unwrap().read_to_end(&mut quick).unwrap();
    assert!(quick == expected);
    drop(gone);
    let mut late = Vec::new();
    slow.read_to_end(&mut late).unwrap();
    assert!(late == expected);
    server.read_until(&format!("all {} bytes sent", expected.len()));
    server.read_until("sending failed");
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    std::fs::remove_file(&path).unwrap();
}

/// Makes a FIFO. Its open(2) blocks without a writer.
fn make_fifo(path: &std::path::Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn fifo_in_place_of_a_file_blocks_no_server() {
    let folder = folder("fifo");
    let name = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (library, shelf) = (name("library.sock"), name(""));
    let (mut librarian, _) = Program::serve("fd_passing", &["--serve", &shelf, &library]);
    std::fs::write(name("file"), "a line").unwrap();
    let (mut server, address) = Program::serve("send_file", &[&name("file"), "127.0.0.1:0"]);
    std::fs::remove_file(name("file")).unwrap();
    make_fifo(&folder.join("file"));

    let end = run("fd_passing", &["--get", "file", &library]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.errors.contains("not a regular file"), "{end:?}");
    let mut nothing = Vec::new();
    let refused = TcpStream::connect(&address).unwrap().read_to_end(&mut nothing);
    assert!(refused.is_err() && nothing.is_empty(), "{refused:?}");
    for program in [&mut librarian, &mut server] {
        program.signal("TERM");
        assert_eq!(program.end().code, Some(0));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
