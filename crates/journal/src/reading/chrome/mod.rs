//! Chrome's trace format: for chrome://tracing and <https://ui.perfetto.dev>.

mod arrows;
mod event;

use crate::reading::text::full_name;
use crate::reading::{Failure, read};
use arrows::Arrows;
use event::{Events, Place};
use ropewalk::Id;
use ropewalk::journal::{CallOutcome, Record, SystemCall, What, short_name};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::mem;
use std::time::Duration;

/// The width of a slice whose duration is not known, at most.
const WIDTH: Duration = Duration::from_micros(1);

/// Writes a trace in Chrome's JSON format. Returns the number of records in the file.
///
/// Each node is a process, and each socket a track; the reactor's own track has its waits and turns. Callbacks and system
/// calls are slices, in the order of the journal. If the journal has the durations of callbacks
/// ([`Reactor::time_callbacks`](ropewalk::Reactor::time_callbacks)), slices have them; otherwise a slice is at most 1 µs
/// wide, since records carry the time of their turn. Counters show the queued bytes when a mark was crossed.
///
/// An arrow leads from a write to the read of its first byte, if both ends are in the journal from their begin. The ends
/// are matched by addresses: the local one of an attempt, and the peer's of an accepted connection. Where a port is not
/// unique, records are missing, or the numbers of bytes contradict, there are no arrows.
///
/// # Errors
///
/// Those of [`read`]. What was written is a complete trace nevertheless.
pub fn write_chrome(file: impl Read, out: &mut impl Write) -> Result<u64, Failure> {
    let mut trace = Trace {
        events: Events::begin(out).map_err(Failure::Write)?,
        nodes: BTreeMap::new(),
        arrows: Arrows::default(),
    };
    let count = read(file, |record| trace.see(record));
    trace.end().map_err(Failure::Write)?;
    count
}

struct Trace<'a, W: Write> {
    events: Events<'a, W>,
    nodes: BTreeMap<String, Node>,
    arrows: Arrows,
}

/// The state of one reactor.
#[derive(Default)]
struct Node {
    number: u32,
    /// The tracks of sockets. The reactor's is 0.
    tracks: BTreeMap<Id, u32>,
    /// The number of tracks that were made.
    made: u32,
    /// When the last wait began, and when that of the present turn returned.
    wait: Option<Duration>,
    turn: Option<Duration>,
    /// Where the next slice may begin.
    next: Duration,
    /// What has happened in the present turn.
    steps: Vec<Step>,
}

/// A record that is placed when the length of its turn is known.
struct Step {
    id: Option<Id>,
    what: What,
    text: String,
    took: Option<Duration>,
}

impl Step {
    fn is_slice(&self) -> bool {
        matches!(self.what, What::Called(..) | What::Syscall(..))
    }
}

impl<W: Write> Trace<'_, W> {
    fn see(&mut self, record: &Record<'_>) -> io::Result<()> {
        if !self.nodes.contains_key(record.node) {
            let number = self.nodes.len() as u32 + 1;
            self.nodes.insert(record.node.to_owned(), Node { number, ..Node::default() });
            let name = if record.node.is_empty() { "reactor" } else { record.node };
            self.events.name_process(number, name)?;
            self.events.name_track(Place { process: number, track: 0 }, "reactor")?;
        }
        let Some(node) = self.nodes.get_mut(record.node) else { return Ok(()) };
        let reactor = Place { process: node.number, track: 0 };
        match record.what {
            What::TurnBegins(..) => {
                node.place(record.time, &mut self.events, &mut self.arrows)?;
                node.wait = Some(record.time.max(node.next));
            }
            What::Waited => {
                if let Some(began) = node.wait.take() {
                    self.events.slice(reactor, "wait", began, record.time.saturating_sub(began))?;
                }
                node.turn.get_or_insert(record.time);
                node.next = node.next.max(record.time);
            }
            What::TurnEnds => {
                if let Some(began) = node.turn.take() {
                    let length = record.time.saturating_sub(began);
                    self.events.slice(reactor, "turn", began, length)?;
                }
                node.place(record.time, &mut self.events, &mut self.arrows)?;
            }
            What::Returned(took) => node.time(record.id, took),
            What::Owned => {
                if let Some(id) = record.id {
                    let name = format!("{id} {}", short_name(record.name));
                    self.events.name_track(node.track(id), &name)?;
                }
            }
            what => node.steps.push(step(record, what)),
        }
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        for node in self.nodes.values_mut() {
            node.place(node.next, &mut self.events, &mut self.arrows)?;
        }
        self.events.end()
    }
}

