//! A side of the reactor: its protocol and producers, which check their callbacks.

use crate::model::{Ending, Kind, Model, Phase, Shared};
use crate::operations::{Face, operate};
use ropewalk::{
    Address, Context, Error, Factory, FileSender, Id, Producer, Protocol, Reason, Transport,
};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// The protocol of one side.
pub(crate) struct Actor {
    model: Shared,
    side: usize,
}

impl Actor {
    /// Records a callback, checks that it is permitted, and performs random operations in it.
    fn called(
        &mut self,
        transport: &mut Transport<'_>,
        what: &str,
        see: impl FnOnce(&mut Model, usize),
    ) {
        {
            let mut model = self.model.borrow_mut();
            model.note(format!("{} {what}", self.side));
            let side = &model.sides[self.side];
            let (phase, closed) = (side.phase, side.ending == Ending::Close || side.cut);
            let may_come = phase == Phase::Made && (!closed || what == "lost");
            model.check(self.side, may_come, &format!("{what} in phase {phase:?}"));
            see(&mut model, self.side);
        }
        let mut face = Face::Own(transport.reborrow());
        operate(&self.model, &mut face, Some(self.side));
    }
}

impl Protocol for Actor {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        {
            let mut model = self.model.borrow_mut();
            let side = &mut model.sides[self.side];
            (side.phase, side.id) = (Phase::Made, Some(transport.id()));
        }
        self.called(transport, "made", |_, _| {});
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.called(transport, "data", |model, side| take_data(model, side, data));
    }

    fn descriptors_received(
        &mut self,
        transport: &mut Transport<'_>,
        data: &[u8],
        descriptors: Vec<OwnedFd>,
    ) {
        self.called(transport, "descriptors", |model, side| {
            for descriptor in descriptors {
                let mut number = [0; 4];
                File::from(descriptor).read_exact(&mut number).expect("the number of its frame");
                let out = &mut model.sides[side ^ 1].out;
                if let Err(what) = out.take_descriptor(u32::from_ne_bytes(number)) {
                    model.check(side, false, &what);
                }
            }
            take_data(model, side, data);
        });
    }

    fn descriptors_lost(&mut self, transport: &mut Transport<'_>) {
        self.called(transport, "descriptors lost", |model, side| {
            model.check(side, false, "descriptors were lost");
        });
    }

    fn eof_received(&mut self, transport: &mut Transport<'_>) {
        self.called(transport, "eof", |model, side| {
            let (held, again) = (is_held(model, side), model.sides[side].eof);
            model.check(side, !held, "the end arrived while reading was paused");
            model.check(side, !again, "a second end");
            model.sides[side].eof = true;
            model.ended(side);
        });
        let mut model = self.model.borrow_mut();
        if model.finishing || model.random.chance(0.5) {
            close(&mut model, self.side);
            transport.close();
        }
    }

    fn eof_noticed(&mut self, transport: &mut Transport<'_>) {
        self.called(transport, "eof noticed", |model, side| {
            let again = model.sides[side].eof_noticed;
            model.check(side, !again, "an end that was noticed twice");
            let paused = model.sides[side].paused;
            model.check(side, paused, "an end that was noticed while reading was not paused");
            model.sides[side].eof_noticed = true;
        });
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.called(transport, "pause writing", |model, side| {
            let again = std::mem::replace(&mut model.sides[side].writing_paused, true);
            model.check(side, !again, "writing was paused twice");
        });
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.called(transport, "resume writing", |model, side| {
            let paused = std::mem::take(&mut model.sides[side].writing_paused);
            model.check(side, paused, "writing was resumed twice");
        });
    }

    fn reading_resumed(&mut self, transport: &mut Transport<'_>) {
        self.called(transport, "reading resumed", |model, side| {
            let resumed = std::mem::take(&mut model.sides[side].resumed);
            model.check(side, resumed, "reading_resumed without a resume");
        });
    }

    fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
        let reason = match reason {
            Reason::Failed(error) => format!("Failed({error})"),
            reason => format!("{reason:?}"),
        };
        let dropped = transport.counts().dropped_bytes;
        self.called(transport, "lost", |model, side| {
            model.note(format!("{side} lost {reason}"));
            let explained = model.explains(side, &reason);
            model.check(side, explained, &format!("it ended with {reason}"));
            let own = &mut model.sides[side];
            own.phase = Phase::Gone;
            (own.reason, own.dropped) = (Some(reason), dropped);
        });
    }
}

