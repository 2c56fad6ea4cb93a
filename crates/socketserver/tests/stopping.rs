//! Stops: which handlers they wait for, and which they name in the log.

use log::{LevelFilter, Log, Metadata, Record};
use ropewalk::{Context, Protocol, Reactor, RunPhase, ThreadOptions, Transport};
use ropewalk_socketserver::{
    Connection, DatagramRequest, DatagramRequestHandler, DatagramServer, SocketServer,
    StreamRequestHandler, StreamServer,
};
use std::io::{self, ErrorKind, Read};
use std::net::{TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, Once};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// The warnings of this program.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Capture;

impl Log for Capture {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        WARNINGS.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Capture).unwrap();
        log::set_max_level(LevelFilter::Warn);
    });
}

/// Returns true if `address` was named as that of a handler that has not ended.
fn is_named(address: &str) -> bool {
    let warnings = WARNINGS.lock().unwrap();
    warnings
        .iter()
        .any(|line| line.contains("handlers are still running") && line.contains(address))
}

/// A handler that reports its begin and its end, and hangs between.
struct Hanging {
    begun: Sender<()>,
    gate: Receiver<()>,
    /// How long it hangs at most.
    limit: Duration,
    ended: Sender<()>,
}

impl Hanging {
    fn hang(&mut self) {
        let _ = self.begun.send(());
        let _ = self.gate.recv_timeout(self.limit);
        let _ = self.ended.send(());
    }
}

impl StreamRequestHandler for Hanging {
    /// The connection has ended before it hangs.
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let end = connection.read(&mut [0]);
        assert_eq!(end.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
        self.hang();
        Ok(())
    }
}

impl DatagramRequestHandler for Hanging {
    fn handle(&mut self, _request: &mut DatagramRequest) -> io::Result<()> {
        self.hang();
        Ok(())
    }
}

/// The test's side of a handler.
struct Gate {
    begun: Receiver<()>,
    gate: Sender<()>,
    ended: Receiver<()>,
}

/// Returns what makes one handler that hangs for `limit`.
fn hanging(limit: Duration) -> (impl Fn() -> Hanging, Gate) {
    let ((begin, begun), (gate, wait), (end, ended)) = (channel(), channel(), channel());
    let handler = Mutex::new(Some(Hanging { begun: begin, gate: wait, limit, ended: end }));
    (move || handler.lock().unwrap().take().unwrap(), Gate { begun, gate, ended })
}

/// Connects and resets the connection. Returns the address of the client.
fn reset(address: &str) -> String {
    let client = TcpStream::connect(address).unwrap();
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    client.local_addr().unwrap().to_string()
}

/// Runs the reactor until the handler of a connection that was reset has begun, then stops it. Returns the address of the
/// client.
fn serve_a_reset(
    reactor: &mut Reactor,
    make: impl Fn() -> Hanging + 'static,
    gate: Gate,
) -> (String, Gate) {
    let port = reactor.listen_tcp("127.0.0.1:0", StreamServer::new(make)).unwrap();
    let handle = reactor.handle();
    let client = thread::spawn(move || {
        let client = reset(&port.address().to_string());
        gate.begun.recv_timeout(PATIENCE).unwrap();
        handle.stop().unwrap();
        (client, gate)
    });
    reactor.run().unwrap();
    client.join().unwrap()
}

#[test]
fn stop_waits_for_handlers_without_connections() {
    capture();
    let (make, gate) = hanging(Duration::from_millis(200));
    let mut reactor = Reactor::new().unwrap();
    let (client, gate) = serve_a_reset(&mut reactor, make, gate);
    assert!(gate.ended.try_recv().is_ok(), "the handler has ended");
    assert!(!is_named(&client));
}

#[test]
fn handlers_that_have_not_ended_are_named() {
    capture();
    let (make, gate) = hanging(PATIENCE);
    let mut reactor = Reactor::new().unwrap();
    reactor.set_grace(Duration::from_millis(20));
    let (client, _gate) = serve_a_reset(&mut reactor, make, gate);
    assert!(is_named(&client));
}

#[test]
fn handlers_of_datagrams_are_named() {
    capture();
    let (make, gate) = hanging(PATIENCE);
    let mut reactor = Reactor::new().unwrap();
    reactor.set_grace(Duration::from_millis(20));
    let server = DatagramServer::new(make);
    let port = reactor.context().listen_udp("127.0.0.1:0", server).unwrap();
    let handle = reactor.handle();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"hello", port.address().to_string()).unwrap();
    let begun = thread::spawn(move || {
        gate.begun.recv_timeout(PATIENCE).unwrap();
        handle.stop().unwrap();
        gate
    });
    reactor.run().unwrap();
    let _gate = begun.join().unwrap();
    assert!(is_named(&client.local_addr().unwrap().to_string()));
}

/// They notice the abort of their connections only then.
#[test]
fn server_waits_for_handlers_a_moment_after_the_grace() {
    capture();
    let (make, gate) = hanging(PATIENCE);
    let mut server = SocketServer::new().unwrap();
    server.reactor().set_grace(Duration::ZERO);
    let port = server.listen_tcp("127.0.0.1:0", make).unwrap();
    let (handle, shutdown) = (server.reactor().handle(), server.shutdown_handle());
    let client = thread::spawn(move || {
        let client = reset(&port.address().to_string());
        let Gate { begun, gate, ended } = gate;
        begun.recv_timeout(PATIENCE).unwrap();
        // The handler ends after the last thing that a run does.
        let open = move |context: &mut Context| {
            RunPhase::AfterShutdown.call(context, |_| drop(gate));
        };
        handle.call(open).unwrap();
        shutdown.shutdown();
        (client, ended)
    });
    server.serve_forever().unwrap();
    let (client, ended) = client.join().unwrap();
    assert!(ended.try_recv().is_ok(), "the handler has ended");
    assert!(is_named(&client), "not within the grace period");
}

/// Answers by a job of the pool, during the shutdown.
struct Answers;

impl Protocol for Answers {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(b"made");
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn draining(&mut self, transport: &mut Transport<'_>) -> bool {
        let answer = |transport: &mut Transport<'_>, answer: Result<_, _>| {
            transport.write(answer.unwrap_or(&b"a panic"[..]));
            transport.close();
        };
        transport.call_in_thread(|| &b", and answered"[..], answer).unwrap();
        true
    }
}

#[test]
fn handlers_that_hang_take_no_thread_of_the_pool() {
    let (make, gate) = hanging(PATIENCE);
    let mut reactor = Reactor::new().unwrap();
    reactor.set_threads(ThreadOptions::new().max(1));
    reactor.set_grace(Duration::from_millis(500));
    let hanging = reactor.listen_tcp("127.0.0.1:0", StreamServer::new(make)).unwrap();
    let answers = reactor.listen_tcp("127.0.0.1:0", || Answers).unwrap();
    let handle = reactor.handle();
    let client = thread::spawn(move || {
        reset(&hanging.address().to_string());
        gate.begun.recv_timeout(PATIENCE).unwrap();
        let mut client = TcpStream::connect(answers.address().to_string()).unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        handle.stop().unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        (text, gate)
    });
    reactor.run().unwrap();
    assert_eq!(client.join().unwrap().0, ", and answered");
}