fn step(record: &Record<'_>, what: What) -> Step {
    let text = match what {
        What::Called(callback, _) => full_name(record, callback),
        what => what.to_string(),
    };
    Step { id: record.id, what, text, took: None }
}

impl Node {
    /// Returns the track of a socket.
    fn track(&mut self, id: Id) -> Place {
        let made = &mut self.made;
        let track = *self.tracks.entry(id).or_insert_with(|| {
            *made += 1;
            *made
        });
        Place { process: self.number, track }
    }

    /// Sets the duration of the last call of a socket's callback.
    fn time(&mut self, id: Option<Id>, took: Duration) {
        let is_call = |step: &&mut Step| step.id == id && matches!(step.what, What::Called(..));
        if let Some(step) = self.steps.iter_mut().rfind(is_call) {
            step.took.get_or_insert(took);
        }
    }

    /// Writes what has happened since the last turn. It lasts until `end`.
    fn place<W: Write>(
        &mut self,
        end: Duration,
        events: &mut Events<'_, W>,
        arrows: &mut Arrows,
    ) -> io::Result<()> {
        let steps = mem::take(&mut self.steps);
        let timed: Duration = steps.iter().filter_map(|step| step.took).sum();
        let untimed = steps.iter().filter(|step| step.is_slice() && step.took.is_none()).count();
        let left = end.saturating_sub(self.next).saturating_sub(timed);
        let width = (left / (untimed as u32 + 1)).min(WIDTH);
        for step in steps {
            let at = self.next;
            let place = match step.id {
                Some(id) => self.track(id),
                None => Place { process: self.number, track: 0 },
            };
            if step.is_slice() {
                let took = step.took.unwrap_or(width);
                events.slice(place, &step.text, at, took)?;
                self.next = at.saturating_add(took);
            } else {
                events.instant(place, &step.text, at)?;
            }
            if let (What::Crossed(_, bytes) | What::Closing(bytes), Some(id)) = (step.what, step.id)
            {
                events.counter(place, &format!("queued {id}"), at, bytes)?;
            }
            self.draw(&step, place, at, events, arrows)?;
        }
        self.next = self.next.max(end);
        Ok(())
    }

    /// Writes the arrows that end in a step.
    fn draw<W: Write>(
        &mut self,
        step: &Step,
        place: Place,
        at: Duration,
        events: &mut Events<'_, W>,
        arrows: &mut Arrows,
    ) -> io::Result<()> {
        if let What::Missing(_) = step.what {
            arrows.forget(self.number);
        }
        let Some(id) = step.id else { return Ok(()) };
        let end = (self.number, id);
        match step.what {
            What::Local(local) => arrows.connects(end, local),
            What::Peer(peer) => arrows.begins(end, peer),
            What::Syscall(SystemCall::Send, CallOutcome::Bytes(count)) => {
                arrows.sends(end, count, (place, at));
            }
            What::Syscall(SystemCall::Receive, CallOutcome::Bytes(count)) => {
                for (from, began) in arrows.receives(end, count) {
                    events.arrow((from, began), (place, at))?;
                }
            }
            What::Freed => {
                arrows.ends(end);
                self.tracks.remove(&id);
            }
            _ => {}
        }
        Ok(())
    }
}
