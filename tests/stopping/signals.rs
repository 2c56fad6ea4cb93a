//! Signals that stop a run, each in a child process.

use crate::support::*;
use ropewalk::{Reactor, Transport};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::raise;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

/// A child process with a server, and its output.
struct Server {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start(name: &str) -> Self {
        Self::start_in(name, &[])
    }

    fn start_in(name: &str, wrapper: &[&str]) -> Self {
        let mut child = child(name, wrapper).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, output, address: ([0, 0, 0, 0], 0).into() };
        server.address = server.wait_for("ADDRESS ").parse().unwrap();
        server
    }

    /// Returns the rest of the first line that contains `mark`, after it.
    fn wait_for(&mut self, mark: &str) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some((_, rest)) = line.split_once(mark) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("the child did not print {mark}");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    fn end(&mut self) -> ExitStatus {
        end_of(&mut self.child, 2 * PATIENCE)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until a signal arrives: answers `much` with 20 MB, and echoes other data.
fn serve() {
    let log = Log::default();
    let hook = |transport: &mut Transport<'_>, event: &Event| match event {
        Event::Data(data) if data == b"much" => transport.write(&pattern(20_000_000)),
        _ => echo(transport, event),
    };
    let (mut reactor, address) = up(recorders(&log, hook));
    reactor.set_grace(6 * PATIENCE);
    reactor.stop_on_signals().unwrap();
    // A signal with a handler that has no effect.
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::new(AtomicBool::new(false)))
        .unwrap();
    println!("\nADDRESS {address}");
    reactor.run().unwrap();
    log.check(true);
    println!("\nSTOPPED by {:?}", reactor.stop_signal());
    println!("\nENDED {:?}", log.reasons());
}

#[test]
fn sigint_and_sigterm_stop_without_losing_data() {
    if is_child() {
        return serve();
    }
    for signal in ["INT", "TERM"] {
        let name = this_test!();
        let mut server = Server::start(name);
        let idle = client(server.address);
        let mut busy = client(server.address);
        busy.write_all(b"much").unwrap();
        let mut first = [0; 1000];
        busy.read_exact(&mut first).unwrap();
        server.signal(signal);
        assert_eq!(read_all(&idle), b"", "the idle connection ends with a FIN");
        drop(idle);
        let rest = read_all(&busy);
        assert!([&first[..], &rest].concat() == pattern(20_000_000), "{} bytes", rest.len());
        drop(busy);
        let number = if signal == "INT" { SIGINT } else { SIGTERM };
        assert_eq!(server.wait_for("STOPPED by "), format!("Some({number})"));
        assert_eq!(server.wait_for("ENDED "), "[\"Stopped\", \"Stopped\"]");
        assert!(server.end().success());
    }
}

#[test]
fn second_signal_ends_the_run_immediately() {
    if is_child() {
        return serve();
    }
    let mut server = Server::start(this_test!());
    let mut stuck = client(server.address);
    stuck.write_all(b"much").unwrap();
    stuck.read_exact(&mut [0; 1000]).unwrap();
    server.signal("INT");
    // The first signal has been handled when the listener is closed. Before that, two signals would
    // count as one.
    let begin = Instant::now();
    while TcpStream::connect(server.address).is_ok() {
        assert!(begin.elapsed() < PATIENCE, "the first signal was not handled");
    }
    assert!(server.child.try_wait().unwrap().is_none(), "the run did not wait for the slow reader");
    let begin = Instant::now();
    server.signal("INT");
    assert!(server.wait_for("ENDED ").contains("Stopped"));
    // Without a second signal the run would end after a minute.
    assert!(begin.elapsed() < 2 * PATIENCE, "the run did not end");
    assert!(server.end().success());
    let error = stuck.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// A callback blocks the reactor. The first signal waits for it, the second one ends the process.
#[test]
fn second_signal_ends_a_blocked_process() {
    if is_child() {
        let mut reactor = Reactor::new().unwrap();
        reactor.stop_on_signals().unwrap();
        Reactor::before_forced_end(|| println!("\nCLEANED up"));
        reactor.context().call_when_running(|_| {
            println!("\nADDRESS 127.0.0.1:1");
            loop {
                thread::park();
            }
        });
        return reactor.run().unwrap();
    }
    let mut server = Server::start(this_test!());
    server.signal("INT");
    // Two signals in quick succession count as one (signal(7)).
    thread::sleep(Duration::from_millis(100));
    assert!(server.child.try_wait().unwrap().is_none(), "one signal waits for the callback");
    server.signal("INT");
    assert_eq!(server.wait_for("CLEANED "), "up");
    assert_eq!(server.end().signal(), Some(SIGINT));
}

#[test]
fn other_signals_interrupt_nothing() {
    if is_child() {
        return serve();
    }
    let mut server = Server::start(this_test!());
    let pid = server.child.id();
    let script = format!("for i in $(seq 5000); do kill -USR1 {pid}; done");
    let mut storm = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let mut client = client(server.address);
    let mut rounds = 0;
    while storm.try_wait().unwrap().is_none() || rounds < 10 {
        client.write_all(b"ping").unwrap();
        let mut answer = [0; 4];
        client.read_exact(&mut answer).unwrap();
        rounds += 1;
    }
    drop(client);
    server.signal("INT");
    server.wait_for("ENDED ");
    assert!(server.end().success());
}

#[test]
fn signal_after_reactor_drop_ends_the_process() {
    if is_child() {
        let mut reactor = Reactor::new().unwrap();
        reactor.stop_on_signals().unwrap();
        drop(reactor);
        println!("\nADDRESS 127.0.0.1:1");
        // If the signal is lost, the process exits with success, which fails the test.
        thread::sleep(Duration::from_secs(5));
        return;
    }
    let mut server = Server::start(this_test!());
    server.signal("TERM");
    assert!(!server.end().success(), "the signal was lost");
}

/// The signal is handled on one thread, while the notified reactor ends on another.
#[test]
fn stopping_signal_does_not_end_the_process() {
    let name = this_test!();
    if is_child() {
        let mut reactor = Reactor::new().unwrap();
        reactor.stop_on_signals().unwrap();
        let pid = std::process::id().to_string();
        let mut kill = Command::new("kill").args(["-s", "INT", &pid]).spawn().unwrap();
        reactor.run().unwrap();
        drop(reactor);
        kill.wait().unwrap();
        return;
    }
    if strace_works() {
        // Delays the thread that catches the signal by a second, after it has notified the reactor.
        // The reactor must end within that time, also on a busy machine.
        let delay = ["-e", "trace=sendto", "-e", "inject=sendto:delay_exit=1000000"];
        let wrapper = [&["strace", "-f", "-qq", "-o", "/dev/null"], &delay[..]].concat();
        // Three children: the kernel may also choose the reactor's own thread to catch the signal.
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| in_child(name, &wrapper));
            }
        });
    }
}

