//! Limits on queued descriptors, and how senders are notified.

use crate::support::*;
use crate::unix::*;
use ropewalk::{ConnectOptions, Context, Id, ListenOptions, Reactor, SlowReader, Transport};
use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

/// How many descriptors may be queued.
const LIMIT: usize = 1024;

/// A reactor with one connection, and a client that does not read.
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
        let options = ListenOptions::new().slow_reader(slow_reader);
        let factory = recorders(&log, hook);
        options.listen_unix(reactor.context(), &path, factory).unwrap();
        let client = unix_client(&path);
        client.set_nonblocking(true).unwrap();
        turn_until(&mut reactor, "made", |_| log.made() == 1);
        let (id, file) = (log.ids()[0], file_with(&folder, "passed"));
        Self { reactor, id, client, log, file, _folder: folder }
    }

    /// Sends one byte with one descriptor in each turn, until one is refused or `count` are sent.
    fn send(&mut self, count: usize) -> Option<ropewalk::Error> {
        for _ in 0..count {
            let file = self.file.try_clone().unwrap();
            let id = self.id;
            if let Err(error) = self.context().transport(id).send_descriptors(b"x", [file]) {
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
        self.context().transport(id).descriptors_waiting()
    }

    /// Reads at the client, turn by turn, until the sender receives `resume_writing`: at 64 queued
    /// descriptors.
    fn read_until_event(&mut self) {
        let (id, events) = (self.id, self.events().len());
        while self.events().len() == events {
            assert!(self.waiting() > 64);
            let Self { reactor, client, .. } = self;
            while client.read(&mut [0; 64]).is_ok() {}
            let before = reactor.context().transport(id).descriptors_waiting();
            turn_until(reactor, "buffer space", |reactor| {
                reactor.context().transport(id).descriptors_waiting() < before
            });
        }
        assert!(self.waiting() <= 64);
    }

    /// Returns all events except `Made`.
    fn events(&self) -> Vec<Event> {
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
fn sender_pauses_and_resumes_at_descriptor_marks() {
    if !is_child() {
        in_child(this_test!(), &MANY_FILES);
        return;
    }
    let mut scene = Scene::new(SlowReader::Pause);
    while scene.events().is_empty() {
        assert!(scene.send(1).is_none(), "refused before pause_writing");
    }
    assert_eq!((scene.events(), scene.waiting()), (vec![PauseWriting], 257));
    let error = scene.send(2 * LIMIT).expect("a refusal");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!((scene.events(), scene.waiting()), (vec![PauseWriting], LIMIT));

    scene.read_until_event();
    assert_eq!(scene.events(), [PauseWriting, ResumeWriting]);
    assert!(scene.send(1).is_none());
}

#[test]
fn byte_and_descriptor_marks_cause_one_pause() {
    let mut scene = Scene::new(SlowReader::Pause);
    let id = scene.id;
    scene.context().transport(id).write(&vec![0; MUCH]);
    turns(&mut scene.reactor, 1);
    assert_eq!(scene.events(), [PauseWriting]);
    // Batches, so that this process needs few descriptors.
    for _ in 0..3 {
        let files: Vec<File> = (0..100).map(|_| scene.file.try_clone().unwrap()).collect();
        scene.context().transport(id).send_descriptors(b"x", files).unwrap();
    }
    turns(&mut scene.reactor, 1);
    let (mut buffer, mut read) = (vec![0; 64 * 1024], 0);
    let Scene { reactor, client, log, .. } = &mut scene;
    turn_until(reactor, "all data", |reactor| {
        read += client.read(&mut buffer).unwrap_or(0);
        let resumed = log.count(|event| *event == ResumeWriting) > 0;
        assert!(!resumed || reactor.context().transport(id).descriptors_waiting() <= 64);
        read == MUCH + 3
    });
    assert_eq!(scene.events(), [PauseWriting, ResumeWriting]);
}

#[test]
fn descriptors_pause_and_resume_push_producer() {
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
    scene.context().transport(id).register_push_producer(Counting(Rc::clone(&calls))).unwrap();
    while calls.get() == (0, 0) {
        assert!(scene.send(1).is_none());
    }
    assert_eq!((calls.get(), scene.waiting()), ((1, 0), 257));
    scene.read_until_event();
    assert_eq!(calls.get(), (1, 1));
}

#[test]
fn drop_oldest_pauses_instead_of_dropping_descriptors() {
    let mut scene = Scene::new(SlowReader::DropOldest(1000));
    while scene.events().is_empty() {
        assert!(scene.send(1).is_none());
    }
    assert_eq!((scene.events(), scene.waiting()), (vec![PauseWriting], 257));
    scene.read_until_event();
    assert_eq!(scene.events(), [PauseWriting, ResumeWriting]);
}

#[test]
fn disconnect_policy_applies_to_descriptors() {
    if !is_child() {
        in_child(this_test!(), &MANY_FILES);
        return;
    }
    let mut scene = Scene::new(SlowReader::Disconnect(1_000_000));
    let mut most = 0;
    while scene.log.lost() == 0 {
        assert!(scene.send(1).is_none(), "a refusal");
        most = most.max(scene.waiting());
    }
    assert_eq!((scene.log.reasons(), most), (vec!["WriteLimit".to_owned()], LIMIT));
    assert_eq!(scene.events().len(), 1, "pause_writing was called");
}

#[test]
fn descriptors_are_sent_before_any_is_refused() {
    if !is_child() {
        in_child(this_test!(), &MANY_FILES);
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
    assert_eq!((sent.get(), scene.waiting()), (20, 0), "the socket holds 20 messages");
}

#[test]
fn connecting_attempt_limits_queued_descriptors() {
    if !is_child() {
        in_child(this_test!(), &MANY_FILES);
        return;
    }
    let (folder, events) = (Folder::new(), ReceiverLog::default());
    let path = folder.path("receive.sock");
    let mut reactor = receiver(&path, &events);
    let (log, failures) = (Log::default(), Failures::default());
    let files = |count| (0..count).map(|_| File::open("/dev/null").unwrap());
    let options = ConnectOptions::new().slow_reader(SlowReader::Disconnect(1_000_000));
    let patient = reactor.connect_unix(&path, Caller::new(&log, &failures, only_record)).unwrap();
    let context = reactor.context();
    let caller = Caller::new(&log, &failures, only_record);
    let impatient = options.connect_unix(context, &path, caller).unwrap();
    for id in [patient, impatient] {
        for _ in 0..4 {
            context.transport(id).send_descriptors(b"x", files(250)).unwrap();
        }
        assert_eq!(context.transport(id).descriptors_waiting(), 1000);
    }
    let error = context.transport(patient).send_descriptors(b"x", files(25)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    context.transport(impatient).send_descriptors(b"x", files(25)).unwrap();
    turn_until(&mut reactor, "made", |_| log.made() == 1 && failures.borrow().len() == 1);
    assert_eq!((log.ids()[0], failures.borrow()[0].0), (patient, impatient));
    let text = failures.borrow()[0].1.to_string();
    assert!(text.contains("too much queued data"), "{text}");
    assert_eq!(reactor.context().transport(patient).descriptors_waiting(), 0);
}
