//! Other threads: messages, stops, calls, jobs.

use crate::support::{Callbacks, Program, Run, check, record, record_alone, recorder, replay};
use ropewalk::{Address, Reactor, call_in_thread};
use ropewalk_replay::{Ending, RecordedSender, Tape};
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// A program with a channel, whose sender it gives away.
fn with_channel(
    given: Sender<RecordedSender<String>>,
) -> impl Fn(&mut Reactor, &Tape, &Callbacks) -> Address + Clone {
    move |reactor: &mut Reactor, tape: &Tape, callbacks: &Callbacks| {
        let callbacks = callbacks.clone();
        let sender = tape.channel(reactor.context(), move |_, word: String| {
            callbacks.note(word);
        });
        given.send(sender).unwrap();
        Address::Unknown
    }
}

#[test]
fn messages_of_threads_are_replayed() {
    let (give, given) = channel();
    let program = with_channel(give);
    let recorded = record(program.clone(), move |_, _| {
        let sender = given.recv().unwrap();
        let workers = [0, 1, 2].map(|worker| {
            let sender = sender.clone();
            thread::spawn(move || {
                for round in 0..300 {
                    sender.send(format!("{worker} {round}")).unwrap();
                    if round % 100 == 0 {
                        thread::yield_now();
                    }
                }
            })
        });
        for worker in workers {
            worker.join().unwrap();
        }
        drop(sender);
        // The receiver of the program in the replay is dropped with this.
        drop(given);
    });
    assert!(recorded.summary.ending.is_complete(), "{}", recorded.summary.ending);
    let (give, given) = channel();
    let replayed = check(&recorded, with_channel(give));
    assert!(replayed.callbacks.len() <= 900);
    assert_eq!(given.recv().unwrap().send("ignored".to_owned()), Ok(()));
}

#[test]
fn sender_is_refused_after_the_reactor() {
    let (give, given) = channel();
    let (recorder, _) = recorder();
    let tape = recorder.tape();
    let mut reactor = Reactor::with_backend(recorder);
    with_channel(give)(&mut reactor, &tape, &Callbacks::default());
    let sender = given.recv().unwrap();
    assert!(sender.send("one".to_owned()).is_ok());
    drop(reactor);
    assert!(sender.send("two".to_owned()).is_err());
}

fn nothing(_: &mut Reactor, _: &Tape, _: &Callbacks) -> Address {
    Address::Unknown
}

/// Checks that the recording was stopped, and that its replay says so too.
fn refused(recorded: &Run, program: impl Program, what: &str) {
    let Ending::Refused(text) = &recorded.summary.ending else {
        panic!("{}", recorded.summary.ending)
    };
    assert!(text.contains(what), "{text}");
    let replayed = replay(&recorded.bytes, program);
    let Ending::Refused(again) = replayed.summary.ending else {
        panic!("{}", replayed.summary.ending)
    };
    assert_eq!(*text, again);
}

#[test]
fn call_of_a_thread_stops_the_recording() {
    let recorded = record(nothing, |_, handle| handle.call(|_| {}).unwrap());
    refused(&recorded, nothing, "call_of_a_thread_stops_the_recording::{{closure}}");
}

#[test]
fn message_to_a_plain_channel_stops_the_recording() {
    let (give, given) = channel();
    let program = move |reactor: &mut Reactor, _: &Tape, _: &Callbacks| {
        give.send(reactor.context().channel(|_, _: u8| {})).unwrap_or(());
        Address::Unknown
    };
    let recorded = record(program.clone(), move |_, _| given.recv().unwrap().send(1).unwrap());
    refused(&recorded, program, "channel 0");
}

#[test]
fn own_calls_and_messages_are_made_again() {
    let program = |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let handle = reactor.handle();
        let (calls, messages) = (callbacks.clone(), callbacks.clone());
        let sender = reactor.context().channel(move |_, number: u32| {
            messages.note(format!("message {number}"));
        });
        reactor.context().call_when_running(move |context| {
            sender.send(1).unwrap();
            let called = context.handle().call(|context| context.stop());
            called.unwrap();
            sender.send(2).unwrap();
            calls.note("ran");
            drop(handle);
        });
        Address::Unknown
    };
    let (recorder, memory) = recorder();
    let recorded = record_alone(recorder, &memory, program);
    assert_eq!(recorded.callbacks, ["ran", "message 1", "message 2"]);
    check(&recorded, program);
}

fn with_jobs(reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks) -> Address {
    for number in 0..20_u64 {
        let callbacks = callbacks.clone();
        let started = call_in_thread(
            reactor.context(),
            move || (0..number * 1000).sum::<u64>(),
            move |context, sum| {
                callbacks.note(format!("{number}: {sum:?}"));
                if callbacks.list().len() == 20 {
                    context.stop();
                }
            },
        );
        started.unwrap();
    }
    Address::Unknown
}

#[test]
fn repeated_jobs_end_in_the_recorded_order() {
    let (recorder, memory) = recorder();
    let recorded = record_alone(recorder.repeat_jobs(), &memory, with_jobs);
    check(&recorded, with_jobs);
}

#[test]
fn job_stops_the_recording() {
    let (recorder, memory) = recorder();
    let recorded = record_alone(recorder, &memory, with_jobs);
    let Ending::Refused(text) = &recorded.summary.ending else {
        panic!("{}", recorded.summary.ending)
    };
    assert!(text.contains("with_jobs::{{closure}}") && text.contains("repeat_jobs"), "{text}");
}