/// Another member of a group may have started the stop because of the same signal.
#[test]
fn one_signal_during_stop_is_the_first() {
    let name = this_test!();
    if is_child() {
        let log = Log::default();
        let hook = |transport: &mut Transport<'_>, event: &Event| {
            if let Event::Data(_) = event {
                transport.write(&pattern(20_000_000));
                transport.context().stop();
                raise(SIGTERM).unwrap();
            }
        };
        let (mut reactor, address) = up(recorders(&log, hook));
        reactor.set_grace(6 * PATIENCE);
        reactor.stop_on_signals().unwrap();
        println!("\nADDRESS {address}");
        return reactor.run().unwrap();
    }
    let mut server = Server::start(name);
    let mut client = client(server.address);
    client.write_all(b"much").unwrap();
    assert!(read_all(&client) == pattern(20_000_000));
    assert!(server.end().success());
}

#[test]
fn signal_after_run_has_its_default_action() {
    let name = this_test!();
    if is_child() {
        let mut reactor = Reactor::new().unwrap();
        reactor.stop_on_signals().unwrap();
        reactor.context().stop();
        reactor.run().unwrap();
        println!("\nADDRESS 127.0.0.1:1");
        // If the signal is lost, the process exits with success, which fails the test.
        thread::sleep(Duration::from_secs(5));
        return;
    }
    let mut server = Server::start(name);
    server.signal("TERM");
    assert!(!server.end().success(), "the signal was lost");
}

/// Servers print their address before they run.
#[test]
fn signal_before_first_run_stops_it_gracefully() {
    let name = this_test!();
    if !is_child() {
        return drop(in_child(name, &[]));
    }
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    reactor.stop_on_signals().unwrap();
    let client = client(address);
    raise(SIGTERM).unwrap();
    reactor.run().unwrap();
    drop(client);
}

/// As for children of a shell without job control, and of nohup(1).
#[test]
#[cfg(target_os = "linux")]
fn ignored_signal_stays_ignored() {
    let name = this_test!();
    if is_child() {
        return serve();
    }
    let mut server = Server::start_in(name, &["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]);
    let mut client = client(server.address);
    let mut answer = [0; 4];
    client.write_all(b"ping").unwrap();
    client.read_exact(&mut answer).unwrap();
    server.signal("INT");
    client.write_all(b"ping").unwrap();
    client.read_exact(&mut answer).unwrap();
    server.signal("TERM");
    server.wait_for("ENDED ");
    assert!(server.end().success());
}

/// fork(2) without exec(3): the child's copy of the reactor shares the parent's sockets.
#[test]
#[cfg(target_os = "linux")]
fn forked_child_leaves_parents_sockets_open() {
    let name = this_test!();
    if !is_child() {
        return drop(in_child(name, &[]));
    }
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let path = std::env::temp_dir().join(format!("ropewalk-fork-{}", std::process::id()));
    reactor.listen_unix(path.as_path(), recorders(&log, echo)).unwrap();
    let mut client = client(address);
    turn_until(&mut reactor, "made", |_| log.made() == 1);
    match fork::fork().unwrap() {
        fork::Fork::Child => {
            drop(reactor);
            std::process::exit(0);
        }
        fork::Fork::Parent(child) => _ = fork::waitpid(child).unwrap(),
    }
    assert!(path.exists(), "the child removed the parent's socket file");
    client.write_all(b"ping").unwrap();
    assert_eq!(read_turning(&mut reactor, &client, 4), b"ping", "the child ended a connection");
    assert_eq!(log.lost(), 0);
    drop(reactor);
    assert!(!path.exists());
}