fn take_data(model: &mut Model, side: usize, data: &[u8]) {
    let (held, eof) = (is_held(model, side), model.sides[side].eof);
    model.check(side, !held, "data arrived while reading was paused");
    model.check(side, !eof, "data arrived after the end");
    model.received(side, data);
}

/// Returns true if neither data nor the end may be delivered.
fn is_held(model: &Model, side: usize) -> bool {
    model.sides[side].paused || model.sides[side].resumed
}

/// Records that a side is closed. This cancels an attempt to connect.
pub(crate) fn close(model: &mut Model, side: usize) {
    let own = &mut model.sides[side];
    own.cut |= own.phase == Phase::Coming;
    own.ending = Ending::Close;
}

/// Builds the protocol of a side.
pub(crate) struct Maker {
    pub(crate) model: Shared,
    pub(crate) side: usize,
}

impl Factory for Maker {
    fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Actor { model: Rc::clone(&self.model), side: self.side }))
    }

    fn connection_failed(&mut self, _context: &mut Context, _id: Id, error: Error) {
        let mut model = self.model.borrow_mut();
        model.note(format!("{} failed: {error}", self.side));
        let [own, peer] = [self.side, self.side ^ 1].map(|side| model.sides[side].may_be_cut());
        let excused = own || peer || model.stopped;
        model.check(self.side, excused, "an attempt to connect failed");
        model.sides[self.side].phase = Phase::Gone;
    }
}

/// Produces frames: some if it is a pull producer, none by itself if it is a push producer.
pub(crate) struct Frames {
    pub(crate) model: Shared,
    pub(crate) side: usize,
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) left: usize,
}

impl Producer for Frames {
    fn resume_producing(&mut self, transport: &mut Transport<'_>) {
        {
            let mut model = self.model.borrow_mut();
            model.produces(self.side, self.number, "resumed");
            let was_paused = std::mem::take(&mut model.sides[self.side].producer_paused);
            let expected = self.kind == Kind::Pull || was_paused;
            model.check(self.side, expected, "a producer was resumed twice");
            if self.kind == Kind::Pull {
                self.left -= 1;
                let length = model.random.below(30_000) as usize;
                let takes = model.takes_writes(self.side);
                let (_, bytes) = model.sides[self.side].out.frame(length, false);
                model.check(
                    self.side,
                    takes,
                    "a producer was resumed although writes are not sent",
                );
                transport.write(&bytes);
                if self.left == 0 {
                    model.unregister(self.side);
                    transport.unregister_producer();
                }
            }
        }
        let mut face = Face::Own(transport.reborrow());
        operate(&self.model, &mut face, Some(self.side));
    }

    fn pause_producing(&mut self, transport: &mut Transport<'_>) {
        {
            let mut model = self.model.borrow_mut();
            model.produces(self.side, self.number, "paused");
            let again = std::mem::replace(&mut model.sides[self.side].producer_paused, true);
            model.check(self.side, !again, "a producer was paused twice");
        }
        let mut face = Face::Own(transport.reborrow());
        operate(&self.model, &mut face, Some(self.side));
    }

    fn stop_producing(&mut self, context: &mut Context) {
        self.model.borrow_mut().stopped(self.side, self.number);
        operate(&self.model, &mut Face::Other(context), None);
    }
}

/// Returns a producer that sends the next part of the file.
pub(crate) fn file_sender(
    model: &Shared,
    side: usize,
    number: usize,
    file: File,
    count: usize,
) -> FileSender {
    let from = model.borrow().sides[side].out.file_position;
    let (progressing, ending) = (Rc::clone(model), Rc::clone(model));
    let progress = move |_: &mut Context, sent: u64| {
        let mut model = progressing.borrow_mut();
        model.produces(side, number, &format!("sent {sent} of the file"));
        let out = &mut model.sides[side].out;
        let count = from + sent as usize - out.file_position;
        out.file_sent(count);
    };
    let done = move |context: &mut Context, result: std::io::Result<u64>| {
        ending.borrow_mut().note(format!("{side} file sent: {result:?}"));
        if result.is_err() {
            return ending.borrow_mut().stopped(side, number);
        }
        operate(&ending, &mut Face::Other(context), Some(side));
        let mut model = ending.borrow_mut();
        if model.sides[side].producer == Some((number, Kind::File)) {
            model.unregister(side);
        }
    };
    let sender = FileSender::new(file).range(from as u64, count as u64);
    sender.on_progress(progress).on_done(done)
}
