//! The bundled programs, run as people run them: as processes, with files, pipes and signals.
//!
//! `cargo test` builds them; to run these tests alone, say `cargo build --examples` first.

#![cfg(unix)]

/// The line editor of `chat_client` is tested here as well, where it stands.
#[path = "../examples/support/editor.rs"]
mod editor;

/// What `ping` understands is tested here as well, where it stands.
#[allow(dead_code)]
#[path = "../examples/support/icmp.rs"]
mod icmp;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a program may take before it is killed, and its test fails.
const LIMIT: Duration = Duration::from_secs(30);

/// Those that take options.
const PROGRAMS: [&str; 18] = [
    "chat",
    "chat_client",
    "clock",
    "connect",
    "echo",
    "echo_client",
    "fd_passing",
    "hot_restart",
    "multicast",
    "ping",
    "planning",
    "proxy",
    "send_file",
    "simulation",
    "tail",
    "udp_echo",
    "unix_echo",
    "worker",
];

/// How each server is run on a port that the system chooses.
const SERVERS: [(&str, &[&str]); 8] = [
    ("chat", &["--listen", "127.0.0.1:0"]),
    ("chat", &["--listen", "127.0.0.1:0", "--reactors", "3"]),
    ("clock", &["--listen", "127.0.0.1:0"]),
    ("echo", &["127.0.0.1:0"]),
    ("echo", &["127.0.0.1:0", "--reactors", "3"]),
    ("proxy", &["--listen", "127.0.0.1:0", "--to", "127.0.0.1:1"]),
    ("tail", &["Cargo.toml", "127.0.0.1:0"]),
    ("worker", &["--listen", "127.0.0.1:0"]),
];

/// A program that runs.
struct Program {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
    errors: Option<JoinHandle<String>>,
    /// While this is there, so is the watchdog.
    _watched: Sender<()>,
}

/// What came of it.
#[derive(Debug)]
struct End {
    /// `None` if it was killed.
    code: Option<i32>,
    /// What it printed that nobody had read.
    output: String,
    errors: String,
}

impl Program {
    fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_with_input(name, arguments, Stdio::piped())
    }

    fn start_with_input(name: &str, arguments: &[&str], input: Stdio) -> Self {
        let path = program(name);
        let mut child = Command::new(&path)
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; cargo build --examples", path.display()));
        let output = child.stdout.take().map(BufReader::new);
        let mut stderr = child.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let watched = watch(child.id());
        Self { child, output, errors: Some(errors), _watched: watched }
    }

    /// Starts a server; the first line that it prints says where it listens.
    fn serve(name: &str, arguments: &[&str]) -> (Self, String) {
        let mut server = Self::start(name, arguments);
        let first = server.read_line();
        let address = first.strip_prefix("listening on ").map(str::to_owned);
        (server, address.unwrap_or_else(|| panic!("{name} printed {first:?} first")))
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn end_input(&mut self) {
        self.child.stdin = None;
    }

    /// The next line that it prints; empty if there is none.
    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads until a line contains `text`.
    fn read_until(&mut self, text: &str) {
        let mut before = Vec::new();
        loop {
            let line = self.read_line();
            if line.contains(text) {
                return;
            }
            assert!(!line.is_empty(), "no {text:?} in {before:#?}, {:?}", self.end());
            before.push(line);
        }
    }

    fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Ends its input, and waits until it ends.
    fn end(&mut self) -> End {
        self.end_input();
        let mut output = String::new();
        if let Some(mut rest) = self.output.take() {
            rest.read_to_string(&mut output).unwrap();
        }
        let code = self.child.wait().unwrap().code();
        let errors = self.errors.take().unwrap().join().unwrap();
        End { code, output, errors }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo puts the examples beside the tests.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join(name)
}

/// Kills the process if it takes too long.
fn watch(process: u32) -> Sender<()> {
    let (watched, watch) = mpsc::channel();
    thread::spawn(move || {
        if watch.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            signal(process, "KILL");
        }
    });
    watched
}

fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(status.unwrap().success());
}

fn run(name: &str, arguments: &[&str]) -> End {
    Program::start(name, arguments).end()
}

