//! Processes: output, exits, failures to start.

use crate::support::{Callbacks, check, record_alone, recorder};
use ropewalk::{Address, Context, ProcessOptions, ProcessRun, Reactor};
use ropewalk_replay::Tape;

fn shell(context: &mut Context, script: &str, callbacks: &Callbacks, last: bool) {
    let callbacks = callbacks.clone();
    let run = ProcessRun::new(ProcessOptions::new("sh").arg("-c").arg(script));
    let started = run.start(context, move |context, output| {
        callbacks.note(format!("{output:?}"));
        if last {
            context.stop();
        }
    });
    started.unwrap();
}

#[test]
fn processes_are_replayed() {
    let program = |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let context = reactor.context();
        shell(context, "echo one; echo two >&2; exit 3", callbacks, false);
        shell(context, "sleep 0.05; kill -9 $$", callbacks, true);
        Address::Unknown
    };
    let (recorder, memory) = recorder();
    let recorded = record_alone(recorder, &memory, program);
    check(&recorded, program);
}
