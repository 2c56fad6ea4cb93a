//! Descriptors: connections leave none behind, and running out of them is survived.

use crate::support::*;
use ropewalk::{Protocol, Reactor, Reason, Transport};
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn ten_thousand_connections_leave_no_descriptor() {
    if !is_child() {
        in_child(this_test!(), &MANY_FILES);
        return;
    }
    const ROUNDS: usize = 40;
    const AT_ONCE: usize = 250;
    struct Member {
        lost: Rc<Cell<usize>>,
    }
    impl Protocol for Member {
        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            match data[0] % 3 {
                0 => transport.close(),
                1 => transport.abort(),
                _ => transport.write(data),
            }
        }
        fn connection_lost(&mut self, _transport: &mut Transport<'_>, _reason: Reason) {
            self.lost.set(self.lost.get() + 1);
        }
    }
    let lost = Rc::new(Cell::new(0));
    let count = Rc::clone(&lost);
    let (mut reactor, address) = up(move || Member { lost: Rc::clone(&count) });
    let before = descriptors();
    for round in 1..=ROUNDS {
        let mut clients: Vec<TcpStream> = (0..AT_ONCE).map(|_| client(address)).collect();
        for (n, client) in clients.iter_mut().enumerate() {
            client.write_all(&[n as u8]).unwrap();
        }
        reactor.turn(Some(PATIENCE)).unwrap();
        for (n, client) in clients.into_iter().enumerate() {
            if n % 2 == 0 { drop(client) } else { reset(client) }
        }
        turn_until(&mut reactor, "all lost", |_| lost.get() == round * AT_ONCE);
    }
    // Lingering sockets are closed when their peers end.
    turn_until(&mut reactor, "all closed", |_| descriptors() == before);
    assert_eq!(lost.get(), 10_000);
    assert_eq!(reactor.context().connections().count(), 0);
}

/// A child that serves with few descriptors. It answers `t` with its turns and logged warnings, `c` with the
/// outcome of an attempt to connect, anything else with an echo.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(name: &str, wrapper: &[&str]) -> Self {
        let mut child = child(name, wrapper).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let address = output.lines().map_while(Result::ok).find_map(|line| {
            line.split_once("ADDRESS ").map(|(_, address)| address.parse().unwrap())
        });
        Self { child, address: address.expect("the server prints its address") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A logger that counts warnings.
struct Warnings;

static WARNINGS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

impl log::Log for Warnings {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            WARNINGS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    fn flush(&self) {}
}

fn serve() {
    struct Answers {
        turns: Rc<Cell<usize>>,
    }
    impl Protocol for Answers {
        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            match data {
                b"t" => {
                    let warnings = WARNINGS.load(std::sync::atomic::Ordering::Relaxed);
                    writeln!(transport, "{} {warnings}", self.turns.get());
                }
                b"c" => {
                    let (log, failures) = (Log::default(), Failures::default());
                    let id = transport.id();
                    let caller = Caller::new(&log, &failures, only_record);
                    let context = transport.context();
                    context.connect_tcp("127.0.0.1:1", caller).unwrap();
                    context.call_later(Duration::from_millis(1), move |context| {
                        let text = failures.borrow().first().map(|(_, error)| error.to_string());
                        context.transport(id).write(format!("{text:?}\n").as_bytes());
                    });
                }
                _ => transport.write(data),
            }
        }
    }
    log::set_logger(&Warnings).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let turns = Rc::new(Cell::new(0));
    let count = Rc::clone(&turns);
    let (mut reactor, address): (Reactor, _) = up(move || Answers { turns: Rc::clone(&count) });
    println!("\nADDRESS {address}");
    loop {
        reactor.turn(None).unwrap();
        turns.set(turns.get() + 1);
    }
}

fn ask(mut client: &TcpStream, question: &[u8]) -> String {
    client.write_all(question).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while byte != *b"\n" {
        client.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap().trim().to_owned()
}

fn turns_and_warnings(client: &TcpStream) -> (usize, usize) {
    let answer = ask(client, b"t");
    let (turns, warnings) = answer.split_once(' ').unwrap();
    (turns.parse().unwrap(), warnings.parse().unwrap())
}

/// Returns true if `client` is answered in time. Otherwise it may still be in the backlog.
fn is_served(mut client: &TcpStream, patience: Duration) -> bool {
    client.set_read_timeout(Some(patience)).unwrap();
    client.write_all(b"x\n").unwrap();
    let served = client.read(&mut [0; 2]).is_ok_and(|count| count > 0);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    served
}

#[test]
fn descriptor_exhaustion_neither_spins_nor_ends_listener() {
    if is_child() {
        return serve();
    }
    let few_files = ["sh", "-c", "ulimit -n 40; exec \"$0\" \"$@\""];
    let server = Server::start(this_test!(), &few_files);
    let first = client(server.address);
    assert!(is_served(&first, PATIENCE));
    let mut crowd: Vec<TcpStream> = (0..100).map(|_| client(server.address)).collect();
    assert!(is_served(&crowd[0], PATIENCE));
    assert!(
        !is_served(crowd.last().unwrap(), Duration::from_millis(100)),
        "no descriptor is left for it"
    );

    // Existing connections are served, and the processor idles.
    let (turns_before, _) = turns_and_warnings(&first);
    std::thread::sleep(Duration::from_millis(500)); // The turns in this time are measured.
    let (turns_after, warnings) = turns_and_warnings(&first);
    let taken = turns_after - turns_before;
    assert!(taken < 100, "{taken} turns in half a second: it spins");
    assert!((1..10).contains(&warnings), "{warnings} warnings");
    let refused = ask(&first, b"c");
    assert!(refused.contains("too many files are open") || refused == "None", "{refused}");

    // Descriptors become free: clients in the backlog are accepted, although no new client causes an event.
    let late = crowd.split_off(60);
    drop(crowd);
    for waiting in late.iter().take(20) {
        assert!(is_served(waiting, PATIENCE), "it is accepted");
    }
    assert!(is_served(&first, PATIENCE));
    drop(late);
    assert!(is_served(&client(server.address), PATIENCE), "the listener still accepts");
}
