//! An evening in the chat, in a simulated world: a server, guests on other nodes who come, talk, change rooms,
//! whisper, doze and go, and what has to be true of what they hear whatever goes wrong.
//!
//! One scribe for each room sits beside the server, over a Unix socket which no network can break. What he
//! hears is what was said in that room, in order. What a guest has heard while he was in a room must be a
//! piece of that without a gap, but for what he has said himself.

use ropewalk::{Context, Error, Factory, Id, Protocol, Reactor, Reason};
use ropewalk_chat::Chat;
use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
use ropewalk_simulation::{NodeId, Plan, Random, World};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

const ROOMS: [&str; 4] = ["lobby", "red", "green", "blue"];

/// How many guests a node has.
const GUESTS: u32 = 3;

/// How long everything may take to come to rest: longer than the system tries to send anything.
const SETTLED: Duration = Duration::from_secs(1200);

/// What one guest has heard in one room, from when he came to when he went.
#[derive(Debug)]
struct Stay {
    guest: String,
    room: String,
    heard: Vec<String>,
    /// He is still there.
    lasts: bool,
}

/// What everybody writes down.
#[derive(Debug, Default)]
struct Diary {
    /// What was said in each room, for each time that the server has been started.
    truth: Vec<BTreeMap<&'static str, Vec<String>>>,
    stays: Vec<Stay>,
    /// Who is still there, as the server sees it: who is cut off need not know.
    present: BTreeSet<String>,
    /// The scribes' connections.
    scribes: Vec<Id>,
    errors: Vec<String>,
    report: Report,
}

/// What an evening came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    pub(crate) visits: u64,
    pub(crate) failed: u64,
    pub(crate) said: u64,
    pub(crate) heard: u64,
    pub(crate) whispered: u64,
    pub(crate) lost: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { visits, failed, said, heard, whispered, lost } = self;
        writeln!(
            f,
            "visits            {visits:>9}  ({failed} attempts failed, {lost} were cut off)"
        )?;
        writeln!(f, "lines said        {said:>9}")?;
        writeln!(f, "lines heard       {heard:>9}")?;
        write!(f, "whispered         {whispered:>9}")
    }
}

#[derive(Clone, Debug, Default)]
struct Shared {
    diary: Rc<RefCell<Diary>>,
    /// Nobody says anything new.
    calm: Rc<Cell<bool>>,
    /// Given out once each, so that no two visits and no two lines are the same.
    numbers: Rc<Cell<u64>>,
}

impl Shared {
    fn number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    fn write<T>(&self, write: impl FnOnce(&mut Diary) -> T) -> T {
        write(&mut self.diary.borrow_mut())
    }
}

/// Spends an evening of this length in `world`, which is empty: a server and `nodes` nodes with guests.
///
/// # Errors
///
/// If somebody has heard what he should not have, or not heard what he should.
pub(crate) fn spend(
    world: &mut World,
    nodes: u32,
    plan: &Plan,
    length: Duration,
) -> Result<Report, String> {
    let shared = Shared::default();
    let all = settle_in(world, nodes, &shared);
    world.add_faults(plan);
    world.run_for(length);
    // What was said is heard, by everybody who is still there.
    shared.calm.set(true);
    world.run_for(SETTLED);
    if let Some(reactor) = world.reactor(all[0]) {
        let scribes = shared.write(|diary| diary.scribes.clone());
        scribes.iter().for_each(|scribe| reactor.context().write(*scribe, b"/who\n"));
    }
    world.run_for(Duration::from_secs(1));
    shared.write(|diary| diary.check())?;
    for node in all {
        if let Some(reactor) = world.reactor(node) {
            reactor.context().stop();
        }
    }
    world.run_for(SETTLED);
    match world.connections() {
        0 => Ok(shared.diary.borrow().report),
        left => Err(format!("{left} connections are left in the network")),
    }
}

/// Everybody's nodes; the server's is the first.
fn settle_in(world: &mut World, nodes: u32, shared: &Shared) -> Vec<NodeId> {
    let seed = world.seed();
    let diary = shared.clone();
    let mut all = vec![world.add_node("server", move |reactor| serve(reactor, &diary))];
    for node in 1..=nodes {
        let shared = shared.clone();
        all.push(world.add_node(&format!("node{node}"), move |reactor| {
            for guest in 0..GUESTS {
                let random = Random::new(seed ^ u64::from(node * GUESTS + guest) << 20);
                let name = format!("n{node}g{guest}");
                Guest::new(&name, random, &shared).come(reactor.context());
            }
            Ok(())
        }));
    }
    all
}

/// The server lets guests in when its scribes are in their rooms.
fn serve(reactor: &mut Reactor, shared: &Shared) -> Result<(), Error> {
    let chat = Chat::new().write_limit(64 * 1024);
    reactor.listen_unix("/run/chat", chat.factory())?;
    let missing = Rc::new(Cell::new(ROOMS.len()));
    shared.write(|diary| diary.begin());
    for room in ROOMS {
        let (shared, chat, missing) = (shared.clone(), chat.clone(), Rc::clone(&missing));
        reactor.connect_unix("/run/chat", move || {
            let (shared, chat, missing) = (shared.clone(), chat.clone(), Rc::clone(&missing));
            LineReceiver::new(Scribe { room, chat, missing, shared })
        })?;
    }
    Ok(())
}

