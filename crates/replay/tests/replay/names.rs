//! Names: look-ups before and in a run, and resolvers of the program.

use crate::support::{Callbacks, check, record_alone, recorder};
use ropewalk::{Address, Answer, Context, Protocol, Reactor, Transport};
use ropewalk_replay::Tape;

/// Looks names up, and connects to one. The last of five results stops the run.
fn look_up(reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks) -> Address {
    callbacks.note(format!("{:?}", reactor.look_up("localhost:80")));
    callbacks.note(format!("{:?}", reactor.host_name()));
    callbacks.note(format!("{:?}", reactor.service_port("no-such-service", "tcp")));
    for name in ["localhost:80", "no-such-host.invalid:80", "localhost:443"] {
        let callbacks = callbacks.clone();
        let resolved = reactor.context().resolve(name, move |context, found| {
            callbacks.note(format!("{name}: {found:?}"));
            stop_after_five(context, &callbacks);
        });
        resolved.unwrap();
    }
    let server = callbacks.clone();
    let port = reactor.listen_tcp("127.0.0.1:0", move || Made(server.clone())).unwrap();
    let client = callbacks.clone();
    let name = format!("localhost:{}", port.address().port().unwrap());
    reactor.connect_tcp(name, move || Made(client.clone())).unwrap();
    Address::Unknown
}

fn stop_after_five(context: &mut Context, callbacks: &Callbacks) {
    if callbacks.list().len() == 3 + 5 {
        context.stop();
    }
}

struct Made(Callbacks);

impl Protocol for Made {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.0.note(format!("made {}", transport.peer()));
        stop_after_five(transport.context(), &self.0);
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

#[test]
fn look_ups_are_replayed() {
    let (recorder, memory) = recorder();
    let recorded = record_alone(recorder, &memory, look_up);
    assert!(recorded.callbacks.iter().any(|line| line.contains("no-such-host")));
    check(&recorded, look_up);
}

#[test]
fn resolver_of_the_program_answers_again() {
    let program = |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        reactor.set_resolver(|_: &mut Context, _: &str, port, answer: Answer| {
            answer.succeed([([10, 0, 0, 1], port).into()]);
            None
        });
        let callbacks = callbacks.clone();
        let resolved = reactor.context().resolve("printer:631", move |context, found| {
            callbacks.note(format!("{found:?}"));
            context.stop();
        });
        resolved.unwrap();
        Address::Unknown
    };
    let (recorder, memory) = recorder();
    let recorded = record_alone(recorder, &memory, program);
    check(&recorded, program);
}