/// An address on which nobody listens.
fn dead_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn demos_end_by_themselves() {
    let demos = [
        "chat",
        "clock",
        "connect",
        "echo_client",
        "proxy",
        "send_file",
        "tail",
        "udp_echo",
        "worker",
    ];
    // One beside the other, for most of their time they wait.
    let running = demos.map(|name| (name, Program::serve(name, &["--demo"])));
    for (name, (mut program, address)) in running {
        let port = address.strip_prefix("127.0.0.1:").and_then(|port| port.parse::<u16>().ok());
        assert!(port.is_some_and(|port| port != 0), "{name}: {address}");
        let end = program.end();
        assert_eq!(end.code, Some(0), "{name}: {end:?}");
        assert!(end.output.lines().count() >= 2, "{name}: {end:?}");
        assert!(!end.errors.contains("ERROR"), "{name}: {end:?}");
    }
}

#[test]
fn help_is_there() {
    for name in PROGRAMS {
        let end = run(name, &["--help"]);
        assert_eq!((end.code, &*end.errors), (Some(0), ""), "{name}");
        assert!(end.output.contains(&format!("--example {name}")), "{name}: {}", end.output);
        assert!(end.output.contains("Options:"), "{name}: {}", end.output);
    }
}

#[test]
fn unknown_options_are_refused() {
    for name in PROGRAMS {
        let end = run(name, &["--colour"]);
        assert_eq!((end.code, &*end.output), (Some(2), ""), "{name}");
        assert!(end.errors.contains("--colour"), "{name}: {}", end.errors);
    }
}

#[test]
fn what_is_missing_or_malformed_is_said() {
    let cases: [(&str, &[&str], i32, &str); 27] = [
        ("chat", &["--burst", "0"], 2, "zero"),
        ("chat", &["--listen"], 2, "--listen"),
        ("clock", &["--every", "never"], 2, "never"),
        ("connect", &[], 2, "HOST:PORT"),
        ("connect", &["nonsense"], 1, "HOST:PORT"),
        ("echo", &["nonsense"], 1, "HOST:PORT"),
        ("echo", &["--reactors", "0"], 2, "zero"),
        ("fd_passing", &["/tmp/x"], 2, "--serve"),
        ("fd_passing", &["--get", "x", "/nowhere"], 1, "no such socket"),
        ("hot_restart", &["--patience", "long"], 2, "long"),
        ("hot_restart", &["--control", "/nowhere/x.sock"], 1, "directory has to be made"),
        ("multicast", &["--group", "nonsense"], 2, "nonsense"),
        ("multicast", &["--group", "127.0.0.1"], 1, "not a multicast address"),
        ("ping", &[], 2, "HOST"),
        ("ping", &["--size", "70000", "127.0.0.1"], 2, "65507"),
        ("planning", &["--clients", "1000,0"], 2, "nobody"),
        ("planning", &["--nodes", "0"], 2, "zero"),
        ("planning", &["--nodes", "2", "--clients", "60000"], 2, "28000 for each"),
        ("planning", &["--svg", "nowhere/plan.svg"], 1, "nowhere/plan.svg"),
        ("proxy", &[], 2, "--to"),
        ("send_file", &[], 2, "FILE"),
        ("send_file", &["nowhere/nothing"], 1, "nowhere/nothing"),
        ("tail", &["nowhere/nothing"], 1, "nowhere/nothing"),
        ("udp_echo", &["localhost:0"], 1, "not an address in digits"),
        ("unix_echo", &[], 2, "PATH"),
        ("unix_echo", &["--mode", "999", "/tmp/x"], 2, "999"),
        ("unix_echo", &["/nowhere/x.sock"], 1, "directory has to be made"),
    ];
    for (name, arguments, code, message) in cases {
        let end = run(name, arguments);
        assert_eq!(end.code, Some(code), "{name}: {end:?}");
        assert!(end.errors.contains(message), "{name}: {end:?}");
    }
}

#[test]
fn signals_end_servers_in_order() {
    for (name, arguments) in SERVERS {
        for signal in ["TERM", "INT"] {
            let (mut server, address) = Program::serve(name, arguments);
            let mut client = TcpStream::connect(&address).unwrap();
            server.signal(signal);
            // The client sees an orderly end. A server lingers until it has ended its side as well.
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).unwrap_or_else(|error| panic!("{name}: {error}"));
            drop(client);
            let end = server.end();
            assert_eq!(end.code, Some(0), "{name}, {signal}: {end:?}");
        }
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (name, arguments) in SERVERS {
        let arguments = arguments.iter().map(|&word| match word {
            "127.0.0.1:0" => &*address,
            word => word,
        });
        let end = run(name, &arguments.collect::<Vec<_>>());
        assert_eq!((end.code, &*end.output), (Some(1), ""), "{name}: {}", end.errors);
        assert!(end.errors.contains(&format!("cannot listen on {address}")), "{}", end.errors);
    }
}

