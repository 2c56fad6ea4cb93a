//! A half-close that is taken for a close.
//!
//! What one sees: `printf question | nc -N server port` prints nothing. A client that keeps its side open has an answer.
//!
//! Why: shutdown(2) ends one direction. The client has said all, and waits for the answer. The server reads the end of the
//! stream and closes the connection, with the answer still to be made.
//!
//! The cure: to treat the end as the end of the *question*. In Ropewalk `eof_received` closes by default, after what is
//! queued. A protocol that answers later, by a thread or a timer, overrides it and closes after the answer.
//!
//! The issue: twisted/twisted#7367, "Cannot close only the read or only the write half of a TCP stream".

use crate::on_ropewalk::{lines, read_all, turn_until};
use crate::{Exhibit, Result, Shown};
use ropewalk::{Protocol, Reactor, TimerId, Transport};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "half_close_is_close",
    about: "The end of the question is taken for the end of the connection.",
    issue: "twisted/twisted#7367: Cannot close only the read or only the write half of a TCP stream",
    broken: || play(false),
    cured: || play(true),
};

const ANSWER: &[u8] = b"forty-two";

/// Answers later: the time stands for a job on a thread, or a question to another server.
struct Oracle {
    waits: bool,
}

impl Protocol for Oracle {
    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        transport.set_timer(Duration::from_millis(20));
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, _timer: TimerId) {
        transport.write(ANSWER);
        transport.close();
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        if !self.waits {
            transport.close(); // The fault, and what a protocol without this method does.
        }
    }
}

fn play(waits: bool) -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", move || Oracle { waits })?;
    let mut client = TcpStream::connect(port.address())?;
    client.write_all(b"question")?;
    client.shutdown(Shutdown::Write)?;
    let client = read_all(client);
    turn_until(&mut reactor, |_| client.is_finished())?;
    turn_until(&mut reactor, |context| context.statistics().lost() == 1)?;
    let (received, length) = (client.join().map_err(|_| "the client has panicked")?, ANSWER.len());
    let shown = Shown::new(lines(&mut reactor));
    let shown = shown.mark("eof_received").mark("timer_fired").mark("send").mark("lost:");
    Ok(shown
        .judge(received < length, format!("{received} of {length} bytes of the answer arrived")))
}
