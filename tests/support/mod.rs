//! What the scenarios share: a protocol that records what it hears, and a reactor turned by hand.

#![allow(dead_code, unused_imports)] // No scenario needs all of it.

mod ports;

pub(crate) use ports::dead;
use ropewalk::{Address, Context, Error, Factory, Id, Protocol, Reactor, Reason, Transport};
use std::cell::RefCell;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long anything may take before a scenario is given up: a fail-safe, not a measure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One callback that a protocol has heard.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Made,
    Data(Vec<u8>),
    Eof,
    EofNoticed,
    PauseWriting,
    ResumeWriting,
    ReadingResumed,
    /// With the reason as `Debug` prints it.
    Lost(String),
}

/// Long data is shown by its length.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made => f.write_str("Made"),
            Self::Data(data) if data.len() > 40 => write!(f, "Data({} bytes)", data.len()),
            Self::Data(data) => write!(f, "Data({:?})", String::from_utf8_lossy(data)),
            Self::Eof => f.write_str("Eof"),
            Self::EofNoticed => f.write_str("EofNoticed"),
            Self::PauseWriting => f.write_str("PauseWriting"),
            Self::ResumeWriting => f.write_str("ResumeWriting"),
            Self::ReadingResumed => f.write_str("ReadingResumed"),
            Self::Lost(reason) => write!(f, "Lost({reason})"),
        }
    }
}

/// What all the recorders of a scenario have heard, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<(Id, Event)>>>, bool);

impl Log {
    /// A log that keeps nothing: for floods.
    pub(crate) fn forgetful() -> Self {
        Self(Rc::default(), true)
    }

    pub(crate) fn push(&self, id: Id, event: Event) {
        if !self.1 {
            self.0.borrow_mut().push((id, event));
        }
    }

    pub(crate) fn all(&self) -> Vec<(Id, Event)> {
        self.0.borrow().clone()
    }

    /// The connections, in the order in which they were made.
    pub(crate) fn ids(&self) -> Vec<Id> {
        let made = |(id, event): &(Id, Event)| (*event == Event::Made).then_some(*id);
        self.0.borrow().iter().filter_map(made).collect()
    }

    pub(crate) fn of(&self, id: Id) -> Vec<Event> {
        let all = self.0.borrow();
        all.iter().filter(|(of, _)| *of == id).map(|(_, event)| event.clone()).collect()
    }

    pub(crate) fn made(&self) -> usize {
        self.count(|event| *event == Event::Made)
    }

    pub(crate) fn lost(&self) -> usize {
        self.count(|event| matches!(event, Event::Lost(_)))
    }

    pub(crate) fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.0.borrow().iter().filter(|(_, event)| which(event)).count()
    }

    /// All reasons that were told, in order.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reason = |(_, event): &(Id, Event)| match event {
            Event::Lost(reason) => Some(reason.clone()),
            _ => None,
        };
        self.0.borrow().iter().filter_map(reason).collect()
    }

    /// All data, of all connections together.
    pub(crate) fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for (_, event) in self.0.borrow().iter() {
            if let Event::Data(bytes) = event {
                data.extend_from_slice(bytes);
            }
        }
        data
    }

    /// That every connection was made first and once, and, when `all_lost`, lost last and once.
    pub(crate) fn check(&self, all_lost: bool) {
        for id in self.ids() {
            let events = self.of(id);
            let made = events.iter().filter(|event| **event == Event::Made).count();
            let lost = events.iter().filter(|event| matches!(event, Event::Lost(_))).count();
            assert_eq!(made, 1, "{id} made once: {events:?}");
            assert_eq!(events.first(), Some(&Event::Made), "{id} made first: {events:?}");
            assert!(lost <= 1, "{id} lost once: {events:?}");
            if lost == 1 {
                let last = events.last();
                assert!(matches!(last, Some(Event::Lost(_))), "{id} lost last: {events:?}");
            }
            assert!(lost == 1 || !all_lost, "{id} was never lost: {events:?}");
        }
    }
}

