//! Datagram handlers, over UDP and Unix sockets.

use ropewalk_socketserver::{DatagramRequest, DatagramRequestHandler, SocketServer};
use std::io::{self, Write};
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// Answers in capitals; fails, panics or stays silent as the data says.
struct Capitals;

impl DatagramRequestHandler for Capitals {
    fn handle(&mut self, request: &mut DatagramRequest) -> io::Result<()> {
        let text = String::from_utf8_lossy(request.data()).into_owned();
        match text.as_str() {
            "fail" => Err(io::Error::other("on purpose")),
            "panic" => panic!("on purpose"),
            "silence" => Ok(()),
            "empty" => request.write(b"").map(drop),
            text => {
                request.write_all(text.to_uppercase().as_bytes())?;
                write!(request, "!")
            }
        }
    }
}

fn serve(
    begin: impl FnOnce(&mut SocketServer) -> String + Send + 'static,
    check: impl FnOnce(&str),
) {
    let (sender, started) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        let mut server = SocketServer::new().unwrap();
        let address = begin(&mut server);
        sender.send((address, server.shutdown_handle())).unwrap();
        server.serve_forever().unwrap();
    });
    let (address, shutdown) = started.recv().unwrap();
    check(&address);
    shutdown.shutdown();
    thread.join().unwrap();
}

fn udp(server: &mut SocketServer) -> String {
    server.bind_udp("127.0.0.1:0", || Capitals).unwrap().address().to_string()
}

#[test]
fn each_datagram_is_answered_as_one() {
    serve(udp, |address| {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.connect(address).unwrap();
        for text in ["fail", "panic", "silence", "hello"] {
            client.send(text.as_bytes()).unwrap();
        }
        let mut answer = [0; 100];
        let length = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..length], b"HELLO!", "the others are not answered");
        client.send(b"empty").unwrap();
        assert_eq!(client.recv(&mut answer).unwrap(), 0);
    });
}

#[test]
fn many_datagrams_are_answered_each_to_its_sender() {
    serve(udp, |address| {
        let clients: Vec<_> = (0..50).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        for (number, client) in clients.iter().enumerate() {
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.send_to(format!("client {number}").as_bytes(), address).unwrap();
        }
        for (number, client) in clients.iter().enumerate() {
            let mut answer = [0; 100];
            let (length, _) = client.recv_from(&mut answer).unwrap();
            assert_eq!(String::from_utf8_lossy(&answer[..length]), format!("CLIENT {number}!"));
        }
    });
}

#[test]
#[cfg(unix)]
fn unix_datagrams_are_answered() {
    use std::os::unix::net::UnixDatagram;
    let folder = std::env::temp_dir().join(format!("ropewalk-socketserver-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("server");
    let server = path.clone();
    let begin = move |serving: &mut SocketServer| {
        serving.bind_unix_datagram(server.as_path(), || Capitals).unwrap();
        String::new()
    };
    serve(begin, |_| {
        let client = UnixDatagram::bind(folder.join("client")).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.send_to(b"hello", &path).unwrap();
        let mut answer = [0; 100];
        let length = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..length], b"HELLO!");
    });
    std::fs::remove_dir_all(folder).unwrap();
}
