//! Stream handlers.

mod handling;
mod serving;

use ropewalk::{ListenOptions, Reactor, TimerId};
use ropewalk_socketserver::{
    Connection, HandlerError, Shutdown, SocketServer, StreamRequestHandler, StreamServer,
};
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown as Side, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// A handler that is a function.
struct Handler<F>(F);

impl<F> StreamRequestHandler for Handler<F>
where
    F: FnMut(&mut Connection) -> io::Result<()> + Send + 'static,
{
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        (self.0)(connection)
    }
}

/// Answers each line in capitals.
fn capitals(connection: &mut Connection) -> io::Result<()> {
    while let Some(line) = connection.read_line_within(100)? {
        connection.write_all(line.to_uppercase().as_bytes())?;
    }
    Ok(())
}

/// A server on a thread of its own.
struct Scene {
    address: String,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
}

impl Scene {
    fn new<F>(handle: F) -> Self
    where
        F: FnMut(&mut Connection) -> io::Result<()> + Clone + Send + 'static,
    {
        Self::with(move |server| {
            let make = move || Handler(handle.clone());
            Ok(server.listen_tcp("127.0.0.1:0", make)?.address().to_string())
        })
    }

    fn with(
        begin: impl FnOnce(&mut SocketServer) -> Result<String, ropewalk::Error> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = channel();
        let thread = thread::spawn(move || {
            let mut server = SocketServer::new().unwrap();
            server.reactor().set_grace(Duration::from_millis(200));
            let address = begin(&mut server).unwrap();
            sender.send((address, server.shutdown_handle())).unwrap();
            server.serve_forever().unwrap();
        });
        let (address, shutdown) = receiver.recv().unwrap();
        Self { address, shutdown, thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(&self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_write_timeout(Some(PATIENCE)).unwrap();
        client
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.shutdown.shutdown();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

fn rest(mut client: &TcpStream) -> io::Result<String> {
    let mut text = String::new();
    client.read_to_string(&mut text).map(|_| text)
}

/// A place in which a handler waits for the test.
#[derive(Clone)]
struct Gate(Arc<Mutex<Receiver<()>>>);

impl Gate {
    fn new() -> (Self, Sender<()>) {
        let (sender, receiver) = channel();
        (Self(Arc::new(Mutex::new(receiver))), sender)
    }

    fn wait(&self) {
        let _ = self.0.lock().unwrap().recv_timeout(PATIENCE);
    }
}
