//! Random operations on a side of the reactor, in its callbacks and outside.

use crate::actor::{Frames, close, file_sender};
use crate::expected::{TABLE, file_table};
use crate::model::{Ending, Kind, Model, Phase, Shared};
use ropewalk::{Context, Id, SlowReader, Transport};
use std::fs::File;
use std::io::Write;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

/// Access to the reactor: in a callback of the connection, or elsewhere.
pub(crate) enum Face<'a> {
    Other(&'a mut Context),
    Own(Transport<'a>),
}

impl Face<'_> {
    pub(crate) fn context(&mut self) -> &mut Context {
        match self {
            Self::Other(context) => context,
            Self::Own(transport) => transport.context(),
        }
    }

    fn is_own(&self, of: Id) -> bool {
        matches!(self, Self::Own(transport) if transport.id() == of)
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Abort,
    Close,
    Descriptor,
    Disconnect,
    DropOldest,
    File,
    Limit,
    Look,
    Marks,
    Panic,
    Pause,
    PauseWriter,
    Produce,
    Pull,
    Push,
    Resume,
    Unregister,
    Write,
    WriteEof,
}

/// The operations, weighted by repetition. A seed uses some of them, because all together hide some states.
const OPERATIONS: &[Operation] = {
    use Operation::*;
    &[
        Write,
        Write,
        Write,
        Write,
        Write,
        Write,
        Write,
        Write,
        Pause,
        Resume,
        Resume,
        File,
        File,
        Pull,
        Pull,
        Push,
        Produce,
        Produce,
        Unregister,
        Marks,
        Look,
        Descriptor,
        Descriptor,
        DropOldest,
        PauseWriter,
        WriteEof,
        Close,
        Abort,
        Disconnect,
        Limit,
        Panic,
    ]
};

/// Performs random operations in a callback, mostly on its own side.
pub(crate) fn operate(shared: &Shared, face: &mut Face<'_>, own: Option<usize>) {
    loop {
        let mut model = shared.borrow_mut();
        if model.finishing || model.left == 0 || !model.random.chance(0.3) {
            return;
        }
        model.left -= 1;
        let sides = model.sides.len() as u64;
        let any = model.random.below(sides) as usize;
        let side = own.filter(|_| model.random.chance(0.8)).unwrap_or(any);
        drop(model);
        if operate_on(shared, face, side) {
            resume_unwind(Box::new("on purpose")); // Without a message on stderr.
        }
    }
}

/// Performs a random operation on a side. Returns true if the callback is to panic.
pub(crate) fn operate_on(shared: &Shared, face: &mut Face<'_>, side: usize) -> bool {
    let mut model = shared.borrow_mut();
    let index = model.random.below(OPERATIONS.len() as u64) as usize;
    let operation = OPERATIONS[index];
    let rare = matches!(operation, Operation::Abort | Operation::Panic | Operation::Disconnect);
    let Some(id) = model.sides[side].id else { return false };
    if model.operations & 1 << index == 0 || rare && model.random.chance(0.5) {
        return false;
    }
    let own = face.is_own(id);
    model.note(format!("{side} {operation:?}{}", if own { " in its callback" } else { "" }));
    match operation {
        _ if model.sides[side].phase == Phase::Gone => request_of_stale_id(face.context(), id),
        Operation::Panic if own => {
            let own = &mut model.sides[side];
            (own.cut, own.panicked) = (true, true);
            return true;
        }
        Operation::Panic => {}
        Operation::Write | Operation::Produce => write(&mut model, face, side, id),
        Operation::File | Operation::Pull | Operation::Push => {
            drop(model);
            register(shared, face, side, id, operation);
        }
        Operation::Descriptor => pass(&mut model, face, side, id),
        _ => request(&mut model, face, (side, id), operation),
    }
    false
}

/// Makes requests that have no effect.
fn request_of_stale_id(context: &mut Context, gone: Id) {
    context.transport(gone).write(b"too late");
    context.transport(gone).resume();
    context.abort(gone);
}

/// Performs an operation that is one request.
fn close_either_way(transport: &mut Transport<'_>, amount: usize) {
    match amount % 2 {
        0 => transport.close(),
        _ => transport.close_within(Duration::from_secs(60)),
    }
}

fn request(model: &mut Model, face: &mut Face<'_>, (side, id): (usize, Id), operation: Operation) {
    let amount = model.random.below(60_000) as usize;
    let (own, context) = (&mut model.sides[side], face.context());
    let mut transport = context.transport(id);
    match operation {
        Operation::Abort => {
            own.cut = true;
            transport.abort();
        }
        Operation::Close => {
            close(model, side);
            close_either_way(&mut transport, amount);
        }
        Operation::Disconnect => {
            own.limited = true;
            transport.set_slow_reader(SlowReader::Disconnect(amount));
        }
        Operation::DropOldest => {
            own.out.may_skip = true;
            transport.set_slow_reader(SlowReader::DropOldest(amount));
        }
        Operation::Limit => {
            own.limited = true;
            transport.set_write_limit(8 * amount);
        }
        Operation::Look => _ = context.now(),
        Operation::Marks => transport.set_write_buffer_limits(amount, amount / 3),
        Operation::Pause => {
            (own.paused, own.resumed) = (true, false);
            transport.pause();
        }
        Operation::PauseWriter => transport.set_slow_reader(SlowReader::Pause),
        Operation::Resume => resume(model, context, side, id),
        Operation::Unregister => unregister(model, context, side, id),
        Operation::WriteEof => {
            if own.ending == Ending::Open {
                own.ending = Ending::WriteEof;
            }
            transport.write_eof();
        }
        _ => {}
    }
}

pub(crate) fn resume(model: &mut Model, context: &mut Context, side: usize, id: Id) {
    let own = &mut model.sides[side];
    // An attempt to connect has no protocol to notify.
    own.resumed |= std::mem::take(&mut own.paused) && own.phase == Phase::Made;
    context.transport(id).resume();
}

pub(crate) fn unregister(model: &mut Model, context: &mut Context, side: usize, id: Id) {
    model.unregister(side);
    context.transport(id).unregister_producer();
}

fn write(model: &mut Model, face: &mut Face<'_>, side: usize, id: Id) {
    let most = *model.random.choose(&[1, 100, 1000, 1000, 20_000, 20_000, 100_000, 600_000]);
    let length = model.random.below(most) as usize;
    if !model.takes_writes(side) {
        return face.context().transport(id).write(b"too late");
    }
    if face.context().transport(id).write_buffer_size() > 4_000_000 {
        return;
    }
    let (_, bytes) = model.sides[side].out.frame(length, false);
    match face {
        Face::Own(transport) if transport.id() == id => {
            // A message in two writes, with another call in between.
            let (head, body) = bytes.split_at(model.random.below(bytes.len() as u64) as usize);
            transport.write(head);
            if model.random.chance(0.5) {
                _ = transport.context().now();
            }
            transport.write(body);
        }
        face => face.context().transport(id).write(&bytes),
    }
}

fn pass(model: &mut Model, face: &mut Face<'_>, side: usize, id: Id) {
    if !model.sides[side].is_unix || !model.takes_writes(side) {
        return;
    }
    let length = model.random.below(2000) as usize;
    let (number, bytes) = model.sides[side].out.frame(length, true);
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&number.to_ne_bytes()).expect("four bytes fit");
    let sent = match face {
        Face::Own(transport) if transport.id() == id => {
            transport.send_descriptors(&bytes, [reader])
        }
        face => face.context().transport(id).send_descriptors(&bytes, [reader]),
    };
    model.check(side, sent.is_ok(), &format!("a descriptor could not be sent: {sent:?}"));
}

