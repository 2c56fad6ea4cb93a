//! The tape: what a program holds of a recording, while it is written or read.

use crate::difference::Difference;
use crate::player::Player;
use crate::recording::Recording;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// A recording while a [`Recorder`](crate::Recorder) writes it or a [`Replayer`](crate::Replayer) reads it, for the
/// program. It can be cloned.
///
/// A program that may or may not be recorded uses one in any case: [`Tape::off`] is none.
#[derive(Clone)]
pub struct Tape(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Off,
    Player(Rc<Player>),
    Recording(Rc<Recording>),
}

impl Tape {
    /// Returns the tape of a program that is neither recorded nor replayed.
    pub fn off() -> Self {
        Self(Kind::Off)
    }

    /// Returns true if the program is replayed: there are no peers, and no other threads are needed.
    pub fn is_replay(&self) -> bool {
        matches!(self.0, Kind::Player(_))
    }

    /// Returns what has been recorded or replayed so far.
    pub fn summary(&self) -> Summary {
        match &self.0 {
            Kind::Off => Summary::default(),
            Kind::Player(player) => player.summary(),
            Kind::Recording(recording) => recording.summary(),
        }
    }

    /// Ends the recording, writes it to the end, and returns what it has. Otherwise that happens when the reactor and
    /// the last tape have been dropped. What the reactor does afterwards is not recorded.
    pub fn finish(&self) -> Summary {
        if let Kind::Recording(recording) = &self.0 {
            recording.finish();
        }
        self.summary()
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tape").field(&self.summary()).finish()
    }
}

/// What has been recorded or replayed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// The number of records: calls of the reactor to its backend, each with its outcome.
    pub records: u64,
    /// The length of the file so far, in bytes.
    pub bytes: u64,
    /// The time from the first to the last reading of the clock.
    pub span: Duration,
    /// The hash of all records that were written, or of all that the replay has made again. It is complete after the
    /// end.
    pub hash: u64,
    /// Whether and how it has ended.
    pub ending: Ending,
}

/// How a recording or a replay has ended.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Ending {
    /// It has not ended.
    #[default]
    Running,
    /// The recording ends with its reactor, or the replay has made all of it again.
    Complete,
    /// The recording has no end, since its program was killed. The replay has made all of it again.
    CutOff,
    /// The replayed program has done something else.
    Different(Difference),
    /// The file cannot be written or read, or is damaged.
    Failed(String),
    /// Something has happened that cannot be recorded. The replay has made again all that was recorded before.
    Refused(String),
}

impl Ending {
    /// Returns true if everything was recorded, or made again without a difference.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("not ended"),
            Self::Complete => f.write_str("complete"),
            Self::CutOff => {
                f.write_str("no difference up to the last record; the recording has no end")
            }
            Self::Different(difference) => difference.fmt(f),
            Self::Failed(error) => f.write_str(error),
            Self::Refused(what) => write!(f, "the recording was stopped: {what}"),
        }
    }
}