#[test]
fn clients_say_that_nobody_listens() {
    let address = dead_address();
    for name in ["chat_client", "connect", "echo_client"] {
        let end = run(name, &[&address]);
        assert_eq!(end.code, Some(1), "{name}: {end:?}");
        let message = format!("error: cannot connect to {address}: connection refused");
        assert!(end.errors.contains(&message), "{name}: {end:?}");
    }
}

#[test]
fn two_people_chat() {
    // On several reactors they may, or may not, be with the same one.
    let options = ["--listen", "127.0.0.1:0", "--reactors", "4"];
    let (_server, address) = Program::serve("chat", &options);
    let mut alice = Program::start("chat_client", &[&address]);
    alice.read_until("name");
    alice.type_line("alice");
    alice.read_until("alone");
    let mut bob = Program::start("chat_client", &[&address, "--name", "bob"]);
    alice.read_until("bob joined");
    alice.type_line("good evening, zoë 你好");
    bob.read_until("<alice> good evening, zoë 你好");
    bob.type_line("/me bows");
    alice.read_until("* bob bows");
    // The last line lacks its end, and is said all the same.
    write!(bob.child.stdin.as_mut().unwrap(), "and leaves").unwrap();
    assert_eq!(bob.end().code, Some(0));
    alice.read_until("<bob> and leaves");
    alice.read_until("* bob left");
    alice.signal("INT");
    let end = alice.end();
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn chat_client_takes_files_and_nothing() {
    let (_server, address) = Program::serve("chat", &["--listen", "127.0.0.1:0"]);
    let end = Program::start_with_input("chat_client", &[&address], Stdio::null()).end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains("name"), "{end:?}");

    let mut listener = Program::start("chat_client", &[&address, "--name", "listener"]);
    listener.read_until("alone");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let file = File::open(manifest).unwrap();
    let arguments = [&*address, "--name", "reader"];
    let end = Program::start_with_input("chat_client", &arguments, file.into()).end();
    assert_eq!(end.code, Some(0), "{end:?}");
    let last = std::fs::read_to_string(manifest).unwrap().lines().last().unwrap().to_owned();
    listener.read_until(&format!("<reader> {last}"));
}

#[test]
fn connect_takes_files_pipes_and_nothing() {
    let (_server, address) = Program::serve("echo", &["127.0.0.1:0"]);
    let end = Program::start_with_input("connect", &[&address], Stdio::null()).end();
    assert_eq!((end.code, &*end.output), (Some(0), ""), "{end:?}");

    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock");
    let file = File::open(lock).unwrap();
    let end = Program::start_with_input("connect", &[&address], file.into()).end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(end.output, std::fs::read_to_string(lock).unwrap());

    let mut talk = Program::start("connect", &[&address]);
    talk.type_line("there");
    talk.read_until("there");
    talk.type_line("and back");
    let end = talk.end();
    assert_eq!((end.code, &*end.output), (Some(0), "and back\n"), "{end:?}");
}

#[test]
fn connect_ends_quietly_when_nobody_reads_its_output() {
    let (_server, address) =
        Program::serve("clock", &["--listen", "127.0.0.1:0", "--every", "0.01"]);
    let mut connect = Program::start("connect", &[&address]);
    connect.read_until("since the start");
    connect.output = None;
    assert_eq!(connect.child.wait().unwrap().code(), Some(0));
    assert_eq!(connect.end().errors, "");
}

#[test]
fn connect_says_that_the_connection_broke() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let mut connect = Program::start("connect", &[&address]);
    let (mut peer, _) = server.accept().unwrap();
    connect.type_line("unread");
    assert_eq!(peer.peek(&mut [0]).unwrap(), 1);
    peer.write_all(b"last words\n").unwrap();
    connect.read_until("last words");
    drop(peer); // What was not read makes it a reset.
    let end = connect.end();
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.errors.contains(&format!("{address} ended: reset")), "{end:?}");
}

#[test]
fn echo_client_checks_what_comes_back() {
    let (_server, address) = Program::serve("echo", &["127.0.0.1:0"]);
    let load = ["--connections", "20", "--messages", "50", "--size", "3000"];
    let end = run("echo_client", &[&[&*address], &load[..]].concat());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains("1000 messages of 3000 bytes, every byte as sent"), "{end:?}");

    let (_server, address) = Program::serve("worker", &["--listen", "127.0.0.1:0"]);
    let end = run("echo_client", &[&address]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.errors.contains("came back"), "{end:?}");
}