/// What a scenario does on each callback, after it has been recorded.
pub(crate) type Hook = Box<dyn FnMut(&mut Transport<'_>, &Event)>;

/// Records each callback, then runs the scenario's hook.
pub(crate) struct Recorder {
    log: Log,
    hook: Hook,
    /// Whether it leaves `eof_received` as it comes.
    default_eof: bool,
}

impl Recorder {
    pub(crate) fn new(log: &Log, hook: impl FnMut(&mut Transport<'_>, &Event) + 'static) -> Self {
        Self { log: log.clone(), hook: Box::new(hook), default_eof: true }
    }

    /// It does nothing of itself when the peer has ended its side.
    pub(crate) fn keeping_open(mut self) -> Self {
        self.default_eof = false;
        self
    }

    fn note(&mut self, transport: &mut Transport<'_>, event: Event) {
        self.log.push(transport.id(), event.clone());
        (self.hook)(transport, &event);
    }
}

/// The trait's defaults, to be called where a recorder is not to have its own.
struct Defaults;

impl Protocol for Defaults {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

impl Protocol for Recorder {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::Made);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.note(transport, Event::Data(data.to_vec()));
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::Eof);
        if self.default_eof {
            Defaults.eof_received(transport);
        }
    }

    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::EofNoticed);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::PauseWriting);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::ResumeWriting);
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        self.note(transport, Event::ReadingResumed);
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        self.note(transport, Event::Lost(format!("{reason:?}")));
    }
}

/// A factory of recorders, all with the same hook.
pub(crate) fn recorders(
    log: &Log,
    hook: impl FnMut(&mut Transport<'_>, &Event) + Clone + 'static,
) -> impl FnMut() -> Recorder + 'static {
    let log = log.clone();
    move || Recorder::new(&log, hook.clone())
}

/// A hook that does nothing.
pub(crate) fn only_record(_transport: &mut Transport<'_>, _event: &Event) {}

/// A hook that echoes.
pub(crate) fn echo(transport: &mut Transport<'_>, event: &Event) {
    if let Event::Data(data) = event {
        transport.write(data);
    }
}

/// Sends back what it gets; for scenarios that need not know what a server hears.
pub(crate) struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

/// What connectors' factories have heard of failed attempts.
pub(crate) type Failures = Rc<RefCell<Vec<(Id, Error)>>>;

/// A connector's factory: it builds one recorder, and notes a failure.
pub(crate) struct Caller {
    pub(crate) log: Log,
    pub(crate) failures: Failures,
    pub(crate) hook: Option<Hook>,
}

impl Caller {
    pub(crate) fn new(
        log: &Log,
        failures: &Failures,
        hook: impl FnMut(&mut Transport<'_>, &Event) + 'static,
    ) -> Self {
        Self { log: log.clone(), failures: Rc::clone(failures), hook: Some(Box::new(hook)) }
    }
}

impl Factory for Caller {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        let hook = self.hook.take().expect("a connector builds once");
        Some(Box::new(Recorder { log: self.log.clone(), hook, default_eof: true }))
    }

    fn connection_failed(&mut self, _context: &mut Context, id: Id, error: Error) {
        self.failures.borrow_mut().push((id, error));
    }
}

/// A reactor that listens on a port of this machine.
pub(crate) fn up(factory: impl Factory) -> (Reactor, SocketAddr) {
    let mut reactor = Reactor::new().expect("a reactor");
    let address = listen(&mut reactor, factory);
    (reactor, address)
}

pub(crate) fn listen(reactor: &mut Reactor, factory: impl Factory) -> SocketAddr {
    let port = reactor.listen_tcp("127.0.0.1:0", factory).expect("a free port");
    port.address().socket_addr().expect("an IP address")
}

/// A client that waits when it reads; it fails rather than hang.
pub(crate) fn client(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("the listener is there");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    client.set_nodelay(true).expect("no delay");
    // A fixed size, or else the system would take more and more off a writer's hands.
    let socket = socket2::SockRef::from(&client);
    socket.set_recv_buffer_size(256 * 1024).expect("a buffer");
    client
}

/// Closes a client so that its peer gets a reset.
pub(crate) fn reset(client: TcpStream) {
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("linger");
    drop(client);
}

/// Reads to the end; a reset or a timeout fails the scenario.
pub(crate) fn read_all(mut client: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    client.read_to_end(&mut all).expect("the end of the data, not an error");
    all
}

/// What a client that does not wait gets to read: `None` if nothing is there.
pub(crate) fn peek_now(client: &TcpStream, buffer: &mut [u8]) -> Option<std::io::Result<usize>> {
    client.set_nonblocking(true).expect("nonblocking");
    let result = (&mut &*client).read(buffer);
    client.set_nonblocking(false).expect("blocking");
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        result => Some(result),
    }
}

/// A client of an echo has all its answers, whatever else goes on.
pub(crate) fn a_small_client_is_answered(reactor: &mut Reactor, address: SocketAddr) {
    let mut client = client(address);
    for _ in 0..50 {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(reactor, &client, 4), b"ping");
    }
}

