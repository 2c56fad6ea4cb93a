//! The program's own clients.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// Clients by their numbers, counted from 1.
#[derive(Default)]
pub(crate) struct Clients(Vec<Option<TcpStream>>);

impl Clients {
    /// Connects one more. Returns its number. The system accepts it into the listener's queue.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> io::Result<usize> {
        let client = TcpStream::connect(address)?;
        client.set_nonblocking(true)?;
        self.0.push(Some(client));
        Ok(self.0.len())
    }

    pub(crate) fn send(&mut self, number: usize, text: &str) -> io::Result<()> {
        self.get(number)?.write_all(format!("{text}\n").as_bytes())
    }

    /// Returns what has arrived, and whether the stream has ended.
    pub(crate) fn read(&mut self, number: usize) -> io::Result<(Vec<u8>, bool)> {
        let client = self.get(number)?;
        let (mut data, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match client.read(&mut buffer) {
                Ok(0) => return Ok((data, true)),
                Ok(count) => data.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((data, false)),
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn end(&mut self, number: usize) -> io::Result<()> {
        self.get(number)?.shutdown(Shutdown::Write)
    }

    pub(crate) fn close(&mut self, number: usize) -> io::Result<()> {
        self.get(number)?;
        self.0[number - 1] = None;
        Ok(())
    }

    fn get(&mut self, number: usize) -> io::Result<&mut TcpStream> {
        let client = number.checked_sub(1).and_then(|index| self.0.get_mut(index)?.as_mut());
        client.ok_or_else(|| {
            io::Error::new(ErrorKind::NotFound, format!("there is no client {number}; try connect"))
        })
    }
}
