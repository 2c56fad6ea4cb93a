//! Dumps of the ring on a trigger.

use crate::TARGET;
use crate::file::failed;
use log::{error, warn};
use ropewalk::journal::{Cursor, Journal, Observer, Record, What};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most files that are written: a bound for the disk.
const MOST: u32 = 100;

/// The least time between two dumps, unless another is set.
const INTERVAL: Duration = Duration::from_secs(10);

/// An observer that writes the journal's ring to a file when something happens.
///
/// It holds no records of its own. A dump has what the ring has: the records before the trigger, and the rest of its
/// turn. How many that are, and how many earlier ones were replaced, is logged as a warning. The files are numbered:
/// `slow.journal` becomes `slow-1.journal`, `slow-2.journal` and so on, up to 100; a number that exists is skipped.
///
/// Without a trigger nothing is dumped.
///
/// ```
/// use ropewalk::Reactor;
/// use ropewalk_journal::DumpOn;
/// use std::time::Duration;
///
/// let slow = std::env::temp_dir().join("ropewalk-dump.journal");
/// let mut reactor = Reactor::new()?;
/// reactor.add_observer(DumpOn::new(&slow).turn_above(Duration::from_millis(50)).panic().mark(7));
/// reactor.context().journal().mark(7);
/// reactor.turn(Some(Duration::ZERO))?;
/// # let first = slow.with_file_name("ropewalk-dump-1.journal");
/// # assert!(first.exists());
/// # std::fs::remove_file(first).unwrap();
/// # Ok::<(), ropewalk::Error>(())
/// ```
#[derive(Debug)]
pub struct DumpOn {
    path: PathBuf,
    triggers: Triggers,
    interval: Duration,
    /// The number of the next file.
    number: u32,
    /// When the last dump was made.
    last: Option<Duration>,
    cursor: Cursor,
    /// When the wait of the present turn has returned.
    turn: Option<Duration>,
}

#[derive(Debug, Default)]
struct Triggers {
    turn_above: Option<Duration>,
    queue_above: Option<u32>,
    signal: bool,
    panic: bool,
    mark: Option<u32>,
}

impl DumpOn {
    /// Returns an observer without triggers. The names of its files are made from `path`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            triggers: Triggers::default(),
            interval: INTERVAL,
            number: 1,
            last: None,
            cursor: Cursor::default(),
            turn: None,
        }
    }

    /// Dumps after a turn that has taken longer than this, without its wait.
    #[must_use]
    pub fn turn_above(mut self, duration: Duration) -> Self {
        self.triggers.turn_above = Some(duration);
        self
    }

    /// Dumps when the send buffer of a connection has passed its high mark
    /// ([`Transport::set_write_buffer_limits`](ropewalk::Transport::set_write_buffer_limits)) and holds at least this
    /// number of bytes then.
    #[must_use]
    pub fn queue_above(mut self, bytes: usize) -> Self {
        self.triggers.queue_above = Some(bytes.try_into().unwrap_or(u32::MAX));
        self
    }

    /// Dumps when a signal is handled.
    #[must_use]
    pub fn signal(mut self) -> Self {
        self.triggers.signal = true;
        self
    }

    /// Dumps when a callback panics.
    #[must_use]
    pub fn panic(mut self) -> Self {
        self.triggers.panic = true;
        self
    }

    /// Dumps when the program [marks](Journal::mark) the journal with this number.
    #[must_use]
    pub fn mark(mut self, number: u32) -> Self {
        self.triggers.mark = Some(number);
        self
    }

    /// Sets the least time between two dumps. Triggers before have no effect. Default: 10 seconds.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Reads the new records. Returns what has triggered a dump, and the time.
    fn trigger(&mut self, journal: &Journal) -> Option<(String, Duration)> {
        let Self { triggers, cursor, turn, .. } = self;
        let mut found = None;
        journal.read(cursor, |record| {
            if let Some(trigger) = triggers.see(record, turn) {
                found.get_or_insert((trigger, record.time));
            }
        });
        found
    }

    fn dump(&mut self, journal: &Journal, trigger: &str) {
        let mut records = Vec::new();
        journal.encode(&mut Cursor::default(), &mut records);
        let replaced = journal.replaced();
        let kept = journal.recorded() - replaced;
        match self.write(&records) {
            Ok(path) => {
                warn!(target: TARGET, "{trigger}: {kept} records are in {}, {replaced} earlier ones \
                were replaced", path.display())
            }
            Err(cause) => {
                error!(target: TARGET, "{trigger}: {cause}; no more dumps are written");
                self.number = MOST + 1;
            }
        }
    }

    /// Writes a file with the next number that is not taken. Returns its path.
    fn write(&mut self, records: &[u8]) -> io::Result<PathBuf> {
        loop {
            let path = numbered(&self.path, self.number);
            let opened = File::options().write(true).create_new(true).open(&path);
            self.number += 1;
            match opened {
                Err(cause) if cause.kind() == ErrorKind::AlreadyExists && self.number <= MOST => {}
                opened => {
                    let written = opened.and_then(|mut file| file.write_all(records));
                    return match written {
                        Ok(()) => Ok(path),
                        Err(cause) => Err(failed("write", &path, &cause)),
                    };
                }
            }
        }
    }
}

impl Triggers {
    /// Returns the text of the trigger, if the record is one. `turn` is when the wait of the turn has returned.
    fn see(&self, record: &Record<'_>, turn: &mut Option<Duration>) -> Option<String> {
        match record.what {
            What::Waited => _ = turn.get_or_insert(record.time),
            What::TurnEnds => {
                let took = record.time.saturating_sub(turn.take()?);
                return (took > self.turn_above?).then(|| format!("a turn took {took:?}"));
            }
            What::Crossed(true, bytes) if bytes >= self.queue_above? => {
                let id = record.id.map(|id| id.to_string()).unwrap_or_default();
                return Some(format!("{id} has {bytes} bytes queued"));
            }
            What::Signal(number) if self.signal => return Some(format!("signal {number}")),
            What::Panicked(callback) if self.panic => {
                return Some(format!("{} panicked in {}", record.name, callback.name()));
            }
            What::Noted(number) if Some(number) == self.mark => {
                return Some(format!("mark {number}"));
            }
            _ => {}
        }
        None
    }
}

impl Observer for DumpOn {
    fn turn_ended(&mut self, journal: &Journal) {
        if self.number > MOST {
            return;
        }
        let Some((trigger, now)) = self.trigger(journal) else { return };
        if self.last.is_some_and(|last| now < last + self.interval) {
            return;
        }
        self.last = Some(now);
        self.dump(journal, &trigger);
    }
}

/// Returns the path with a number at the end of its stem.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}
