//! Programs that are recorded in a simulated world, under every fault, and replayed outside of it.

use crate::support::{Callbacks, Echo, Memory};
use ropewalk::{
    Address, Context, DatagramProtocol, DatagramTransport, Error, Id, Protocol, Reactor, Reason,
    RunPhase, TimerId, Transport, call_in_thread,
};
use ropewalk_chat::Chat;
use ropewalk_replay::{Recorder, Replayer, Summary, Tape};
use ropewalk_simulation::{FaultKind, Plan, Random, World, seeds};
use std::cell::RefCell;
use std::io::Cursor;
use std::rc::Rc;
use std::time::Duration;

/// How long the recorded program runs, in simulated time.
const LENGTH: Duration = Duration::from_secs(15);

/// The last callback of a life that does not crash.
const ENDED: &str = "ended";

/// The number of nodes with clients.
const CLIENTS: u32 = 3;

struct DatagramEcho(Callbacks);

impl DatagramProtocol for DatagramEcho {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        from: &Address,
    ) {
        self.0.note(format!("datagram {} from {from}", data.escape_ascii()));
        transport.send_to(data, from);
    }

    fn error_received(&mut self, _transport: &mut DatagramTransport<'_>, error: Error) {
        self.0.note(format!("datagram error {error}"));
    }
}

/// An echo, a chat, an echo of datagrams, a flood, connections to others by name, jobs, and a timer that ends the run.
fn serve(reactor: &mut Reactor, callbacks: &Callbacks) -> Result<(), Error> {
    let echo = callbacks.clone();
    reactor.listen_tcp("0.0.0.0:7000", move || Echo(echo.clone()))?;
    reactor.listen_tcp("[::]:7001", Chat::new().factory())?;
    reactor.listen_udp("0.0.0.0:7002", DatagramEcho(callbacks.clone()))?;
    if let Err(error) = reactor.listen_tcp("0.0.0.0:7000", || Echo(Callbacks::default())) {
        callbacks.note(error.to_string());
    }
    connect_again(reactor.context(), callbacks.clone(), 0);
    reactor.context().call_later(LENGTH, |context| context.stop());
    let last = callbacks.clone();
    RunPhase::AfterShutdown.call(reactor.context(), move |_| last.note(ENDED));
    Ok(())
}

/// Connects to a client's node four times a second, and has a job done.
fn connect_again(context: &mut Context, callbacks: Callbacks, round: u32) {
    let name = format!("client-{}:7100", round % CLIENTS);
    let echo = callbacks.clone();
    if let Err(error) = context.connect_tcp(name, move || Talker(echo.clone(), round)) {
        callbacks.note(error.to_string());
    }
    let jobs = callbacks.clone();
    let started = call_in_thread(
        context,
        move || round * 2,
        move |context, answer| {
            jobs.note(format!("job {answer:?} at {:?}", context.is_stopping()));
        },
    );
    if let Err(error) = started {
        callbacks.note(error.to_string());
    }
    context.call_later(Duration::from_millis(250), move |context| {
        connect_again(context, callbacks, round + 1);
    });
}

/// Sends lines, and reads some.
struct Talker(Callbacks, u32);

impl Protocol for Talker {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.0.note(format!("talker {} made to {}", self.1, transport.peer()));
        transport.write(&vec![b't'; 10 * self.1 as usize]);
        let end = Duration::from_millis(300);
        transport.set_timer(end);
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, data: &[u8]) {
        self.0.note(format!("talker {} received {}", self.1, data.len()));
    }

    fn timer_fired(&mut self, transport: &mut Transport<'_>, _timer: TimerId) {
        if self.1.is_multiple_of(2) { transport.close() } else { transport.abort() }
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.0.note(format!("talker {} lost {reason}", self.1));
    }
}

/// A client with random habits.
struct Guest(Random);

impl Protocol for Guest {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let name = self.0.below(50);
        writeln!(transport, "guest{name}");
        self.act(transport);
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

    fn timer_fired(&mut self, transport: &mut Transport<'_>, _timer: TimerId) {
        self.act(transport);
    }
}

impl Guest {
    fn act(&mut self, transport: &mut Transport<'_>) {
        match self.0.below(16) {
            0 => transport.abort(),
            1 => transport.write_eof(),
            2 => transport.close(),
            3 => transport.pause(),
            4 => transport.resume(),
            5 => transport.write(&vec![b'g'; self.0.below(5_000) as usize]),
            _ => writeln!(transport, "line {}", self.0.below(1000)),
        }
        transport.set_timer(Duration::from_millis(1 + self.0.below(400)));
    }
}

