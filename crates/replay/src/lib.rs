//! Records all input of a [Ropewalk](ropewalk) reactor into a file, and feeds it to the same program again, without
//! sockets and without waiting: a recording is a bug report that can be run.
//!
//! A reactor does all input and output through its [`Backend`](ropewalk::backend::Backend). A [`Recorder`] wraps one,
//! such as the system, and writes each call with what came back. A [`Replayer`] is a backend that answers the same calls
//! from the file, and compares each with the recorded one. The protocols cannot tell the difference, so they do the same,
//! up to the bug.
//!
//! ```
//! use ropewalk::{Error, Protocol, Reactor, Transport, backend::System};
//! use ropewalk_replay::{Recorder, Replayer};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! /// The program. It is the same in both cases.
//! fn run(mut reactor: Reactor) -> Result<(), Error> {
//!     reactor.listen_tcp("127.0.0.1:0", || Echo)?;
//!     # reactor.context().call_later(std::time::Duration::from_millis(5), |context| context.stop());
//!     reactor.run()
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("replay-{}", std::process::id()));
//! let recorder = Recorder::to_file(System::new()?, &path, "echo")?;
//! run(Reactor::with_backend(recorder))?;
//!
//! let replayer = Replayer::open(&path)?;
//! let tape = replayer.tape();
//! run(Reactor::with_backend(replayer))?;
//! assert!(tape.summary().ending.is_complete(), "{}", tape.summary().ending);
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a recording contains
//!
//! **The bytes of users**: everything that was received, and the addresses of peers, names that were looked up, the
//! command lines of processes. A file that [`Recorder::to_file`] makes can be read by its owner only (Unix). What was
//! written is present as length and hash. [`Recorder::redacted`] and [`redact()`] replace what was received by filler.
//!
//! # What is recorded
//!
//! Readings of the clock, waits and their events, sockets of all kinds with all calls and errors, look-ups and when
//! their answers arrive, services, the name of the host, signals, processes with their pipes and exits (with the feature
//! `process`), stops from other threads ([`Handle::stop`](ropewalk::Handle::stop)), messages to a
//! [channel](Tape::channel) of a type that is [`Recorded`], and jobs if they can be [repeated](Recorder::repeat_jobs).
//!
//! What a backend cannot see, or cannot make again, stops the recording with a warning in the log and an
//! [`Ending::Refused`] that names it; the program goes on. These are closures and messages of plain channels that other
//! threads send ([`Handle::call`](ropewalk::Handle::call), [`Context::channel`](ropewalk::Context::channel)), holds that
//! other threads release, other jobs, watched, passed and detached descriptors, and credentials of peers.
//!
//! # What a program must do the same
//!
//! It gets the same input, and its calls have to follow from that. So a program that is to be replayed has no input
//! beside the reactor: it reads no other clock, no file that has changed, no random numbers, iterates over no `HashMap`
//! (whose order is random), and drives the reactor in the same way, by `run` or by equal turns. Otherwise the replay
//! stops at the first call that is another one, and [`Difference`] shows both.
//!
//! A replay may use another build of the program, with more logs, assertions or a debugger.
//!
//! # The file
//!
//! A header, and blocks of at least 64 KiB with a hash each, so that damage is found. A record is a byte with the call,
//! the socket by number, the arguments, and the outcome; integers are LEB128. A reading of the clock that equals the last
//! one is one byte; an echo of 64 bytes takes 84 with its read, its write, and its part of the wait. The recorder needs memory for
//! one block. The version in the header is that of the format; a reader refuses others, as other systems.

mod bytes;
mod channel;
mod difference;
mod file;
mod hash;
#[cfg(test)]
mod mutations;
mod outcome;
mod player;
mod record;
mod recorder;
mod recording;
mod redact;
mod replayer;
mod socket;
mod tape;
mod value;

/// The chapter's code, compiled as the rest.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/replay.md")]
struct Chapter;

pub use channel::{Recorded, RecordedSender};
pub use difference::Difference;
pub use recorder::Recorder;
pub use redact::redact;
pub use replayer::Replayer;
pub use tape::{Ending, Summary, Tape};
