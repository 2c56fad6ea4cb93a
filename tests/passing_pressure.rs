//! Descriptors for a peer that does not take them: those who send are told before there is no room, and
//! when there is room again.

#![cfg(unix)]

mod support;
#[path = "support/unix.rs"]
mod unix;

use ropewalk::{
    Context, Id, Reactor, SlowReader, Transport, UnixConnectOptions, UnixListenOptions,
};
use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;
use support::*;
use unix::*;

/// How many may wait.
const LIMIT: usize = 1024;

/// A reactor whose one connection goes to a client that does not read.
struct Scene {
    reactor: Reactor,
    id: Id,
    client: UnixStream,
    log: Log,
    file: File,
    _folder: Folder,
}

impl Scene {
    fn new(slow_reader: SlowReader) -> Self {
        Self::with(slow_reader, only_record)
    }

    fn with(
        slow_reader: SlowReader,
        hook: impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static,
    ) -> Self {
        let (folder, log) = (Folder::new(), Log::default());
        let path = folder.path("give.sock");
        let mut reactor = Reactor::new().unwrap();
        let options = UnixListenOptions::new().slow_reader(slow_reader);
        let factory = recorders(&log, hook);
        reactor.context().listen_unix_with(&path, &options, factory).unwrap();
        let client = unix_client(&path);
        client.set_nonblocking(true).unwrap();
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        let (id, file) = (log.ids()[0], file_with(&folder, "passed"));
        Self { reactor, id, client, log, file, _folder: folder }
    }