/// Connects to the server again and again, and sends datagrams.
fn visit(context: &mut Context, mut random: Random) {
    let port = 7000 + random.below(2);
    let guest = RefCell::new(Some(Random::new(random.below(u64::MAX))));
    let make = move || Guest(guest.take().unwrap_or_else(|| Random::new(0)));
    let _ = context.connect_tcp(format!("server:{port}"), make);
    let pause = Duration::from_millis(20 + random.below(300));
    context.call_later(pause, move |context| visit(context, random));
}

/// Ignores answers.
struct Quiet;

impl DatagramProtocol for Quiet {
    fn datagram_received(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], _: &Address) {}
}

/// Sends a datagram to the server ten times a second.
fn ask_again(context: &mut Context, id: Id) {
    let server = Address::Inet(([10, 0, 0, 1], 7002).into());
    context.datagram(id).send_to(b"question", &server);
    context.call_later(Duration::from_millis(100), move |context| ask_again(context, id));
}

fn start_client(reactor: &mut Reactor, number: u32, seed: u64) -> Result<(), Error> {
    let random = Random::new(seed ^ u64::from(number) << 32);
    reactor.listen_tcp("0.0.0.0:7100", || Echo(Callbacks::default()))?;
    let port = reactor.listen_udp("0.0.0.0:0", Quiet)?;
    ask_again(reactor.context(), port.id());
    visit(reactor.context(), random);
    Ok(())
}

/// A life of the recorded node.
struct Life {
    memory: Memory,
    tape: Tape,
    callbacks: Callbacks,
}

/// Records all lives of the server in a world with faults.
fn record(seed: u64) -> Vec<Life> {
    let mut world = World::new(seed);
    world.set_job_duration(Duration::from_millis(1), Duration::from_millis(500));
    let lives: Rc<RefCell<Vec<Life>>> = Rc::default();
    let list = Rc::clone(&lives);
    world.set_reactor(move |node, backend| {
        if node.index() > 0 {
            return Reactor::with_backend(backend);
        }
        let memory = Memory::default();
        let recorder = Recorder::new(backend, memory.clone(), "simulated").unwrap().repeat_jobs();
        let life = Life { memory, tape: recorder.tape(), callbacks: Callbacks::default() };
        list.borrow_mut().push(life);
        Reactor::with_backend(recorder)
    });
    let list = Rc::clone(&lives);
    world.add_node("server", move |reactor| {
        let callbacks = list.borrow().last().unwrap().callbacks.clone();
        serve(reactor, &callbacks)
    });
    for number in 0..CLIENTS {
        world.add_node(&format!("client-{number}"), move |reactor| {
            start_client(reactor, number, seed)
        });
    }
    let plan = Plan::draw(seed, FaultKind::ALL, 12, LENGTH, world.nodes().collect::<Vec<_>>());
    world.add_faults(&plan);
    world.run_for(2 * LENGTH);
    drop(world);
    lives.take()
}

/// Replays a life as the world has driven it.
fn replay(life: &Life) -> (Vec<String>, Summary) {
    let replayer = Replayer::new(Cursor::new(life.memory.bytes())).unwrap();
    let (tape, callbacks) = (replayer.tape(), Callbacks::default());
    let mut reactor = Reactor::with_backend(replayer);
    if serve(&mut reactor, &callbacks).is_ok() {
        loop {
            let goes_on = reactor.run_turn(Some(Duration::ZERO)).unwrap_or(false);
            reactor.timeout();
            if !goes_on {
                break;
            }
        }
    }
    drop(reactor);
    (callbacks.list(), tape.summary())
}

#[test]
fn lives_under_all_faults_are_replayed() {
    let (mut complete, mut crashed, mut callbacks) = (0, 0, 0);
    for seed in seeds(0..20) {
        for life in record(seed) {
            let recorded = life.tape.summary();
            assert!(recorded.ending.is_complete(), "seed {seed}: {}", recorded.ending);
            let (replayed, summary) = replay(&life);
            let expected = life.callbacks.list();
            if expected.contains(&ENDED.to_owned()) {
                complete += 1;
                assert!(summary.ending.is_complete(), "seed {seed}: {}", summary.ending);
                assert_eq!(replayed, expected, "seed {seed}");
                assert_eq!(summary.hash, recorded.hash, "seed {seed}");
            } else {
                // A crash in the world drops the reactor without callbacks, where the replay goes on with a turn.
                crashed += 1;
                assert_eq!(replayed[..expected.len()], expected, "seed {seed}");
            }
            callbacks += replayed.len();
        }
    }
    println!("{complete} complete and {crashed} crashed lives, {callbacks} callbacks");
    assert!(complete >= 15 && callbacks > 5000, "{complete} {callbacks}");
}
