//! Random operations on connections.

use crate::model::Model;
use crate::protocol_state::{Stage, State};
use crate::random_protocol::MAX_WRITTEN;
use ropewalk::{Context, Id, Producer, Transport};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Performs a random operation on a connection, and schedules the next one.
pub(crate) fn perform(context: &mut Context, id: Id, state: &Rc<RefCell<State>>) {
    let mut this = state.borrow_mut();
    if this.stage == Stage::Lost {
        return;
    }
    if this.model.is_ending.get() {
        this.paused = false;
        let again = Rc::clone(state);
        context.call_later(FINAL_WRITE_AFTER, move |context| write_once_more(context, id, &again));
        return context.transport(id).resume();
    }
    let waiting = context.transport(id).write_buffer_size();
    if this.stage == Stage::Open && !context.is_stopping() && this.should_pause(waiting) {
        this.fail("more data than the high mark is queued, without pause_writing");
    }
    // Writes after the beginning of a stop are dropped.
    let choice = if context.is_stopping() { 99 } else { this.random.below(100) };
    drop(this);
    match choice {
        0..56 => write(context, id, &mut state.borrow_mut()),
        56..60 => produce(context, id, state),
        60..76 => pause_or_resume(context, id, &mut state.borrow_mut(), choice < 66),
        76..84 => end(context, id, &mut state.borrow_mut(), choice),
        84 => state.borrow_mut().panics = true,
        85..89 => {
            // These connections are lost, and no other connection may receive the data.
            let lost = {
                let this = state.borrow();
                this.model.lost(this.node)
            };
            for id in lost {
                context.transport(id).write(&[0xee; 300]);
                context.close(id);
            }
        }
        _ => {}
    }
    let delay = state.borrow_mut().random.duration(Duration::ZERO, Duration::from_millis(400));
    let again = Rc::clone(state);
    context.call_later(delay, move |context| perform(context, id, &again));
}

fn write(context: &mut Context, id: Id, this: &mut State) {
    if this.stage != Stage::Open || this.write_ended || this.writing_paused {
        return;
    }
    let most = [1, 10, 100, 5_000, 40_000][this.random.below(5) as usize];
    let count = this.random.between(1, most);
    if this.written + count < MAX_WRITTEN {
        let bytes = this.next_bytes(count);
        context.transport(id).write(bytes);
    }
}

fn produce(context: &mut Context, id: Id, state: &Rc<RefCell<State>>) {
    let mut this = state.borrow_mut();
    if this.stage != Stage::Open || this.write_ended || this.produces {
        return;
    }
    this.set_produces(true);
    let chunks = this.random.between(1, 10);
    drop(this);
    let producer = RandomProducer { state: Rc::clone(state), chunks };
    if context.transport(id).register_pull_producer(producer).is_err() {
        state.borrow().fail("the first producer is refused");
    }
}

fn pause_or_resume(context: &mut Context, id: Id, this: &mut State, pauses: bool) {
    if pauses {
        (this.paused, this.resumed_at) = (true, None);
        return context.transport(id).pause();
    }
    if this.paused {
        this.resumed_at = Some(context.now());
    }
    this.paused = false;
    context.transport(id).resume();
}

fn end(context: &mut Context, id: Id, this: &mut State, choice: u64) {
    if this.stage != Stage::Open {
        return;
    }
    match choice {
        76..80 => {
            this.end_writing();
            context.transport(id).write_eof();
        }
        80..83 => {
            this.end_writing();
            this.stage = Stage::Closing;
            context.close(id);
        }
        _ => {
            (this.stage, this.aborted) = (Stage::Closing, true);
            context.abort(id);
        }
    }
}

/// How long before the end of a run a protocol writes once more, to detect a lost peer. The system retransmits for
/// a quarter of an hour.
const FINAL_WRITE_AFTER: Duration = Duration::from_secs(100);

fn write_once_more(context: &mut Context, id: Id, state: &Rc<RefCell<State>>) {
    let mut this = state.borrow_mut();
    if this.stage == Stage::Open && !this.write_ended && !context.is_stopping() {
        context.transport(id).write(this.next_bytes(1));
    }
}

/// A producer of some chunks, one for each request.
struct RandomProducer {
    state: Rc<RefCell<State>>,
    chunks: u64,
}

impl Producer for RandomProducer {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        let mut this = self.state.borrow_mut();
        if !this.produces {
            this.fail("a finished producer was asked for data");
        }
        if transport.write_buffer_size() > 0 {
            this.fail("a producer was asked for data while data is queued");
        }
        if self.chunks == 0 {
            this.set_produces(false);
            drop(this);
            return transport.unregister_producer();
        }
        self.chunks -= 1;
        let bytes = this.next_bytes(2000);
        transport.write(bytes);
    }

    fn stop_producing(&mut self, _context: &mut Context) {
        let mut this = self.state.borrow_mut();
        if !this.produces {
            this.fail("a producer was stopped twice, or after it had finished");
        }
        this.producer_stopped = true;
        this.set_produces(false);
    }
}

/// The maximum number of turns in a second. With buffers of one byte, each byte is a turn. A reactor in a busy
/// loop has about 250,000.
const TURNS: u64 = 200_000;

/// Checks every second that the reactor is not in a busy loop.
pub(crate) fn watch_turns(context: &mut Context, model: &Model, before: u64) {
    let turns = context.statistics().turns;
    if turns > before + TURNS {
        return model.fail(format!("{} turns in one second", turns - before));
    }
    if !model.is_ending.get() {
        let model = model.clone();
        context.call_later(Duration::from_secs(1), move |context| {
            watch_turns(context, &model, turns);
        });
    }
}
