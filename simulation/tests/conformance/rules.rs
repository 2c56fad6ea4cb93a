//! The properties of the simulation, checked on real sockets: random programs on several reactors, from a few
//! seeds.

use crate::model::{Model, UNTIMELY};
use crate::random_protocol::RandomFactory;
use ropewalk::{Context, Error, Reactor};
use ropewalk_simulation::{FaultKind, Random};
use std::cell::RefCell;
use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process;
use std::rc::Rc;
use std::time::{Duration, Instant};

const REACTORS: u64 = 3;

/// How long new connections are made.
const LENGTH: Duration = Duration::from_millis(1500);

/// How long until all protocols have resumed reading: the longest pause, and a margin.
const CALM: Duration = Duration::from_millis(600);

/// The time limit, so that a broken run ends.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Reactors that connect to each other on loopback.
struct Reactors {
    model: Model,
    reactors: Vec<Reactor>,
}

/// Addresses to connect to. Those without a listener refuse.
#[derive(Clone)]
struct Places {
    inet: Rc<RefCell<Vec<SocketAddr>>>,
    unix: PathBuf,
}

fn random_factory(model: &Model, (seed, node): (u64, u64), connects: bool) -> RandomFactory {
    RandomFactory { model: model.clone(), seed, node, connects }
}

/// Connects to a random address, and schedules the next attempt.
fn roam(
    context: &mut Context,
    model: &Model,
    places: &Places,
    who: (u64, u64),
    mut random: Random,
) {
    if model.is_ending.get() {
        return;
    }
    let factory = random_factory(model, who, true);
    let there = *random.choose(&places.inet.borrow());
    let connected = match random.below(10) {
        0 => context.connect_unix(places.unix.join("nobody.sock"), factory),
        1 | 2 => context.connect_unix(places.unix.join(format!("{}.sock", who.1)), factory),
        _ => context.connect_tcp(there, factory),
    };
    if connected.is_ok() {
        model.with(|records| records.attempts += 1);
    }
    let delay = random.duration(Duration::from_millis(1), Duration::from_millis(60));
    let (model, places) = (model.clone(), places.clone());
    context.call_later(delay, move |context| roam(context, &model, &places, who, random));
}

impl Reactors {
    fn new(seed: u64, directory: &Path) -> Result<Self, Error> {
        // On a busy machine everything may be late, and the final writes are not waited for.
        let model = Model::new([UNTIMELY, &[FaultKind::Cut]].concat());
        let unix = directory.join(seed.to_string());
        fs::create_dir_all(&unix).expect("a directory");
        let places = Places { inet: Rc::default(), unix };
        let mut reactors = Vec::new();
        for node in 0..REACTORS {
            let (who, mut reactor) = ((seed, node), Reactor::new()?);
            let any = (Ipv4Addr::LOCALHOST, 0);
            let port = reactor.listen_tcp(any, random_factory(&model, who, false))?;
            places.inet.borrow_mut().extend(port.address().socket_addr());
            let path = places.unix.join(format!("{node}.sock"));
            reactor.listen_unix(path, random_factory(&model, who, false))?;
            reactors.push(reactor);
        }
        for (node, reactor) in (0..).zip(&mut reactors) {
            let random = Random::new(seed ^ node ^ model.number() << 8);
            roam(reactor.context(), &model, &places, (seed, node), random);
        }
        Ok(Self { model, reactors })
    }

    /// Runs a turn of each reactor, and removes those that have stopped.
    fn turn(&mut self) {
        self.reactors.retain_mut(|reactor| {
            reactor.run_turn(Some(Duration::from_micros(300))).expect("a poll that works")
        });
    }

    fn settled(&self) -> bool {
        self.model.check_all_arrived().is_ok()
    }
}

#[test]
fn the_rules_hold_on_real_sockets() {
    let directory = env::temp_dir().join(format!("ropewalk-rules-{}", process::id()));
    let mut towns: Vec<Reactors> =
        (1..=4).map(|seed| Reactors::new(seed, &directory).expect("sockets")).collect();
    let send_repeatedly =
        |towns: &mut Vec<Reactors>, what: &str, done: &mut dyn FnMut(&Reactors) -> bool| {
            let begin = Instant::now();
            while !towns.iter().all(&mut *done) {
                towns.iter_mut().for_each(Reactors::turn);
                assert!(begin.elapsed() < TIME_LIMIT, "not in time: {what}");
            }
        };
    let until = Instant::now() + LENGTH;
    send_repeatedly(&mut towns, "the talk", &mut |_| Instant::now() >= until);
    for town in &towns {
        town.model.check().unwrap();
        town.model.is_ending.set(true);
    }
    let until = Instant::now() + CALM;
    send_repeatedly(&mut towns, "the calm", &mut |town| Instant::now() >= until && town.settled());
    for town in &mut towns {
        // A stopping reactor closes gracefully while others write, and one reactor stops before the other.
        town.model.with(|records| {
            records.streams.values_mut().for_each(|stream| stream.ended = true);
        });
        town.reactors.iter_mut().for_each(|reactor| reactor.context().stop());
    }
    send_repeatedly(&mut towns, "the end", &mut |town| town.reactors.is_empty());
    for town in &towns {
        town.model.check().unwrap();
        town.model.check_over().unwrap();
        let talked = town.model.with(|records| records.streams.len());
        assert!(talked > 50, "only {talked} have talked");
    }
    _ = fs::remove_dir_all(directory);
}