/// Turns until `condition` holds.
pub(crate) fn turn_until(
    reactor: &mut Reactor,
    what: &str,
    mut condition: impl FnMut(&mut Reactor) -> bool,
) {
    let begin = Instant::now();
    while !condition(reactor) {
        assert!(begin.elapsed() < PATIENCE, "waited in vain: {what}");
        reactor.turn(Some(Duration::from_millis(20))).expect("a turn");
    }
}

/// Turns until a turn with nothing to do has passed: for asserting that nothing more happens.
pub(crate) fn turns(reactor: &mut Reactor, count: usize) {
    for _ in 0..count {
        reactor.turn(Some(Duration::from_millis(1))).expect("a turn");
    }
}

/// Turns for some time: what the system is to do by itself takes that long.
pub(crate) fn turns_for(reactor: &mut Reactor, time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        reactor.turn(Some(Duration::from_millis(20))).expect("a turn");
    }
}

/// Whether the reactor comes to rest: of some turns with nothing to do, one waits for all its time.
/// A reactor that spins has none such.
pub(crate) fn comes_to_rest(reactor: &mut Reactor) -> bool {
    let limit = Duration::from_millis(30);
    (0..20).any(|_| {
        let begin = Instant::now();
        reactor.turn(Some(limit)).expect("a turn");
        begin.elapsed() >= limit - Duration::from_millis(2)
    })
}

/// Turns while `client` waits for `count` bytes, and returns them.
pub(crate) fn read_turning(reactor: &mut Reactor, client: &TcpStream, count: usize) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let begin = Instant::now();
    while got.len() < count {
        assert!(begin.elapsed() < 3 * PATIENCE, "got {} of {count} bytes", got.len());
        match peek_now(client, &mut buffer) {
            Some(Ok(0)) => panic!("the end came after {} of {count} bytes", got.len()),
            Some(Ok(read)) => got.extend_from_slice(&buffer[..read]),
            Some(Err(error)) => panic!("{error} after {} of {count} bytes", got.len()),
            None => reactor.turn(Some(Duration::from_millis(5))).expect("a turn"),
        }
    }
    got
}

/// Turns while `client` reads to the end.
pub(crate) fn read_all_turning(
    reactor: &mut Reactor,
    client: &TcpStream,
) -> std::io::Result<Vec<u8>> {
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < 3 * PATIENCE, "no end after {} bytes", got.len());
        match peek_now(client, &mut buffer) {
            Some(Ok(0)) => return Ok(got),
            Some(Ok(read)) => got.extend_from_slice(&buffer[..read]),
            Some(Err(error)) => return Err(error),
            None => reactor.turn(Some(Duration::from_millis(5))).expect("a turn"),
        }
    }
}

/// Bytes in which any loss, doubling or swap shows.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n ^ (n >> 8) ^ (n >> 16).wrapping_mul(31)) as u8).collect()
}

/// More than the system takes from us for a peer that does not read: tcp(7), tcp_wmem is 4 MiB.
pub(crate) const MUCH: usize = 6_000_000;

/// A wrapper for [`in_child`] that lets the child have as many descriptors as may be had.
pub(crate) const MANY_FILES: [&str; 3] =
    ["sh", "-c", "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\""];

const CHILD: &str = "ROPEWALK_TEST_CHILD";

/// Whether this process is the one that plays a scenario for [`in_child`].
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// The command that runs the test `name` of this very program, alone and as a child. `wrapper` is
/// put before it, for instance `["prlimit", "--nofile=40"]`.
pub(crate) fn child(name: &str, wrapper: &[&str]) -> Command {
    let mut command = Command::new("env");
    // A shell starts what runs in the background with SIGINT ignored, and children inherit it.
    command.arg("--default-signal=INT").args(wrapper);
    command.arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(CHILD, "1").stdin(Stdio::null());
    command
}

/// Whether strace is there and may trace; if not, the scenario is skipped, and says so.
pub(crate) fn strace_works() -> bool {
    let mut command = Command::new("strace");
    command.args(["-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    let works = command.status().is_ok_and(|status| status.success());
    if !works {
        println!("skipped: there is no strace(1) here, or it may not trace");
    }
    works
}

/// Runs the test `name` in a child, which has to succeed.
pub(crate) fn in_child(name: &str, wrapper: &[&str]) -> Output {
    let output = child(name, wrapper).output().expect("the child starts");
    assert!(
        output.status.success(),
        "child {name}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// How many descriptors this process has open.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}