#[test]
fn proxy_joins_both_ways() {
    let (_echo, echo) = Program::serve("echo", &["127.0.0.1:0"]);
    let (_proxy, proxy) = Program::serve("proxy", &["--listen", "127.0.0.1:0", "--to", &echo]);
    let mut connect = Program::start("connect", &[&proxy]);
    connect.type_line("there");
    connect.read_until("there");
    connect.type_line("and back");
    let end = connect.end();
    assert_eq!((end.code, &*end.output), (Some(0), "and back\n"), "{end:?}");
    let load = ["--connections", "3", "--messages", "5", "--size", "1000000"];
    let end = run("echo_client", &[&[&*proxy], &load[..]].concat());
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn proxy_turns_away_when_nobody_is_behind_it() {
    let dead = dead_address();
    let (mut proxy, address) = Program::serve("proxy", &["--listen", "127.0.0.1:0", "--to", &dead]);
    let end = run("connect", &[&address]);
    assert_eq!((end.code, &*end.output), (Some(0), ""), "{end:?}");
    proxy.signal("TERM");
    let end = proxy.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.errors.contains(&format!("turned away: cannot connect to {dead}")), "{end:?}");
}

#[test]
fn clock_ticks_and_dismisses_the_silent() {
    let arguments = ["--listen", "127.0.0.1:0", "--every", "0.02", "--idle", "0.2"];
    let (_server, address) = Program::serve("clock", &arguments);
    let mut client = Program::start("connect", &[&address]);
    client.read_until("since the start");
    client.read_until("goodbye");
    let end = client.end();
    assert_eq!((end.code, &*end.output), (Some(0), ""), "{end:?}");
}

#[test]
fn worker_answers_what_was_asked_before_the_end() {
    let (_server, address) = Program::serve("worker", &["--listen", "127.0.0.1:0"]);
    let mut client = Program::start("connect", &[&address]);
    client.type_line("1000");
    client.type_line("ping");
    client.type_line("0");
    let end = client.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    for answer in ["prime number 1000 is 7919;", "pong", "type a number"] {
        assert!(end.output.contains(answer), "{answer}: {end:?}");
    }
}

#[test]
fn udp_echo_sends_back_what_it_gets() {
    let (mut server, address) = Program::serve("udp_echo", &["127.0.0.1:0"]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    for data in [&b"hello"[..], b"", &[7; 60_000]] {
        client.send_to(data, &address).unwrap();
        let mut buffer = vec![0; 65_536];
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..length], *data);
    }
    // socat ends half a second after its input has.
    let script = format!("echo hello | socat -t 0.5 - UDP:{address}");
    match Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).output() {
        Ok(output) if output.status.success() => assert_eq!(output.stdout, b"hello\n"),
        _ => println!("skipped: there is no socat(1) here"),
    }
    server.signal("TERM");
    let end = server.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains("datagrams in"), "{end:?}");
}

#[test]
fn members_of_a_multicast_chat_hear_each_other() {
    let end = run("multicast", &["--demo"]);
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");

    let port = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port().to_string();
    let join = |name| {
        let options = ["--interface", "127.0.0.1", "--port", &port, "--name", name];
        let mut member = Program::start("multicast", &options);
        member.read_until(&format!("you are {name}"));
        member.read_until(&format!("<{name}> has joined"));
        member
    };
    let (mut alice, mut bob) = (join("alice"), join("bob"));
    alice.read_until("<bob> has joined");
    alice.type_line("good evening, zoë 你好");
    bob.read_until("<alice> good evening, zoë 你好");
    // Whoever speaks to the group is heard.
    let to = format!("UDP4-DATAGRAM:239.255.77.77:{port},ip-multicast-if=127.0.0.1");
    let script = format!("printf '<socat> me too' | socat -u - {to}");
    match Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => alice.read_until("<socat> me too"),
        _ => println!("skipped: there is no socat(1) here"),
    }
    // The last line lacks its end, and is said all the same.
    write!(bob.child.stdin.as_mut().unwrap(), "and leaves").unwrap();
    assert_eq!(bob.end().code, Some(0));
    alice.read_until("<bob> and leaves");
    alice.read_until("<bob> has left");
    assert_eq!(alice.end().code, Some(0));
}

