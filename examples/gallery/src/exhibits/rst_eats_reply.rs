//! A reset that eats the last reply.
//!
//! What one sees: the server refuses a large upload with an answer that says why, and closes. The client has a part of the
//! answer or nothing, and an error: "connection reset by peer". The server's log says that all was sent.
//!
//! Why: close(2) on a socket with unread input does not end the stream, it resets it (RFC 2525, section 2.17). The reset drops what
//! is still in the server's send buffer.
//!
//! The cure: send, end the own side with shutdown(2), read and discard until the client ends its side, and close then,
//! within a limit of time. `Transport::close` does that: see `src/source/lingering.rs`.
//!
//! The issue: hyperium/hyper#3078, "hyper server send rst after response 503".

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::{SmallLoop, connection};
use crate::{Exhibit, Result, Shown};
use ropewalk::{Protocol, Reactor, Transport};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::{self, JoinHandle};

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "rst_eats_reply",
    about: "Closing with unread input resets the connection, and the reply is lost.",
    issue: "hyperium/hyper#3078: hyper server send rst after response 503",
    broken,
    cured,
};

const REQUEST: usize = 8_000_000;
const REPLY: usize = 500_000;

/// Sends the request, and returns how much of the reply it reads.
fn upload(mut client: TcpStream) -> JoinHandle<usize> {
    thread::spawn(move || {
        let mut reply = Vec::new();
        let sent = client.write_all(&vec![b'x'; REQUEST]);
        let read = client.read_to_end(&mut reply);
        if sent.and(read).is_err() { reply.len().min(REPLY - 1) } else { reply.len() }
    })
}

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let (mut socket, client) = connection()?;
    small.add(&mut socket, 1)?;
    let client = upload(client);
    while small.wait_patiently()?.is_empty() {}
    small.receive(1, &mut socket, &mut [0; 1024]);
    small.send(1, &mut socket, &vec![b'x'; REPLY]);
    // The fault: the socket is closed with unread input.
    small.say(Some(1), "closed with unread input");
    drop(socket);
    let received = client.join().map_err(|_| "the client has panicked")?;
    let shown = Shown::new(small.into_lines()).mark("send").mark("closed");
    let verdict = format!("{received} of {REPLY} bytes of the reply were read, then an error");
    Ok(shown.judge(received < REPLY, verdict))
}

struct Refuser;

impl Protocol for Refuser {
    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        transport.write(&vec![b'x'; REPLY]);
        transport.close();
    }
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", || Refuser)?;
    let client = upload(TcpStream::connect(port.address())?);
    turn_until(&mut reactor, |_| client.is_finished())?;
    let received = client.join().map_err(|_| "the client has panicked")?;
    let shown = Shown::new(lines(&mut reactor)).mark("closing").mark("shutdown").mark("send");
    Ok(shown.judge(received < REPLY, format!("{received} of {REPLY} bytes of the reply were read")))
}
