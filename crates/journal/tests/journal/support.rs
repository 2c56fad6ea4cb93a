//! A folder for files, and journals of small runs.

use ropewalk::journal::{Journal, Observer};
use ropewalk::{Error, Factory, Protocol, Reactor, Reason, Transport};
use ropewalk_journal::reading::{self, Filter};
use ropewalk_journal::{DumpOn, JournalFile};
use ropewalk_protocols::Echo;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A new folder for the files of a test. It is removed when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ropewalk-journal-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Returns the names of the files, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A client that sends a line, and ends its side when it has received it. Its own end stops the reactor.
pub(crate) struct Asker;

impl Protocol for Asker {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(b"hello");
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, _data: &[u8]) {
        transport.write_eof();
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        transport.context().stop();
    }
}

/// A client that sends a megabyte, and ends its side when it has received all of it.
struct Bulk(usize);

impl Protocol for Bulk {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(&[7; 1 << 20]);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.0 += data.len();
        if self.0 == 1 << 20 {
            transport.write_eof();
        }
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
        transport.context().stop();
    }
}

/// Runs an echo and a client in one reactor. `observer` receives the journal.
pub(crate) fn run_echo(observer: impl Observer, timed: bool) -> Result<(), Error> {
    run(|| Asker, observer, timed)
}

fn run(client: impl Factory, observer: impl Observer, timed: bool) -> Result<(), Error> {
    let mut reactor = Reactor::new()?;
    reactor.time_callbacks(timed);
    reactor.add_observer(observer);
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
    reactor.connect_tcp(port.address(), client)?;
    reactor.run()
}

/// Returns the journal file of an echo.
pub(crate) fn echo(timed: bool) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.file("echo.journal");
    run_echo(JournalFile::create(&path).unwrap(), timed).unwrap();
    fs::read(path).unwrap()
}

/// Returns the journal file of an echo of a megabyte.
pub(crate) fn bulk() -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.file("bulk.journal");
    run(|| Bulk(0), JournalFile::create(&path).unwrap(), false).unwrap();
    fs::read(path).unwrap()
}

/// Returns the selected records of a journal file as lines.
pub(crate) fn lines(file: &[u8], filter: &Filter) -> Vec<String> {
    let mut text = Vec::new();
    reading::write_text(file, filter, &mut text).unwrap();
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

/// Runs a turn in which `act` is called with the journal.
pub(crate) fn turn(reactor: &mut Reactor, act: impl FnOnce(&mut Journal)) {
    act(reactor.context().journal());
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

/// Returns a reactor with this observer.
pub(crate) fn observed_by(dump: DumpOn) -> Reactor {
    let mut reactor = Reactor::new().unwrap();
    reactor.add_observer(dump);
    reactor
}

/// Runs the program. Returns its exit code, stdout and stderr.
pub(crate) fn run_program(arguments: &[&str]) -> (i32, String, String) {
    let program = env!("CARGO_BIN_EXE_ropewalk-journal");
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