/// The lines that tell what came of it, with their numbers taken out.
fn statistics(output: &str) -> Vec<String> {
    let lines = output.lines().skip_while(|line| !line.starts_with("---"));
    let number = |c: char| c.is_ascii_digit() || c == '.';
    lines.map(|line| line.split(number).filter(|part| !part.is_empty()).collect()).collect()
}

#[test]
fn ping_counts_as_the_systems_does() {
    for (option, host) in [("-4", "127.0.0.1"), ("-6", "::1")] {
        let arguments = [option, "-c", "3", "-i", "0.2", "-s", "100", host];
        let end = run("ping", &arguments);
        if end.errors.contains("CAP_NET_RAW") {
            return println!("skipped: this system allows no echoes");
        }
        assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
        let said = format!("PING {host} ({host}) 100(");
        assert!(end.output.starts_with(&said), "{end:?}");
        assert!(end.output.contains(&format!("108 bytes from {host}: icmp_seq=3 ")), "{end:?}");
        assert!(
            end.output.contains("3 packets transmitted, 3 received, 0% packet loss"),
            "{end:?}"
        );
        match Command::new("ping").args(arguments).output() {
            Ok(output) if output.status.success() => {
                let theirs = String::from_utf8_lossy(&output.stdout).into_owned();
                assert_eq!(statistics(&end.output), statistics(&theirs), "{theirs}");
            }
            _ => println!("skipped: there is no ping(8) here, or it may not"),
        }
    }
    let end = run("ping", &["--demo"]);
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
    assert!(end.output.contains("3 packets transmitted, 3 received"), "{end:?}");
    // An address for documentation (RFC 5737): nobody has it.
    let end = run("ping", &["-c", "1", "-W", "0.1", "198.51.100.1"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.output.contains("100% packet loss"), "{end:?}");
}

#[test]
fn planning_gives_the_same_table_again_and_a_picture() {
    let folder = folder("planning");
    let plan = |seed: &str| {
        let picture = folder.join("plan.svg");
        let path = picture.to_str().unwrap();
        // Fewer servers than it has by itself, for this may be the debug build.
        let end = run("planning", &["--quick", "--nodes", "20", "--seed", seed, "--svg", path]);
        assert_eq!(end.code, Some(0), "{end:?}");
        let rows = end.output.lines().filter(|line| line.contains('%')).count();
        assert_eq!(rows, 3, "{end:?}");
        // Everything that was said was heard by all.
        assert!(!end.output.contains("not heard"), "{end:?}");
        (end.output, std::fs::read_to_string(picture).unwrap())
    };
    let (table, picture) = plan("1");
    assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"), "{picture}");
    assert_eq!(picture.matches("<polyline").count(), 9, "{picture}");
    assert_eq!(plan("1"), (table.clone(), picture));
    assert_ne!(plan("2").0, table);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn send_file_sends_all_of_it_to_everyone_and_waits_for_the_slow() {
    let path = std::env::temp_dir().join(format!("ropewalk-send-file-{}", std::process::id()));
    // Longer than the buffers of a connection.
    let expected: Vec<u8> = (0..30_000_000_u32).map(|place| (place % 251) as u8).collect();
    std::fs::write(&path, &expected).unwrap();
    let (mut server, address) =
        Program::serve("send_file", &[path.to_str().unwrap(), "127.0.0.1:0"]);
    let mut slow = TcpStream::connect(&address).unwrap();
    let gone = TcpStream::connect(&address).unwrap();
    let script = format!("exec socat -u TCP:{address} -");
    match Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).output() {
        Ok(output) if output.status.success() => assert!(output.stdout == expected),
        _ => println!("skipped: there is no socat(1) here"),
    }
    let mut quick = Vec::new();
    TcpStream::connect(&address).unwrap().read_to_end(&mut quick).unwrap();
    assert!(quick == expected);
    drop(gone);
    let mut late = Vec::new();
    slow.read_to_end(&mut late).unwrap();
    assert!(late == expected);
    server.read_until(&format!("all {} bytes sent", expected.len()));
    server.read_until("not all was sent");
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    std::fs::remove_file(&path).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn tail_passes_on_what_is_added_to_a_file_that_is_rotated_and_cut_off() {
    let folder = std::env::temp_dir().join(format!("ropewalk-tail-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("log");
    std::fs::write(&path, "old news\n").unwrap();
    let add = |text: &str| {
        let mut file = File::options().append(true).create(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let (mut server, address) = Program::serve("tail", &[path.to_str().unwrap(), "127.0.0.1:0"]);
    let mut clients = [(); 2].map(|()| BufReader::new(TcpStream::connect(&address).unwrap()));
    server.read_until("looks on");
    server.read_until("looks on");
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
    // Much at once: it is passed on in pieces.
    let many = (0..50_000).map(|number| format!("{number}\n")).collect::<String>();
    add(&many);
    many.lines().for_each(|line| expect(&format!("{line}\n")));
    let mut socat = Command::new("socat");
    socat.args(["-u", &format!("TCP:{address}"), "-"]).stdout(Stdio::piped());
    if let Ok(mut socat) = socat.spawn() {
        let _watched = watch(socat.id());
        server.read_until("looks on");
        add("four\n");
        let mut line = String::new();
        BufReader::new(socat.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "four\n");
        socat.kill().unwrap();
        socat.wait().unwrap();
    } else {
        println!("skipped: there is no socat(1) here");
    }
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}
/// A folder of its own for a test's sockets.
fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ropewalk-{name}-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    path
}

/// Whether there is a Python that can pass descriptors (3.9); if not, it is said.
fn has_python() -> bool {
    let script = "import socket; socket.recv_fds";
    let mut command = Command::new("python3");
    let status = command.args(["-c", script]).stderr(Stdio::null()).status();
    let there = status.is_ok_and(|status| status.success());
    if !there {
        println!("skipped: there is no python3 here, or it is old");
    }
    there
}

/// What a Python script prints, or nothing where there is no Python.
fn python(script: &str, argument: &str) -> Option<String> {
    if !has_python() {
        return None;
    }
    let mut command = Command::new("python3");
    let output = command.args(["-c", script, argument]).stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn unix_echo_answers_whoever_speaks_to_unix_sockets() {
    let folder = folder("unix_echo");
    let path = folder.join("echo.sock").to_str().unwrap().to_owned();
    let (mut server, address) = Program::serve("unix_echo", &["--mode", "600", &path]);
    assert_eq!(address, path);
    let second = run("unix_echo", &[&path]);
    assert_eq!(second.code, Some(1), "{second:?}");
    let taken = format!("cannot listen on {path}: address already in use");
    assert!(second.errors.contains(&taken), "{second:?}");
    let end = run("unix_echo", &["--say", "hello", &path]);
    assert_eq!((end.code, &*end.output), (Some(0), "hello\n"), "{end:?}");
    let script = format!("echo hello | socat -t 5 - UNIX-CONNECT:{path}");
    match Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).output() {
        Ok(output) if output.status.success() => assert_eq!(output.stdout, b"hello\n"),
        _ => println!("skipped: there is no socat(1) here"),
    }
    server.signal("TERM");
    let end = server.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.output.contains("closed by the peer"), "{end:?}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "the file is gone");

    // One that is killed leaves its file behind, and the next is not in its way.
    let (server, _) = Program::serve("unix_echo", &[&path]);
    drop(server);
    let (_server, _) = Program::serve("unix_echo", &[&path]);
    let end = run("unix_echo", &["--say", "again", &path]);
    assert_eq!((end.code, &*end.output), (Some(0), "again\n"), "{end:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A server that somebody else has written: Python's `socketserver`.
const PYTHONS_ECHO: &str = "
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
with socketserver.UnixStreamServer(sys.argv[1], Echo) as server:
    print('ready', flush=True)
    server.handle_request()
";

#[test]
fn unix_echo_is_a_client_of_pythons_socketserver() {
    let folder = folder("socketserver");
    let path = folder.join("echo.sock").to_str().unwrap().to_owned();
    let mut command = Command::new("python3");
    command.args(["-c", PYTHONS_ECHO, &path]).stdin(Stdio::null()).stdout(Stdio::piped());
    if has_python() {
        let mut server = command.spawn().unwrap();
        let _watched = watch(server.id());
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let end = run("unix_echo", &["--say", "hello", &path]);
        assert_eq!((end.code, &*end.output), (Some(0), "hello\n"), "{end:?}");
        assert!(server.wait().unwrap().success());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Asks for a file, and for one that is not there.
const PYTHON_READS: &str = "
import os, socket, sys
library = socket.socket(socket.AF_UNIX)
library.connect(sys.argv[1])
for name in b'poem\\n', b'novel\\n':
    library.sendall(name)
    answer, files, flags, _ = socket.recv_fds(library, 100, 4)
    print(answer.decode().strip(), len(files), [os.read(file, 100).decode() for file in files])
";

#[test]
fn fd_passing_hands_files_to_other_programs() {
    let folder = folder("fd_passing");
    std::fs::write(folder.join("poem"), "a line, and another").unwrap();
    let path = folder.join("library.sock").to_str().unwrap().to_owned();
    let shelf = folder.to_str().unwrap().to_owned();
    let (mut server, address) = Program::serve("fd_passing", &["--serve", &shelf, &path]);
    assert_eq!(address, path);
    let end = run("fd_passing", &["--get", "poem", &path]);
    assert_eq!((end.code, &*end.output), (Some(0), "a line, and another"), "{end:?}");
    for (name, message) in [("novel", "No such file"), ("../x", "a file's name"), (".", "name")] {
        let end = run("fd_passing", &["--get", name, &path]);
        assert_eq!(end.code, Some(1), "{end:?}");
        assert!(end.errors.contains(message), "{end:?}");
    }
    if let Some(said) = python(PYTHON_READS, &path) {
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "+poem 1 ['a line, and another']");
        assert!(lines[1].starts_with("-No such file") && lines[1].ends_with("0 []"), "{said}");
    }
    // Who takes no descriptors gets the line alone.
    let script = format!("echo poem | socat -t 0.5 - UNIX-CONNECT:{path}");
    match Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).output() {
        Ok(output) if output.status.success() => assert_eq!(output.stdout, b"+poem\n"),
        _ => println!("skipped: there is no socat(1) here"),
    }
    server.signal("INT");
    assert_eq!(server.end().code, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn demos_of_unix_sockets_end_by_themselves() {
    for (name, shown) in [
        ("unix_echo", ["address already in use", "This went there and back."]),
        ("fd_passing", ["Who reads this had it opened by another.", "No such file"]),
    ] {
        let end = run(name, &["--demo"]);
        assert_eq!((end.code, &*end.errors), (Some(0), ""), "{name}: {end:?}");
        for shown in shown {
            assert!(end.output.contains(shown), "{name}: {end:?}");
        }
    }
}

#[test]
fn a_simulation_goes_the_same_way_in_every_process_and_another_way_from_another_seed() {
    let play = |seed| {
        let end = run("simulation", &["--seed", seed, "--seconds", "10", "--trace"]);
        assert_eq!(end.code, Some(0), "{end:?}");
        end.output
    };
    let trace = |output: &str| {
        let last = output.lines().last().unwrap().to_owned();
        let hash = last.strip_prefix("trace ").unwrap_or_else(|| panic!("{last}")).to_owned();
        assert!(hash.len() == 32 && hash.chars().all(|digit| digit.is_ascii_hexdigit()), "{hash}");
        hash
    };
    let (first, again, other) = (play("5"), play("5"), play("6"));
    assert!(first.contains("data_received of LineReceiver<Chatter>"), "{first}");
    assert!(first == again, "every line is the same, the last one too");
    assert_eq!(trace(&first), trace(&again));
    assert_ne!(trace(&first), trace(&other));
}

#[test]
fn a_simulation_shows_only_what_it_is_asked_for() {
    let options = ["--seconds", "2", "--faults", "none", "--trace", "--only", "node2"];
    let end = run("simulation", &options);
    let traced: Vec<_> = end.output.lines().filter(|line| line.contains("data_received")).collect();
    assert!(!traced.is_empty() && traced.iter().all(|line| line.contains("node2")), "{traced:#?}");
    let end = run("simulation", &["--faults", "gremlins"]);
    assert!(end.code == Some(2) && end.errors.contains("half-open"), "{end:?}");
}

#[test]
fn a_hot_restart_under_load_refuses_nobody_and_loses_no_answer() {
    let end = run("hot_restart", &["--demo"]);
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
    assert!(end.output.contains(" answers, 0 lost, 0 clients refused\n"), "{end:?}");
    let served = |line: &&str| line.contains(" answers by process ") && !line.contains(" 0 ");
    assert_eq!(end.output.lines().filter(served).count(), 3, "{end:?}");
}

/// Takes the listeners over, and answers one client on each: a new process that somebody else has
/// written. One that is not to be ready goes away instead.
const PYTHON_INHERITS: &str = "
import os, socket, sys
old = socket.socket(socket.AF_UNIX)
old.connect(sys.argv[1])
old.sendall(b'take\\n')
said, descriptors, flags, _ = socket.recv_fds(old, 100, 253)
assert said == b'listeners\\n' and len(descriptors) == 2, (said, descriptors)
control, listener = [socket.socket(fileno=it) for it in descriptors]
assert control.getsockname() == sys.argv[1]
print('taken', flush=True)
if sys.stdin.readline() == 'ready\\n':
    old.sendall(b'ready\\n')
    assert old.recv(1) == b'', 'the old process has ended'
    listener.setblocking(True)
    client, _ = listener.accept()
    client.sendall(b'python: ' + client.recv(100))
";

/// A Python that has taken the listeners and waits for the word to go on.
fn python_inherits(control: &str) -> (Child, Sender<()>) {
    let mut command = Command::new("python3");
    command.args(["-c", PYTHON_INHERITS, control]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    let watched = watch(python.id());
    let mut line = String::new();
    BufReader::new(python.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "taken\n");
    (python, watched)
}

/// What a client is answered.
fn ask(client: &mut TcpStream, question: &str) -> String {
    client.set_read_timeout(Some(LIMIT)).unwrap();
    writeln!(client, "{question}").unwrap();
    let mut answer = String::new();
    BufReader::new(client).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn hot_restart_goes_on_if_the_new_process_fails() {
    let folder = folder("new_fails");
    let path = folder.join("control").to_str().unwrap().to_owned();
    let (mut server, address) = Program::serve("hot_restart", &["--control", &path, "127.0.0.1:0"]);
    let pid = server.child.id();
    let script = format!("echo hello | socat -t 5 - TCP:{address}");
    match Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).output() {
        Ok(output) if output.status.success() => {
            assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{pid}: hello\n"));
        }
        _ => println!("skipped: there is no socat(1) here"),
    }
    if has_python() {
        let (mut python, _watched) = python_inherits(&path);
        // Both have the listeners now, and nobody else gets them.
        let third = run("hot_restart", &["--control", &path]);
        assert_eq!(third.code, Some(1), "{third:?}");
        assert!(third.errors.contains("another process is just taking over"), "{third:?}");
        let mut client = TcpStream::connect(&address).unwrap();
        assert_eq!(ask(&mut client, "still there?"), format!("{pid}: still there?\n"));
        drop(python.stdin.take());
        assert!(python.wait().unwrap().success());
        server.read_until("this one goes on");
        let mut client = TcpStream::connect(&address).unwrap();
        assert_eq!(ask(&mut client, "and now?"), format!("{pid}: and now?\n"));
    }
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "the file is gone");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn hot_restart_hands_over_to_another_program_and_ends_when_all_have_left() {
    if !has_python() {
        return;
    }
    let folder = folder("another_program");
    let path = folder.join("control").to_str().unwrap().to_owned();
    let (mut old, address) = Program::serve("hot_restart", &["--control", &path, "127.0.0.1:0"]);
    let pid = old.child.id();
    let mut early = TcpStream::connect(&address).unwrap();
    assert_eq!(ask(&mut early, "there?"), format!("{pid}: there?\n"));
    let (mut python, _watched) = python_inherits(&path);
    writeln!(python.stdin.take().unwrap(), "ready").unwrap();
    old.read_until("handed over; clients that are still here: 1");
    let mut late = TcpStream::connect(&address).unwrap();
    assert_eq!(ask(&mut early, "and now?"), format!("{pid}: and now?\n"));
    drop(early);
    assert_eq!(ask(&mut late, "who?"), "python: who?\n");
    assert!(python.wait().unwrap().success());
    let end = old.end();
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "the file is the other's");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn hot_restart_waits_for_those_who_do_not_leave_as_long_as_it_is_told() {
    let folder = folder("patience");
    let path = folder.join("control").to_str().unwrap().to_owned();
    let arguments = ["--control", &path, "--patience", "1", "127.0.0.1:0"];
    let (mut old, address) = Program::serve("hot_restart", &arguments);
    let mut client = TcpStream::connect(&address).unwrap();
    assert_eq!(ask(&mut client, "one"), format!("{}: one\n", old.child.id()));
    let (mut new, same) = Program::serve("hot_restart", &arguments);
    assert_eq!(same, address);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    let end = old.end();
    assert_eq!((end.code, &*end.errors), (Some(0), ""), "{end:?}");
    assert!(end.output.contains("some do not leave"), "{end:?}");
    new.read_until("the old process is gone");
    new.signal("TERM");
    assert_eq!(new.end().code, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}
