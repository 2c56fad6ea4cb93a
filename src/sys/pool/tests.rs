//! Tests of the pool.

use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

/// Reports its number, then waits until the gate is closed.
struct GatedJob {
    number: usize,
    begun: Sender<usize>,
    gate: Option<Receiver<()>>,
    wanted: bool,
}

impl Work for GatedJob {
    fn run(self: Box<Self>) {
        let _ = self.begun.send(self.number);
        assert_ne!(self.number, 13, "a panic on purpose");
        if let Some(gate) = self.gate {
            let _ = gate.recv();
        }
    }

    fn is_wanted(&self) -> bool {
        self.wanted
    }
}

struct Scene {
    pool: Pool,
    sender: Sender<usize>,
    begun: Receiver<usize>,
}

impl Scene {
    fn new(threads: usize, waiting: usize) -> Self {
        Self::keeping(0..=threads, waiting)
    }

    fn keeping(threads: RangeInclusive<usize>, waiting: usize) -> Self {
        let (sender, begun) = channel();
        Self { pool: Pool::new("test", threads, waiting), sender, begun }
    }

    fn run(&self, number: usize, wanted: bool) -> io::Result<()> {
        let job = GatedJob { number, begun: self.sender.clone(), gate: None, wanted };
        self.pool.run(Box::new(job)).map_err(|(_, error)| error)
    }

    /// Runs a job that hangs until the returned gate is dropped.
    fn hang(&self, number: usize) -> Sender<()> {
        let (gate, receiver) = channel();
        let begun = self.sender.clone();
        let job = GatedJob { number, begun, gate: Some(receiver), wanted: true };
        assert!(self.pool.run(Box::new(job)).is_ok());
        gate
    }

    fn threads(&self) -> usize {
        self.pool.shared.lock().threads
    }
}

#[test]
fn hanging_jobs_leave_other_threads_free() {
    let scene = Scene::new(2, 10);
    assert_eq!(scene.threads(), 0, "threads start when there is work");
    let gate = scene.hang(1);
    assert_eq!(scene.begun.recv(), Ok(1));
    for number in 2..6 {
        scene.run(number, true).unwrap();
        assert_eq!(scene.begun.recv(), Ok(number));
    }
    assert_eq!(scene.threads(), 2);
    drop(gate);
}

#[test]
fn full_queue_is_an_error_until_jobs_are_cancelled() {
    let scene = Scene::new(1, 2);
    let gate = scene.hang(1);
    assert_eq!(scene.begun.recv(), Ok(1));
    scene.run(2, true).unwrap();
    scene.run(3, false).unwrap();
    scene.run(4, true).unwrap();
    assert_eq!(scene.run(5, true).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(gate);
    assert_eq!([scene.begun.recv(), scene.begun.recv()], [Ok(2), Ok(4)]);
}

#[test]
fn panic_costs_one_job() {
    let scene = Scene::new(1, 10);
    scene.run(13, true).unwrap();
    assert_eq!(scene.begun.recv(), Ok(13));
    let begin = Instant::now();
    while scene.threads() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "the thread is still counted");
        thread::yield_now();
    }
    scene.run(2, true).unwrap();
    assert_eq!(scene.begun.recv(), Ok(2));
}

#[test]
fn end_waits_for_all_threads_but_the_running() {
    let scene = Scene::new(3, 10);
    let gate = scene.hang(1);
    assert_eq!(scene.begun.recv(), Ok(1));
    for number in 2..20 {
        scene.run(number, true).unwrap();
        assert_eq!(scene.begun.recv(), Ok(number));
    }
    let shared = Arc::clone(&scene.pool.shared);
    scene.pool.end(1);
    assert_eq!(shared.lock().threads, 1);
    drop(gate);
}

#[test]
fn idle_threads_end_but_the_kept() {
    let mut scene = Scene::keeping(2..=5, 10);
    Arc::get_mut(&mut scene.pool.shared).unwrap().idle = Duration::from_millis(5);
    let gates: Vec<_> = (0..5).map(|number| scene.hang(number)).collect();
    gates.iter().for_each(|_| assert!(scene.begun.recv().is_ok()));
    assert_eq!(scene.threads(), 5);
    drop(gates);
    let wait_for = |threads| {
        let begin = Instant::now();
        while scene.threads() != threads {
            assert!(begin.elapsed() < Duration::from_secs(10), "{} threads", scene.threads());
            thread::yield_now();
        }
    };
    wait_for(2);
    // Many times the idle time later they are still here, and do the work.
    thread::sleep(Duration::from_millis(50));
    for number in 5..7 {
        assert_eq!(scene.threads(), 2);
        scene.run(number, true).unwrap();
        assert_eq!(scene.begun.recv(), Ok(number));
    }
}

#[test]
fn thread_that_is_about_to_end_is_replaced() {
    let scene = Scene::new(1, 10);
    {
        let mut state = scene.pool.shared.lock();
        (state.threads, state.leaving) = (1, 1);
    }
    scene.run(2, true).unwrap();
    assert_eq!(scene.begun.recv(), Ok(2));
}

#[test]
fn end_of_pool_does_not_wait_for_a_job() {
    let scene = Scene::new(1, 10);
    let gate = scene.hang(1);
    assert_eq!(scene.begun.recv(), Ok(1));
    scene.run(2, true).unwrap();
    drop(scene.pool);
    drop(scene.sender);
    drop(gate);
    assert!(scene.begun.recv().is_err(), "the second job is dropped");
}

#[test]
fn copy_in_another_process_takes_no_lock() {
    let mut pool = Pool::new("test", 0..=1, 1);
    let shared = Arc::clone(&pool.shared);
    pool.process += 1;
    let _lock = shared.lock();
    drop(pool);
}
