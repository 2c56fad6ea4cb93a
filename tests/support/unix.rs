//! Folders, clients and receivers of descriptors, for Unix sockets.

#![allow(dead_code)] // No test program uses all of it.

use crate::support::*;
use ropewalk::{Error, Factory, ListenOptions, Protocol, Reactor, Reason, Transport};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage};
use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, IoSlice, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A temporary folder, removed when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ropewalk-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Returns the names of its files, sorted.
    pub(crate) fn contents(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> =
            entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the effective user and group of this process: they own what it makes.
pub(crate) fn user_and_group() -> (u32, u32) {
    let folder = Folder::new();
    let metadata = fs::metadata(&folder.0).expect("the folder");
    (metadata.uid(), metadata.gid())
}

/// Returns a reactor that listens on a path.
pub(crate) fn up_unix(path: &Path, factory: impl Factory) -> Reactor {
    let mut reactor = Reactor::new().expect("a reactor");
    reactor.listen_unix(path, factory).expect("a free name");
    reactor
}

pub(crate) fn listen_error(path: &Path) -> Error {
    let mut reactor = Reactor::new().expect("a reactor");
    reactor.listen_unix(path, || Echo).expect_err("a name that cannot be used")
}

/// Connects a client with blocking reads and writes, and a timeout.
pub(crate) fn unix_client(path: &Path) -> UnixStream {
    let client = UnixStream::connect(path).expect("a listener");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    client
}

/// Returns true if a client is echoed.
pub(crate) fn is_echoed(reactor: &mut Reactor, path: &Path) -> bool {
    let mut client = unix_client(path);
    client.write_all(b"hello").unwrap();
    client.set_nonblocking(true).unwrap();
    let mut answer = Vec::new();
    turn_until(reactor, "an echo", |_| {
        let mut buffer = [0; 16];
        if let Ok(count) = client.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..count]);
        }
        answer.len() == 5
    });
    answer == b"hello"
}

/// Leaves the file of a socket that no longer exists, as after a crash. A process that another test is starting may hold
/// a copy of the socket for a moment.
pub(crate) fn leave_behind(path: &Path) {
    use std::os::unix::net::UnixListener;
    drop(UnixListener::bind(path).expect("a free name"));
    assert!(path.exists());
    let is_refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    while !UnixStream::connect(path).is_err_and(is_refused) {
        std::thread::yield_now();
    }
}

/// Returns true if `wrapper` works and this program may run under it. Otherwise prints that the test is
/// skipped.
pub(crate) fn works(wrapper: &[&str]) -> bool {
    let mut trial = Command::new(wrapper[0]);
    trial.args(&wrapper[1..]).args(["test", "-x"]).arg(std::env::current_exe().unwrap());
    let works = trial.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !works {
        println!("skipped: {wrapper:?} does not work here, or may not run this program");
    }
    works
}

/// Sends `data` with `count` descriptors of `file`, without a reactor.
pub(crate) fn pass(client: &UnixStream, data: &[u8], file: &File, count: usize) {
    let descriptors = vec![file.as_fd(); count];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let flags = rustix::net::SendFlags::NOSIGNAL;
    let sent = rustix::net::sendmsg(client, &[IoSlice::new(data)], &mut control, flags);
    assert_eq!(sent.expect("room"), data.len());
}

/// A callback of a [`Receiver`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReceiverEvent {
    Data(Vec<u8>),
    /// Data, and the texts of the files that were passed with it.
    Passed(Vec<u8>, Vec<String>),
    Lost,
    End(String),
}

pub(crate) type ReceiverLog = Rc<RefCell<Vec<ReceiverEvent>>>;

/// Records its callbacks, and reads the files that it receives.
pub(crate) struct Receiver {
    pub(crate) events: ReceiverLog,
    /// Keeps received descriptors open.
    pub(crate) kept: Option<Rc<RefCell<Vec<OwnedFd>>>>,
}

impl Receiver {
    pub(crate) fn new(events: &ReceiverLog) -> Self {
        Self { events: Rc::clone(events), kept: None }
    }
}

impl Protocol for Receiver {
    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        self.events.borrow_mut().push(ReceiverEvent::Data(data.to_vec()));
    }

    fn descriptors_received(
        &mut self,
        _transport: &mut Transport<'_>,
        data: &[u8],
        descriptors: Vec<OwnedFd>,
    ) {
        let texts = match &self.kept {
            None => descriptors.into_iter().map(text_in).collect(),
            Some(kept) => {
                let texts = vec![String::new(); descriptors.len()];
                kept.borrow_mut().extend(descriptors);
                texts
            }
        };
        self.events.borrow_mut().push(ReceiverEvent::Passed(data.to_vec(), texts));
    }

    fn descriptors_lost(&mut self, _transport: &mut Transport<'_>) {
        self.events.borrow_mut().push(ReceiverEvent::Lost);
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.events.borrow_mut().push(ReceiverEvent::End(format!("{reason:?}")));
    }
}

/// Returns the text of a received file.
fn text_in(descriptor: OwnedFd) -> String {
    let (mut file, mut text) = (File::from(descriptor), String::new());
    file.rewind().expect("a file");
    file.read_to_string(&mut text).expect("a text");
    text
}

/// Returns an unnamed file that contains `text`.
pub(crate) fn file_with(folder: &Folder, text: &str) -> File {
    let path = folder.path("passed");
    let options = File::options().read(true).write(true).create_new(true).open(&path);
    let mut file = options.expect("a new file");
    fs::remove_file(&path).expect("the new file");
    file.write_all(text.as_bytes()).expect("room");
    file
}

/// Returns a reactor that listens on a path and receives descriptors.
fn taker(path: &Path, factory: impl Factory) -> Reactor {
    let mut reactor = Reactor::new().expect("a reactor");
    let options = ListenOptions::new().descriptors(true);
    options.listen_unix(reactor.context(), path, factory).expect("a free name");
    reactor
}

/// Returns a reactor that listens with a [`Receiver`].
pub(crate) fn receiver(path: &Path, events: &ReceiverLog) -> Reactor {
    let events = Rc::clone(events);
    taker(path, move || Receiver::new(&events))
}

/// A wrapper for [`in_child`] that lets the child have fewer descriptors than [`passed_too_many`] passes.
pub(crate) const FEW_FILES: [&str; 2] = ["prlimit", "--nofile=60"];

/// Returns a reactor with one connection, to which a client has sent `data` with more descriptors than this
/// process may have, and the client.
pub(crate) fn passed_too_many(data: &[u8], factory: impl Factory) -> (Reactor, UnixStream) {
    let folder = Folder::new();
    let path = folder.path("take.sock");
    let mut reactor = taker(&path, factory);
    let client = unix_client(&path);
    turn_until(&mut reactor, "made", |reactor| reactor.context().connections().count() == 1);
    pass(&client, data, &file_with(&folder, "text"), 100);
    (reactor, client)
}

/// Returns all data and all texts.
pub(crate) fn sum(events: &ReceiverLog) -> (Vec<u8>, Vec<String>) {
    let (mut all, mut all_texts) = (Vec::new(), Vec::new());
    for event in events.borrow().iter() {
        match event {
            ReceiverEvent::Data(data) => all.extend_from_slice(data),
            ReceiverEvent::Passed(data, texts) => {
                all.extend_from_slice(data);
                all_texts.extend_from_slice(texts);
            }
            ReceiverEvent::Lost | ReceiverEvent::End(_) => {}
        }
    }
    (all, all_texts)
}