    /// Sends one byte and one descriptor a turn, until that is refused or `count` have been sent.
    fn send(&mut self, count: usize) -> Option<ropewalk::Error> {
        for _ in 0..count {
            let file = self.file.try_clone().unwrap();
            let id = self.id;
            if let Err(error) = self.context().send_descriptors(id, b"x", [file]) {
                return Some(error);
            }
            self.reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        None
    }

    fn context(&mut self) -> &mut Context {
        self.reactor.context()
    }

    fn waiting(&mut self) -> usize {
        let id = self.id;
        self.context().descriptors_waiting(id)
    }

    /// The client reads what there is, a turn after the other, until the sender is told to resume: as
    /// soon as no more than 64 wait.
    fn read_until_told(&mut self) {
        let (id, told) = (self.id, self.told().len());
        while self.told().len() == told {
            assert!(self.waiting() > 64);
            let Self { reactor, client, .. } = self;
            while client.read(&mut [0; 64]).is_ok() {}
            let before = reactor.context().descriptors_waiting(id);
            turn_until(reactor, "room", |reactor| {
                reactor.context().descriptors_waiting(id) < before
            });
        }
        assert!(self.waiting() <= 64);
    }

    /// What was told of the marks.
    fn told(&self) -> Vec<Event> {
        self.log
            .all()
            .into_iter()
            .map(|(_, event)| event)
            .filter(|event| *event != Event::Made)
            .collect()
    }
}

use Event::{PauseWriting, ResumeWriting};

#[test]
fn a_sender_is_told_to_pause_before_the_limit_and_to_resume_when_there_is_room() {
    const NAME: &str =
        "a_sender_is_told_to_pause_before_the_limit_and_to_resume_when_there_is_room";
    if !is_child() {
        in_child(NAME, &MANY_FILES);
        return;
    }
    let mut scene = Scene::new(SlowReader::Pause);
    while scene.told().is_empty() {
        assert!(scene.send(1).is_none(), "it is told before it is refused");
    }
    assert_eq!((scene.told(), scene.waiting()), (vec![PauseWriting], 257));
    let error = scene.send(2 * LIMIT).expect("a refusal");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!((scene.told(), scene.waiting()), (vec![PauseWriting], LIMIT));

    scene.read_until_told();
    assert_eq!(scene.told(), [PauseWriting, ResumeWriting]);
    assert!(scene.send(1).is_none());
}

#[test]
fn marks_on_bytes_and_on_descriptors_make_one_pause() {
    let mut scene = Scene::new(SlowReader::Pause);
    let id = scene.id;
    scene.context().write(id, &vec![0; MUCH]);
    turns(&mut scene.reactor, 1);
    assert_eq!(scene.told(), [PauseWriting]);
    // Batches, so that the descriptors of this process suffice.
    for _ in 0..3 {
        let files: Vec<File> = (0..100).map(|_| scene.file.try_clone().unwrap()).collect();
        scene.context().send_descriptors(id, b"x", files).unwrap();
    }
    turns(&mut scene.reactor, 1);
    let (mut buffer, mut read) = (vec![0; 64 * 1024], 0);
    let Scene { reactor, client, log, .. } = &mut scene;
    turn_until(reactor, "all", |reactor| {
        read += client.read(&mut buffer).unwrap_or(0);
        let resumed = log.count(|event| *event == ResumeWriting) > 0;
        assert!(!resumed || reactor.context().descriptors_waiting(id) <= 64);
        read == MUCH + 3
    });
    assert_eq!(scene.told(), [PauseWriting, ResumeWriting]);
}

#[test]
fn a_push_producer_is_paused_by_descriptors_and_resumed() {
    let calls = Rc::new(Cell::new((0, 0)));
    struct Counting(Rc<Cell<(u32, u32)>>);
    impl ropewalk::Producer for Counting {
        fn pause_producing(&mut self, _transport: &mut Transport<'_>) {
            self.0.set((self.0.get().0 + 1, self.0.get().1));
        }
        fn resume_producing(&mut self, _transport: &mut Transport<'_>) {
            self.0.set((self.0.get().0, self.0.get().1 + 1));
        }
        fn stop_producing(&mut self, _context: &mut Context) {}
    }
    let mut scene = Scene::new(SlowReader::Pause);
    let id = scene.id;
    scene.context().register_push_producer(id, Counting(Rc::clone(&calls))).unwrap();
    while calls.get() == (0, 0) {
        assert!(scene.send(1).is_none());
    }
    assert_eq!((calls.get(), scene.waiting()), ((1, 0), 257));
    scene.read_until_told();
    assert_eq!(calls.get(), (1, 1));
}

#[test]
fn where_bytes_are_dropped_descriptors_are_not_and_those_who_send_are_told() {
    let mut scene = Scene::new(SlowReader::DropOldest(1000));
    while scene.told().is_empty() {
        assert!(scene.send(1).is_none());
    }
    assert_eq!((scene.told(), scene.waiting()), (vec![PauseWriting], 257));
    scene.read_until_told();
    assert_eq!(scene.told(), [PauseWriting, ResumeWriting]);
}

#[test]
fn a_slow_reader_that_is_to_be_disconnected_is_not_waited_for() {
    const NAME: &str = "a_slow_reader_that_is_to_be_disconnected_is_not_waited_for";
    if !is_child() {
        in_child(NAME, &MANY_FILES);
        return;
    }
    let mut scene = Scene::new(SlowReader::Disconnect(1_000_000));
    let mut most = 0;
    while scene.log.lost() == 0 {
        assert!(scene.send(1).is_none(), "nothing is refused");
        most = most.max(scene.waiting());
    }
    assert_eq!((scene.log.reasons(), most), (vec!["WriteLimit".to_owned()], LIMIT));
    assert_eq!(scene.told().len(), 1, "nobody was asked to pause");
}

#[test]
fn descriptors_are_offered_to_the_system_before_any_are_refused() {
    const NAME: &str = "descriptors_are_offered_to_the_system_before_any_are_refused";
    if !is_child() {
        in_child(NAME, &MANY_FILES);
        return;
    }
    let sent = Rc::new(Cell::new(0));
    let count = Rc::clone(&sent);
    let mut scene = Scene::with(SlowReader::Pause, move |transport, event| {
        if *event == Event::Made {
            for _ in 0..20 {
                let files = (0..200).map(|_| File::open("/dev/null").unwrap());
                transport.send_descriptors(b"many", files).unwrap();
                count.set(count.get() + 1);
            }
            assert!(transport.descriptors_waiting() <= LIMIT);
        }
    });
    assert_eq!((sent.get(), scene.waiting()), (20, 0), "the socket has room for 20 messages");
}

#[test]
fn an_attempt_to_connect_refuses_as_well_and_connection_made_tells_of_room() {
    const NAME: &str = "an_attempt_to_connect_refuses_as_well_and_connection_made_tells_of_room";
    if !is_child() {
        in_child(NAME, &MANY_FILES);
        return;
    }
    let (folder, heards) = (Folder::new(), Heards::default());
    let path = folder.path("take.sock");
    let mut reactor = receiver(&path, &heards);
    let (log, failures) = (Log::default(), Failures::default());
    let files = |count| (0..count).map(|_| File::open("/dev/null").unwrap());
    let options = UnixConnectOptions::new().slow_reader(SlowReader::Disconnect(1_000_000));
    let patient = reactor.connect_unix(&path, Caller::new(&log, &failures, only_record)).unwrap();
    let context = reactor.context();
    let caller = Caller::new(&log, &failures, only_record);
    let impatient = context.connect_unix_with(&path, &options, caller).unwrap();
    for id in [patient, impatient] {
        for _ in 0..4 {
            context.send_descriptors(id, b"x", files(250)).unwrap();
        }
        assert_eq!(context.descriptors_waiting(id), 1000);
    }
    let error = context.send_descriptors(patient, b"x", files(25)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    context.send_descriptors(impatient, b"x", files(25)).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1 && failures.borrow().len() == 1);
    assert_eq!((log.ids()[0], failures.borrow()[0].0), (patient, impatient));
    let text = failures.borrow()[0].1.to_string();
    assert!(text.contains("too much waited to be sent"), "{text}");
    assert_eq!(reactor.context().descriptors_waiting(patient), 0);
}

/// Wants to let its connection go as soon as descriptors are lost, and does so when it may.
struct Leaver(Rc<std::cell::RefCell<Vec<String>>>);

impl ropewalk::Protocol for Leaver {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn descriptors_lost(&mut self, transport: &mut Transport<'_>) {
        let error = transport.detach().unwrap_err();
        self.0.borrow_mut().push(error.to_string());
    }

    fn descriptors_received(
        &mut self,
        transport: &mut Transport<'_>,
        data: &[u8],
        descriptors: Vec<std::os::fd::OwnedFd>,
    ) {
        drop(descriptors);
        let text = String::from_utf8_lossy(data).into_owned();
        self.0.borrow_mut().push(text);
        transport.detach().unwrap();
    }
}

#[test]
fn nothing_is_lost_by_a_detach_when_descriptors_are() {
    const NAME: &str = "nothing_is_lost_by_a_detach_when_descriptors_are";
    if !is_child() {
        in_child(NAME, &FEW_FILES);
        return;
    }
    let notes = Rc::default();
    let theirs = Rc::clone(&notes);
    let (mut reactor, _client) = passed_too_many(b"with many", move || Leaver(Rc::clone(&theirs)));
    turn_until(&mut reactor, "both", |_| notes.borrow().len() == 2);
    let notes = notes.borrow();
    assert!(notes[0].contains("detach in `descriptors_received`"), "{}", notes[0]);
    assert_eq!(notes[1], "with many");
}
