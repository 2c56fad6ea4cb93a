//! The cured forms, on Ropewalk: turns until something has happened, and the lines of the journal.

use crate::Result;
use ropewalk::{Context, Reactor};
use std::io::Read;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest that a run may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Makes turns until `is_done` returns true.
///
/// # Errors
///
/// If a turn fails, or it takes too long.
pub(crate) fn turn_until(
    reactor: &mut Reactor,
    mut is_done: impl FnMut(&mut Context) -> bool,
) -> Result<()> {
    let end = Instant::now() + LIMIT;
    while !is_done(reactor.context()) {
        if Instant::now() > end {
            return Err("the run has taken too long".into());
        }
        reactor.turn(Some(Duration::from_millis(20)))?;
    }
    Ok(())
}

/// Returns the lines of the journal.
pub(crate) fn lines(reactor: &mut Reactor) -> Vec<String> {
    reactor.context().journal().records().map(|record| record.to_string()).collect()
}

/// Reads on a thread until the stream ends or fails. The thread returns the number of bytes.
pub(crate) fn read_all(mut client: TcpStream) -> JoinHandle<usize> {
    thread::spawn(move || {
        let mut received = Vec::new();
        let _: std::io::Result<usize> = client.read_to_end(&mut received);
        received.len()
    })
}
