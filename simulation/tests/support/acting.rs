//! What talkers do to their connections, and to those of others.

use crate::books::Books;
use crate::talker::{MOST, Stage, State};
use ropewalk::{Context, Id, Producer, Transport};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Does something to a connection, now and then.
pub(crate) fn act(context: &mut Context, id: Id, state: &Rc<RefCell<State>>) {
    let mut this = state.borrow_mut();
    if this.stage == Stage::Lost {
        return;
    }
    if this.books.calm.get() {
        this.paused = false;
        let again = Rc::clone(state);
        context.call_later(LAST_WORDS, move |context| say_last_words(context, id, &again));
        return context.resume(id);
    }
    let waiting = context.write_buffer_size(id);
    if this.stage == Stage::Open && !context.is_stopping() && this.should_pause(waiting) {
        this.fail("more waits than the mark, and it has not been told");
    }
    // What is written from a stop on is dropped.
    match if context.is_stopping() { 99 } else { this.random.below(100) } {
        0..56 if this.stage == Stage::Open && !this.write_ended && !this.writing_paused => {
            let most = [1, 10, 100, 5_000, 40_000][this.random.below(5) as usize];
            let count = this.random.between(1, most);
            if this.written + count < MOST {
                let bytes = this.next_bytes(count);
                context.write(id, bytes);
            }
        }
        56..60 if this.stage == Stage::Open && !this.write_ended && !this.produces => {
            this.set_produces(true);
            let pieces = this.random.between(1, 10);
            drop(this);
            let filler = Filler { state: Rc::clone(state), pieces };
            if context.register_pull_producer(id, filler).is_err() {
                state.borrow().fail("a first producer is refused");
            }
            this = state.borrow_mut();
        }
        60..66 => {
            (this.paused, this.resumed_at) = (true, None);
            context.pause(id);
        }
        66..76 => {
            if this.paused {
                this.resumed_at = Some(context.now());
            }
            this.paused = false;
            context.resume(id);
        }
        76..80 if this.stage == Stage::Open => {
            this.end_writing();
            context.write_eof(id);
        }
        80..83 if this.stage == Stage::Open => {
            this.end_writing();
            this.stage = Stage::Closing;
            context.close(id);
        }
        83 if this.stage == Stage::Open => {
            (this.stage, this.aborted) = (Stage::Closing, true);
            context.abort(id);
        }
        84 => this.panics = true,
        85..89 => {
            // To those who are gone; nobody may hear it.
            for id in this.books.lost(this.node) {
                context.write(id, &[0xee; 300]);
                context.close(id);
            }
        }
        _ => {}
    }
    let delay = this.random.duration(Duration::ZERO, Duration::from_millis(400));
    let again = Rc::clone(state);
    drop(this);
    context.call_later(delay, move |context| act(context, id, &again));
}

/// After how long in the end those speak once more who may have nobody left to talk to. For a quarter of an
/// hour the system goes on trying then.
const LAST_WORDS: Duration = Duration::from_secs(100);

fn say_last_words(context: &mut Context, id: Id, state: &Rc<RefCell<State>>) {
    let mut this = state.borrow_mut();
    if this.stage == Stage::Open && !this.write_ended && !context.is_stopping() {
        context.write(id, this.next_bytes(1));
    }
}

/// Produces some pieces, one each time that it is asked.
struct Filler {
    state: Rc<RefCell<State>>,
    pieces: u64,
}

impl Producer for Filler {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.state.borrow_mut();
        if !this.produces {
            this.fail("a producer was asked that had finished");
        }
        if transport.write_buffer_size() > 0 {
            this.fail("a producer was asked while bytes wait");
        }
        if self.pieces == 0 {
            this.set_produces(false);
            drop(this);
            return transport.unregister_producer();
        }
        self.pieces -= 1;
        let bytes = this.next_bytes(2000);
        transport.write(bytes);
    }

    fn stop_producing(&mut self, _context: &mut Context) {
        let mut this = self.state.borrow_mut();
        if !this.produces {
            this.fail("a producer was stopped twice, or after it had finished");
        }
        this.cut_off = true;
        this.set_produces(false);
    }
}

/// How many turns a reactor may have had within a second. Where sockets hold a single byte, each byte is a turn; one
/// that spins has some 250,000.
const TURNS: u64 = 200_000;

/// Looks every second whether the reactor has turned in vain.
pub(crate) fn watch_for_spinning(context: &mut Context, books: &Books, before: u64) {
    let turns = context.statistics().turns;
    if turns > before + TURNS {
        return books.fail(format!("{} turns within a second", turns - before));
    }
    if !books.calm.get() {
        let books = books.clone();
        context.call_later(Duration::from_secs(1), move |context| {
            watch_for_spinning(context, &books, turns);
        });
    }
}
