//! The same clients with Python's socketserver and with ours.

use ropewalk_socketserver::{Connection, SocketServer, StreamRequestHandler};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

const PYTHON: &str = r#"
import socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            if line == b"quit\n": return
            if line == b"fail\n": raise ValueError("on purpose")
            self.wfile.write(line.upper())
        self.wfile.write(b"the end\n")
    def finish(self):
        self.wfile.write(b"finished\n")
        super().finish()
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    def handle_error(self, request, client_address): pass
with Server(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
"#;

struct Handler;

impl StreamRequestHandler for Handler {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut line = Vec::new();
        while connection.read_until(b'\n', &mut line)? > 0 {
            match line.as_slice() {
                b"quit\n" => return Ok(()),
                b"fail\n" => return Err(io::Error::other("on purpose")),
                line => connection.write_all(&line.to_ascii_uppercase())?,
            }
            line.clear();
        }
        connection.write_all(b"the end\n")
    }

    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        connection.write_all(b"finished\n")
    }
}

/// Returns what a client receives that sends these pieces, and then ends its side.
fn talk(port: u16, pieces: &[&[u8]]) -> String {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.set_nodelay(true).unwrap();
    let reading = client.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        let _ = (&reading).read_to_end(&mut all);
        String::from_utf8(all).unwrap()
    });
    for piece in pieces {
        client.write_all(piece).unwrap();
    }
    let _ = client.shutdown(Shutdown::Write);
    reader.join().unwrap()
}

#[test]
fn clients_see_the_same_as_with_python() {
    let mut command = Command::new("python3");
    command.arg("-c").arg(PYTHON).stdout(Stdio::piped());
    let Ok(mut python) = command.spawn() else {
        println!("skipped: there is no python3 here");
        return;
    };
    let mut line = String::new();
    BufReader::new(python.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let theirs: u16 = line.trim().parse().unwrap();

    let mut server = SocketServer::new().unwrap();
    let ours = server.listen_tcp("127.0.0.1:0", || Handler).unwrap().address().port().unwrap();
    let shutdown = server.shutdown_handle();
    let clients = thread::spawn(move || {
        let long = vec![b'x'; 1_000_000];
        let scripts: [&[&[u8]]; 7] = [
            &[],
            &[b"one\n"],
            &[b"o", b"ne\ntwo\n", b"without an end"],
            &[b"one\nquit\n"],
            &[b"one\nfail\n"],
            &[b"\n\n\r\n"],
            &[&long, b"\n", &long],
        ];
        for script in scripts {
            let (expected, found) = (talk(theirs, script), talk(ours, script));
            assert!(found == expected, "{} bytes for {}", found.len(), expected.len());
        }
        shutdown.shutdown();
    });
    server.serve_forever().unwrap();
    python.kill().unwrap();
    python.wait().unwrap();
    clients.join().unwrap();
}