fn register(shared: &Shared, face: &mut Face<'_>, side: usize, id: Id, operation: Operation) {
    let mut model = shared.borrow_mut();
    if !model.takes_producer(side) {
        return;
    }
    let kind = match operation {
        Operation::File => Kind::File,
        Operation::Pull => Kind::Pull,
        _ => Kind::Push,
    };
    let number = model.register(side, kind);
    let left = 1 + model.random.below(8) as usize;
    let rest = TABLE - model.sides[side].out.file_position;
    let count = (model.random.below(700_000) as usize).min(rest);
    model.note(format!("{side} {kind:?} producer {number}: {left} pieces, or {count} bytes"));
    drop(model);
    let frames = Frames { model: Rc::clone(shared), side, number, kind, left };
    let context = face.context();
    let registered = match kind {
        Kind::File => context.transport(id).register_pull_producer(file_sender(
            shared,
            side,
            number,
            file(),
            count,
        )),
        Kind::Pull => context.transport(id).register_pull_producer(frames),
        Kind::Push => context.transport(id).register_push_producer(frames),
    };
    let what = format!("producer {number}: {registered:?}");
    shared.borrow_mut().check(side, registered.is_ok(), &what);
}

/// Returns the file that all seeds share.
fn file() -> File {
    static FILE: OnceLock<File> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let name = format!("ropewalk-model-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file.write_all(file_table()).unwrap();
        file
    });
    file.try_clone().unwrap()
}