/// Writes down what is said in a room.
struct Scribe {
    room: &'static str,
    chat: Chat,
    /// How many scribes are not in their rooms yet.
    missing: Rc<Cell<usize>>,
    shared: Shared,
}

impl LineHandler for Scribe {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        self.shared.write(|diary| diary.scribes.push(lines.id()));
        lines.send_line(format!("scribe-{}", self.room));
        lines.send_line(format!("/join {}", self.room));
    }

    fn line_received(&mut self, lines: &mut LineTransport<'_>, line: &str) {
        if line.starts_with('<') {
            return self.shared.write(|diary| diary.say(self.room, line));
        }
        if let Some((_, people)) = line.strip_prefix("* in ").and_then(|line| line.split_once(": "))
        {
            let people = people.split(", ").map(str::to_owned);
            return self.shared.write(|diary| diary.present.extend(people));
        }
        // Everybody begins in the lobby.
        let arrives = line.starts_with("* you are ") && !line.ends_with(" already");
        if arrives && line.contains(&format!(" in {}", self.room)) {
            self.missing.set(self.missing.get() - 1);
            if self.missing.get() == 0 {
                let opened = lines.context().listen_tcp("0.0.0.0:7001", self.chat.factory());
                if let Err(error) = opened {
                    self.shared.write(|diary| diary.errors.push(error.to_string()));
                }
            }
        }
    }
}

/// Somebody who comes to the chat, again and again.
#[derive(Clone)]
struct Guest(Rc<RefCell<Person>>);

struct Person {
    name: String,
    random: Random,
    shared: Shared,
    visit: u64,
    /// His connection, and the place of his present stay in the diary.
    here: Option<Id>,
    stay: Option<usize>,
    /// The room in which the server will find him when it has read all that he has sent.
    room: String,
}

/// His node has crashed, say.
impl Drop for Person {
    fn drop(&mut self) {
        self.end_stay();
    }
}

impl Guest {
    fn new(name: &str, random: Random, shared: &Shared) -> Self {
        Self(Rc::new(RefCell::new(Person {
            name: name.to_owned(),
            random,
            shared: shared.clone(),
            visit: 0,
            here: None,
            stay: None,
            room: String::new(),
        })))
    }

    /// Comes, in a while.
    fn come(&self, context: &mut Context) {
        let mut person = self.0.borrow_mut();
        if person.shared.calm.get() {
            return;
        }
        let delay = person.random.duration(Duration::from_millis(1), Duration::from_secs(2));
        let guest = self.clone();
        context.call_later(delay, move |context| {
            if context.connect_tcp("server:7001", Coming(guest.clone())).is_err() {
                guest.come(context); // The name was not found.
            }
        });
    }

    /// Says or does something, again and again as long as he is there.
    fn act(&self, context: &mut Context, id: Id) {
        let mut person = self.0.borrow_mut();
        if person.here != Some(id) {
            return;
        }
        if person.shared.calm.get() {
            drop(person);
            return context.resume(id);
        }
        person.do_something(context, id);
        let delay = person.random.duration(Duration::from_millis(1), Duration::from_secs(1));
        let guest = self.clone();
        context.call_later(delay, move |context| guest.act(context, id));
    }
}

impl Person {
    fn do_something(&mut self, context: &mut Context, id: Id) {
        match self.random.below(100) {
            0..10 => {
                self.room = (*self.random.choose(&ROOMS)).to_owned();
                context.write(id, format!("/join {}\n", self.room).as_bytes());
            }
            10..16 => {
                // To himself as often as not, for he knows that he is there.
                let to = self.session();
                let whisper = format!("/msg {to} only for {to}, {}\n", self.shared.number());
                context.write(id, whisper.as_bytes());
                self.shared.write(|diary| diary.report.whispered += 1);
            }
            16..20 => context.write(id, b"/who\n/me yawns\n"),
            20..25 => context.pause(id),
            25..40 => context.resume(id),
            40 => context.write(id, b"/quit\n"),
            41 => context.abort(id),
            _ => {
                let lines = [1, 1, 1, 3, 40][self.random.below(5) as usize];
                for _ in 0..lines {
                    let line = format!("to {}, {}\n", self.room, self.shared.number());
                    context.write(id, line.as_bytes());
                }
                self.shared.write(|diary| diary.report.said += lines);
            }
        }
    }

    /// What he is called this time.
    fn session(&self) -> String {
        format!("{}v{}", self.name, self.visit)
    }

    fn end_stay(&mut self) {
        if let Some(stay) = self.stay.take() {
            self.shared.write(|diary| diary.stays[stay].lasts = false);
        }
    }

    /// The server says that he is in a room.
    fn begin_stay(&mut self, room: &str) {
        self.end_stay();
        let guest = self.session();
        let room = room.to_owned();
        let stay = Stay { guest, room, heard: Vec::new(), lasts: true };
        self.stay = Some(self.shared.write(|diary| {
            diary.stays.push(stay);
            diary.stays.len() - 1
        }));
    }
}

