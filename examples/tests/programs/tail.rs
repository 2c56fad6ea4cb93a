//! The program `tail`.

use crate::scene::*;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// Starts `tail` of a file with two clients.
fn tail_for_two(path: &std::path::Path) -> (Program, String, [TcpStream; 2]) {
    let (mut server, address) = Program::serve("tail", &[path.to_str().unwrap(), "127.0.0.1:0"]);
    let onlookers = [(); 2].map(|()| {
        let onlooker = TcpStream::connect(&address).unwrap();
        onlooker.set_read_timeout(Some(LIMIT)).unwrap();
        server.read_until("connected");
        onlooker
    });
    (server, address, onlookers)
}

/// Receives the line `four`, which `add` appends, with socat(1).
fn read_with_socat(server: &mut Program, address: &str, add: impl Fn()) {
    let mut socat = Command::new("socat");
    socat.args(["-u", &format!("TCP:{address}"), "-"]).stdout(Stdio::piped());
    if let Ok(mut socat) = socat.spawn() {
        let _watched = watch(socat.id());
        server.read_until("connected");
        add();
        let mut line = String::new();
        BufReader::new(socat.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "four\n");
        socat.kill().unwrap();
        socat.wait().unwrap();
    } else {
        println!("skipped: there is no socat(1) here");
    }
}

#[test]
fn tail_follows_a_rotated_and_truncated_file() {
    let folder = std::env::temp_dir().join(format!("ropewalk-tail-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("log");
    std::fs::write(&path, "old news\n").unwrap();
    let add = |text: &str| {
        let mut file = File::options().append(true).create(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let (mut server, address, streams) = tail_for_two(&path);
    let mut clients = streams.map(BufReader::new);
    let mut expect = |text: &str| {
        for client in &mut clients {
            let mut line = String::new();
            client.read_line(&mut line).unwrap();
            assert_eq!(line, text);
        }
    };
    add("one\n");
    expect("one\n");
    std::fs::rename(&path, folder.join("log.1")).unwrap();
    add("two, of a new file\n");
    expect("two, of a new file\n");
    std::fs::write(&path, "three\n").unwrap();
    expect("three\n");
    // More than a chunk.
    let many = (0..50_000).map(|number| format!("{number}\n")).collect::<String>();
    add(&many);
    many.lines().for_each(|line| expect(&format!("{line}\n")));
    read_with_socat(&mut server, &address, || add("four\n"));
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Appends a hole of `bytes` to a file.
fn grow(path: &std::path::Path, bytes: u64) {
    File::options().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

/// Returns the peak memory of a program, in bytes.
fn most_memory(program: &Program) -> u64 {
    crate::status::memory_of(&program.child.id().to_string(), "VmHWM") as u64
}

#[test]
fn tail_buffers_no_data_for_slow_clients() {
    const MUCH: u64 = 300_000_000;
    let folder = folder("tail-slow");
    let path = folder.join("log");
    std::fs::write(&path, "").unwrap();
    let (mut server, address, [slow, quick]) = tail_for_two(&path);
    grow(&path, MUCH);
    let count = |onlooker: TcpStream| std::io::copy(&mut onlooker.take(MUCH), &mut std::io::sink());
    assert_eq!(count(quick).unwrap(), MUCH);
    // A client that reads nothing must not delay the others.
    let _third = TcpStream::connect(&address).unwrap();
    server.read_until("connected");
    assert_eq!(count(slow).unwrap(), MUCH);
    let memory = most_memory(&server);
    assert!(memory < 50_000_000, "{memory} bytes");
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn tail_follows_a_file_that_is_created_later() {
    let folder = folder("tail-later");
    let path = folder.join("log");
    let (mut server, address) = Program::serve("tail", &[path.to_str().unwrap(), "127.0.0.1:0"]);
    let mut onlooker = BufReader::new(TcpStream::connect(&address).unwrap());
    server.read_until("connected");
    std::fs::write(&path, "the first line\n").unwrap();
    let mut line = String::new();
    onlooker.read_line(&mut line).unwrap();
    assert_eq!(line, "the first line\n");
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn tail_disconnects_a_client_two_files_behind() {
    let folder = folder("tail-behind");
    let path = folder.join("log");
    let rotate = |name: &str| {
        std::fs::rename(&path, folder.join(name)).unwrap();
        std::fs::write(&path, "new\n").unwrap();
    };
    std::fs::write(&path, "").unwrap();
    let (mut server, _, [slow, quick]) = tail_for_two(&path);
    let mut quick = BufReader::new(quick);
    grow(&path, 100_000_000);
    std::io::copy(&mut (&mut quick).take(100_000_000), &mut std::io::sink()).unwrap();
    for name in ["log.1", "log.2"] {
        rotate(name);
        let mut line = String::new();
        quick.read_line(&mut line).unwrap();
        assert_eq!(line, "new\n");
    }
    server.read_until("is too slow");
    assert!(std::io::copy(&mut &slow, &mut std::io::sink()).is_err(), "it is reset");
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}
