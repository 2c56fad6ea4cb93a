//! Client: a blocking socket. Every failure is an error that a scene returns.

use crate::server::Server;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Why a scene did not go as it should.
pub(crate) type Failure = String;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    pub(crate) fn new(server: &Server) -> Self {
        Self::with(server, |_| {})
    }

    /// Returns a client with small buffers: a server soon notices that it does not read.
    pub(crate) fn small(server: &Server) -> Self {
        Self::with(server, |socket| {
            socket.set_recv_buffer_size(8_000).unwrap();
            socket.set_send_buffer_size(64_000).unwrap();
        })
    }

    fn with(server: &Server, set: impl FnOnce(&Socket)) -> Self {
        let address: SocketAddr = server.address.parse().unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        set(&socket);
        socket.connect(&address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    pub(crate) fn send(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(data).map_err(|error| format!("send: {error}"))
    }

    /// Sends copies of a line until the server has stopped reading, at most `most` bytes. Returns how many.
    pub(crate) fn send_until_stopped(
        &mut self,
        line: &[u8],
        most: usize,
    ) -> Result<usize, Failure> {
        self.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut sent = 0;
        while sent < most {
            match self.stream.write(&line[sent % line.len()..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(sent),
                Err(error) => return Err(format!("send: {error}")),
            }
        }
        Err(format!("the server took {most} bytes from a client that reads none"))
    }

    pub(crate) fn expect(&mut self, expected: &[u8]) -> Result<(), Failure> {
        let mut data = vec![0; expected.len()];
        self.stream.read_exact(&mut data).map_err(|error| format!("receive: {error}"))?;
        (data == expected).then_some(()).ok_or_else(|| "other bytes than expected".to_owned())
    }

    pub(crate) fn expect_end(&mut self) -> Result<(), Failure> {
        self.wait_for_end(PATIENCE)
    }

    /// Returns an error if the connection has not ended after `limit`.
    pub(crate) fn wait_for_end(&mut self, limit: Duration) -> Result<(), Failure> {
        self.stream.set_read_timeout(Some(limit)).unwrap();
        match self.stream.read(&mut [0; 100]) {
            Ok(0) => Ok(()),
            Ok(_) => Err("data in place of the end".to_owned()),
            Err(error) => Err(format!("the end: {error}")),
        }
    }

    /// Returns all that arrives until the end.
    pub(crate) fn all(&mut self) -> Result<Vec<u8>, Failure> {
        let mut data = Vec::new();
        self.stream.read_to_end(&mut data).map_err(|error| format!("receive: {error}"))?;
        Ok(data)
    }

    pub(crate) fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).map_err(|error| format!("receive: {error}"))?;
            line.extend(byte);
        }
        Ok(String::from_utf8(line).unwrap())
    }

    /// A line there and back. When it returns, the server has seen all that was sent before.
    pub(crate) fn ping(&mut self) -> Result<(), Failure> {
        self.send(b"ping\n")?;
        self.expect(b"ping\n")
    }

    /// Returns true if an answer, or the end, has arrived.
    pub(crate) fn has_answer(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let answer = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        answer.is_ok()
    }

    /// Returns an error if no answer has arrived after `limit`.
    pub(crate) fn wait_for_answer(&self, limit: Duration) -> Result<(), Failure> {
        self.stream.set_read_timeout(Some(limit)).unwrap();
        self.stream.peek(&mut [0]).map(|_| ()).map_err(|error| format!("no answer: {error}"))
    }

    pub(crate) fn end_sending(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    pub(crate) fn another_handle(&self) -> Self {
        Self { stream: self.stream.try_clone().unwrap() }
    }
}
