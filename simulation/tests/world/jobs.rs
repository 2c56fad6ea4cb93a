//! Jobs on threads of simulated nodes.

use ropewalk::{
    BlockingCallError, ConnectOptions, Protocol, ThreadOptions, Transport, call_in_thread,
};
use ropewalk_simulation::{NodeId, World};
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Answers each byte with its double, after a job.
struct Doubler;

impl Protocol for Doubler {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        for byte in data.iter().copied() {
            let started = transport.call_in_thread(
                move || byte.wrapping_mul(2),
                |transport, answer| transport.write(&[answer.unwrap()]),
            );
            started.unwrap();
        }
    }
}

/// Sends ten bytes, and notes the answers.
struct Asker(Rc<RefCell<Vec<u8>>>);

impl Protocol for Asker {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let mut answers = self.0.borrow_mut();
        answers.extend(data);
        if answers.len() == 10 {
            transport.close();
        }
    }
}

/// Returns the answers in their order, and the world.
fn ask(seed: u64, threads: usize) -> (Vec<u8>, World) {
    let mut world = World::new(seed);
    world.add_node("server", move |reactor| {
        reactor.set_threads(ThreadOptions::new().max(threads));
        reactor.listen_tcp("0.0.0.0:7000", || Doubler).map(drop)
    });
    let answers = Rc::new(RefCell::new(Vec::new()));
    let shared = Rc::clone(&answers);
    world.add_node("client", move |reactor| {
        let shared = Rc::clone(&shared);
        let factory = move || Asker(Rc::clone(&shared));
        ConnectOptions::new().connect_tcp(reactor.context(), "server:7000", factory).map(drop)
    });
    world.run_for(SECOND);
    let answers = answers.take();
    (answers, world)
}

#[test]
fn jobs_of_one_seed_have_one_trace() {
    let mut orders = Vec::new();
    for seed in 0..5 {
        let (answers, world) = ask(seed, 10);
        let (again, twin) = ask(seed, 10);
        assert_eq!((&answers, world.trace()), (&again, twin.trace()));
        let mut sorted = answers.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
        orders.push(answers);
    }
    assert!(orders.iter().any(|order| *order != orders[0]), "seeds vary the order");
}

#[test]
fn jobs_of_one_thread_keep_their_order() {
    assert_eq!(ask(1, 1).0, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
}

#[test]
fn full_queue_is_refused_in_a_simulation_too() {
    let mut world = World::new(1);
    world.add_node("node", |reactor| {
        reactor.set_threads(ThreadOptions::new().max(1).max_waiting(1));
        let context = reactor.context();
        call_in_thread(context, || (), |_, _| ())?;
        call_in_thread(context, || (), |_, _| ())?;
        let error = call_in_thread(context, || (), |_, _| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        Ok(())
    });
    assert!(world.run_until_quiet(SECOND));
}

#[test]
fn job_longer_than_the_grace_is_left_behind() {
    let mut world = World::new(1);
    world.set_job_duration(60 * SECOND, 60 * SECOND);
    world.add_node("node", |reactor| {
        reactor.set_grace(5 * SECOND);
        reactor.context().stop();
        call_in_thread(reactor.context(), || unreachable!(), |_, _: Result<(), _>| unreachable!())
    });
    world.run_for(6 * SECOND);
    assert!(world.reactor(NodeId::from(0)).is_none(), "the run has ended");
    world.run_for(60 * SECOND);
}

#[test]
fn blocking_call_in_a_simulated_job_is_refused() {
    let mut world = World::new(1);
    let answered = Rc::new(Cell::new(None));
    let shared = Rc::clone(&answered);
    world.add_node("node", move |reactor| {
        let (handle, shared) = (reactor.handle(), Rc::clone(&shared));
        let work = move || handle.blocking_call(SECOND, |_| ());
        call_in_thread(reactor.context(), work, move |_, answer| shared.set(answer.ok()))
    });
    world.run_for(SECOND);
    assert_eq!(answered.get(), Some(Err(BlockingCallError::OnReactorThread)));
}