/// An attempt to get in.
struct Coming(Guest);

impl Factory for Coming {
    fn build(&mut self, _peer: &ropewalk::Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(LineReceiver::new(self.0.clone())))
    }

    fn connection_failed(&mut self, context: &mut Context, _id: Id, _error: Error) {
        self.0.0.borrow().shared.write(|diary| diary.report.failed += 1);
        self.0.come(context);
    }
}

impl LineHandler for Guest {
    type Line = str;

    fn connection_made(&mut self, lines: &mut LineTransport<'_>) {
        let id = lines.id();
        let mut person = self.0.borrow_mut();
        person.visit = person.shared.number();
        person.here = Some(id);
        person.room = ROOMS[0].to_owned();
        person.shared.write(|diary| diary.report.visits += 1);
        lines.send_line(person.session());
        drop(person);
        let guest = self.clone();
        lines.context().call_later(Duration::from_millis(5), move |context| guest.act(context, id));
    }

    fn line_received(&mut self, _lines: &mut LineTransport<'_>, line: &str) {
        let mut person = self.0.borrow_mut();
        if let Some(where_he_is) = line.strip_prefix("* you are ") {
            let room = where_he_is.trim_start_matches("alone ").trim_start_matches("in ");
            let room = room.split(' ').next().unwrap_or_default();
            if !where_he_is.ends_with(" already") {
                person.begin_stay(room);
            }
        } else if line.starts_with('<') {
            let stay = person.stay;
            person.shared.write(|diary| diary.hear(stay, line));
        } else if let Some((_, whisper)) = line.strip_prefix('[').and_then(|l| l.split_once("] ")) {
            let me = person.session();
            if !whisper.starts_with(&format!("only for {me},")) {
                person.shared.write(|diary| diary.errors.push(format!("{me} has heard `{line}`")));
            }
        }
    }

    fn connection_lost(&mut self, lines: &mut LineTransport<'_>, reason: Reason) {
        let mut person = self.0.borrow_mut();
        person.here = None;
        person.end_stay();
        let in_order = matches!(reason, Reason::Closed | Reason::ClosedByPeer | Reason::Stopped);
        if !in_order && !matches!(reason, Reason::Aborted) {
            person.shared.write(|diary| diary.report.lost += 1);
        }
        drop(person);
        self.come(lines.context());
    }
}

impl Diary {
    /// The server has been started.
    fn begin(&mut self) {
        self.truth.push(BTreeMap::new());
        self.scribes.clear();
    }

    /// A scribe has heard a line.
    fn say(&mut self, room: &'static str, line: &str) {
        if !line.contains(&format!("> to {room}, ")) {
            self.errors.push(format!("in {room}, what was meant for another was said: `{line}`"));
        }
        if let Some(said) = self.truth.last_mut() {
            said.entry(room).or_default().push(line.to_owned());
        }
    }

    /// A guest has.
    fn hear(&mut self, stay: Option<usize>, line: &str) {
        self.report.heard += 1;
        match stay.map(|stay| &mut self.stays[stay]) {
            Some(stay) => stay.heard.push(line.to_owned()),
            None => self.errors.push(format!("somebody who is nowhere has heard `{line}`")),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        if let Some(first) = self.errors.first() {
            return Err(first.clone());
        }
        // Where each line stands; no two are the same.
        let mut places = BTreeMap::new();
        for (evening, rooms) in self.truth.iter().enumerate() {
            for (room, lines) in rooms {
                for (place, line) in lines.iter().enumerate() {
                    if places.insert(line.as_str(), (evening, *room, place)).is_some() {
                        return Err(format!("`{line}` was said twice"));
                    }
                }
            }
        }
        self.stays.iter().try_for_each(|stay| self.check_stay(stay, &places))
    }

    fn check_stay(
        &self,
        stay: &Stay,
        places: &BTreeMap<&str, (usize, &'static str, usize)>,
    ) -> Result<(), String> {
        let Stay { guest, room, heard, lasts } = stay;
        let Some(first) = heard.first() else { return Ok(()) };
        let Some(&(evening, said_in, first)) = places.get(first.as_str()) else {
            return Err(format!("{guest} has heard `{first}`, which was not said"));
        };
        if said_in != room {
            return Err(format!("{guest} in {room} has heard what was said in {said_in}"));
        }
        let own = format!("<{guest}> ");
        let said = &self.truth[evening][said_in][first..];
        let mut due = said.iter().filter(|line| !line.starts_with(&own));
        for line in heard {
            match due.next() {
                Some(next) if next == line => {}
                next => {
                    return Err(format!(
                        "{guest} in {room} has heard `{line}` instead of {next:?}"
                    ));
                }
            }
        }
        let stays_on = *lasts && self.present.contains(guest) && evening + 1 == self.truth.len();
        match due.next() {
            Some(missed) if stays_on => {
                Err(format!("{guest}, who is still in {room}, has not heard `{missed}`"))
            }
            _ => Ok(()),
        }
    }
}
