//! The replayer: a backend that needs no system.

mod arrivals;
mod backend;
mod datagram;
mod listener;
#[cfg(all(unix, feature = "process"))]
mod process;
mod signals;
mod stream;

use crate::player::Player;
use crate::tape::{Kind, Tape};
use ropewalk::Address;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// A [`Backend`](ropewalk::backend::Backend) that feeds a recording to the program that was recorded, as fast as
/// possible: without sockets, threads or waiting.
///
/// Each call of the reactor is compared with the recorded one, bytes that are written by their length and hash. At the
/// first difference, and at the end of the recording, the replay ends: waits fail, so that
/// [`Reactor::run`](ropewalk::Reactor::run) returns an error, and all protocols are notified of the end.
/// [`Tape::summary`] says how it has ended; to know that nothing is left, drop the reactor before.
///
/// See the [crate] for an example.
pub struct Replayer {
    player: Rc<Player>,
}

impl Replayer {
    /// Replays a recording from any reader, which receives few large reads.
    ///
    /// # Errors
    ///
    /// If it is no recording, is damaged at its beginning, or was made by another version of the format or on another
    /// system, whose errors have other numbers.
    pub fn new(from: impl Read + 'static) -> io::Result<Self> {
        // The clock of the replay shows recorded times. Only its zero is the present time.
        let player = Player::new(Box::new(from), Instant::now())?;
        let system = &player.header().system;
        if system != std::env::consts::OS {
            let text =
                format!("the recording was made on {system}, whose errors have other numbers");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        Ok(Self { player: Rc::new(player) })
    }

    /// Replays a file.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new), and if the file cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(File::open(path)?)
    }

    /// Returns the note that the recorded program has made.
    pub fn note(&self) -> &str {
        &self.player.header().note
    }

    /// Returns true if payloads were replaced by filler: see [`Recorder::redacted`](crate::Recorder::redacted).
    pub fn is_redacted(&self) -> bool {
        self.player.header().redacted
    }

    /// Returns the tape, for [channels](Tape::channel) and for the [summary](Tape::summary).
    pub fn tape(&self) -> Tape {
        Tape(Kind::Player(Rc::clone(&self.player)))
    }
}

impl fmt::Debug for Replayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replayer").field("summary", &self.player.summary()).finish()
    }
}

/// The reactor has been dropped, and with it all sockets.
impl Drop for Replayer {
    fn drop(&mut self) {
        self.player.finish();
    }
}

/// Returns the error of requests after the end of a replay.
fn over() -> io::Error {
    io::Error::other("the replay has ended")
}

/// A recorded socket, and whether it has a peer's address.
type Opened = (u8, Option<Address>);
