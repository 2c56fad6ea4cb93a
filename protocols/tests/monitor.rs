//! Monitors of processes, in a simulated world: its clock shows each pause exactly.
#![cfg(target_os = "linux")]

use ropewalk::{
    Context, Error, ProcessExit, ProcessOptions, ProcessProtocol, ProcessTransport, Signal, TimerId,
};
use ropewalk_protocols::{MonitorHandler, MonitorOptions, MonitorState, NextRun, ProcessMonitor};
use ropewalk_simulation::{NodeId, SimulatedProgram, World};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// What the handler and the protocols have seen: `start`, `exited`, `ended`, and `next`, each with its time.
type Log = Rc<RefCell<Vec<(Instant, String)>>>;

#[derive(Clone)]
struct Handler {
    log: Log,
    panics_in: &'static str,
}

impl Handler {
    fn note(&self, context: &Context, event: String) {
        self.log.borrow_mut().push((context.now(), event));
    }
}

impl MonitorHandler for Handler {
    fn next_run(&mut self) -> (ProcessOptions, Box<dyn ProcessProtocol>) {
        assert!(self.panics_in != "next_run", "on purpose");
        (ProcessOptions::new("program"), Box::new(self.clone()))
    }

    fn run_ended(&mut self, context: &mut Context, end: Result<ProcessExit, Error>, next: NextRun) {
        if let Err(error) = end {
            self.note(context, error.to_string());
        }
        self.note(context, format!("{next:?}"));
    }
}

impl ProcessProtocol for Handler {
    fn connection_made(&mut self, process: &mut ProcessTransport<'_>) {
        let id = process.id();
        process.context().set_timer(id, SECOND);
        self.note(process.context(), "start".to_owned());
    }

    fn timer_fired(&mut self, process: &mut ProcessTransport<'_>, _timer: TimerId) {
        self.note(process.context(), "timer".to_owned());
    }

    fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
        self.note(process.context(), exit.to_string());
        assert!(self.panics_in != "process_ended", "on purpose");
    }
}

/// A world with a node that monitors a program.
struct Scene {
    world: World,
    node: NodeId,
    log: Log,
    monitor: ProcessMonitor,
}

fn scene(
    options: MonitorOptions,
    program: Option<SimulatedProgram>,
    panics_in: &'static str,
) -> Scene {
    let (mut world, log) = (World::new(1), Log::default());
    world.allow_panics(|message| message == "on purpose");
    if let Some(program) = program {
        world.set_program("program", program);
    }
    let (place, handler) = (Rc::new(RefCell::new(None)), Handler { log: log.clone(), panics_in });
    let of_node = Rc::clone(&place);
    let node = world.add_node("node", move |reactor| {
        let monitor = options.start(reactor.context(), handler.clone());
        *of_node.borrow_mut() = Some(monitor);
        Ok(())
    });
    let monitor = place.take().expect("the node has started");
    Scene { world, node, log, monitor }
}

impl Scene {
    fn run_for(&mut self, time: Duration) {
        self.world.run_for(time);
    }

    /// Calls a method of the monitor on its node.
    fn act(&mut self, act: impl FnOnce(&ProcessMonitor, &mut Context)) {
        let reactor = self.world.reactor(self.node).expect("the node runs");
        act(&self.monitor, reactor.context());
    }

    fn take_events(&self) -> Vec<String> {
        self.log.borrow_mut().drain(..).map(|(_, event)| event).collect()
    }

    /// Returns the pauses between the end of each run and the start of the next.
    fn pauses(&self) -> Vec<Duration> {
        let log = self.log.borrow();
        let pairs = log.windows(2).filter(|pair| pair[1].1 == "start");
        pairs.map(|pair| pair[1].0 - pair[0].0).collect()
    }
}

fn seconds(all: &[u64]) -> Vec<Duration> {
    all.iter().copied().map(Duration::from_secs).collect()
}

/// Returns the pauses in whole seconds. A turn and the start of a process take some milliseconds.
fn rounded(pauses: Vec<Duration>) -> Vec<Duration> {
    pauses.iter().map(|pause| Duration::from_secs(pause.as_secs_f64().round() as u64)).collect()
}

fn quick() -> SimulatedProgram {
    SimulatedProgram::new().exits(1)
}

#[test]
fn pauses_grow_up_to_the_maximum() {
    let options = MonitorOptions::new().factor(3.0).max_pause(20 * SECOND);
    let mut scene = scene(options, Some(quick()), "");
    scene.run_for(58 * SECOND);
    assert_eq!(rounded(scene.pauses()), seconds(&[1, 3, 9, 20, 20]));
    assert_eq!(scene.monitor.failures(), 6);
    assert_eq!(scene.monitor.state(), MonitorState::Waiting);
    assert_eq!(scene.monitor.id(), None);
}

#[test]
fn run_that_lasted_resets_the_pause() {
    let mut scene = scene(MonitorOptions::new(), Some(quick()), "");
    scene.run_for(8 * SECOND); // Failures at 0, 1, 3 and 7 s.
    assert_eq!(scene.monitor.failures(), 4);
    scene.world.set_program("program", SimulatedProgram::new().waits(11 * SECOND));
    scene.run_for(20 * SECOND); // From 15 to 26 s.
    assert_eq!(scene.monitor.failures(), 0);
    scene.world.set_program("program", quick());
    scene.log.borrow_mut().clear();
    scene.run_for(20 * SECOND);
    assert_eq!(rounded(scene.pauses())[1..3], seconds(&[1, 2]), "{:?}", scene.take_events());
}

#[test]
fn enough_failures_end_the_monitor() {
    let mut scene = scene(MonitorOptions::new().max_failures(3), Some(quick()), "");
    scene.run_for(100 * SECOND);
    assert_eq!(scene.monitor.state(), MonitorState::GivenUp);
    let run = |next: &str| ["start".to_owned(), "exited with code 1".to_owned(), next.to_owned()];
    assert_eq!(scene.take_events(), [run("After(1s)"), run("After(2s)"), run("GivenUp")].concat());
    scene.act(|monitor, context| monitor.start(context));
    assert_eq!(scene.monitor.failures(), 0);
    scene.run_for(SECOND / 2);
    assert_eq!(scene.take_events(), run("After(1s)"));
}

#[test]
fn missing_program_is_a_failure() {
    let mut scene = scene(MonitorOptions::new(), None, "");
    scene.run_for(2 * SECOND);
    let events = scene.take_events();
    assert!(events[0].starts_with("cannot start program: no such file"), "{events:?}");
    assert_eq!(events[1], "After(1s)");
    assert_eq!(events.len(), 4);
    scene.world.set_program("program", SimulatedProgram::new().hangs());
    scene.run_for(2 * SECOND);
    assert_eq!(scene.take_events(), ["start"]);
    assert_eq!(scene.monitor.state(), MonitorState::Running);
}

#[test]
fn stopped_process_is_not_started_again() {
    let mut scene = scene(MonitorOptions::new(), Some(SimulatedProgram::new().hangs()), "");
    scene.run_for(20 * SECOND);
    scene.act(|monitor, context| monitor.stop(context));
    scene.run_for(SECOND);
    let ended = "ended by signal 15 (SIGTERM)";
    assert_eq!(scene.take_events(), ["start", "timer", ended, "Stopped"]);
    scene.run_for(100 * SECOND);
    assert_eq!(scene.monitor.state(), MonitorState::Stopped);
    scene.act(|monitor, context| {
        monitor.start(context);
        monitor.stop(context);
    });
    scene.run_for(100 * SECOND);
    assert_eq!(scene.take_events(), [""; 0], "a pause is cancelled");
    scene.act(|monitor, context| monitor.start(context));
    scene.run_for(SECOND / 2);
    assert_eq!(scene.take_events(), ["start"]);
}

#[test]
fn restart_waits_for_no_pause() {
    let mut scene = scene(MonitorOptions::new(), Some(SimulatedProgram::new().hangs()), "");
    scene.run_for(SECOND / 2);
    scene.act(|monitor, context| monitor.restart(context));
    scene.run_for(SECOND / 2);
    let ended = "ended by signal 15 (SIGTERM)";
    assert_eq!(scene.take_events(), ["start", ended, "After(0ns)", "start"]);
    scene.act(|monitor, context| {
        monitor.stop(context);
        monitor.start(context);
    });
    scene.run_for(SECOND / 2);
    assert_eq!(scene.take_events(), [ended, "After(0ns)", "start"]);
}

#[test]
fn process_that_ignores_the_stop_is_killed() {
    let deaf = SimulatedProgram::new().ignores(Signal::Terminate).hangs();
    let mut scene = scene(MonitorOptions::new().end_timeout(3 * SECOND), Some(deaf), "");
    scene.run_for(2 * SECOND);
    scene.act(|monitor, context| monitor.restart(context));
    scene.run_for(2 * SECOND);
    scene.act(|monitor, context| monitor.stop(context)); // The timeout counts from the first request.
    assert_eq!(scene.take_events(), ["start", "timer"]);
    scene.run_for(2 * SECOND);
    assert_eq!(scene.take_events(), ["ended by signal 9 (SIGKILL)", "Stopped"]);
}

#[test]
fn grandchild_delays_the_next_run_for_a_while_only() {
    let program = SimulatedProgram::new().leaves_grandchild(Duration::from_secs(1000)).exits(0);
    let mut scene = scene(MonitorOptions::new(), Some(program), "");
    scene.run_for(4 * SECOND);
    assert_eq!(scene.take_events(), ["start", "timer"]);
    scene.run_for(3 * SECOND);
    assert_eq!(scene.take_events(), ["exited with code 0", "After(1s)", "start"]);
    assert_eq!(scene.monitor.failures(), 1, "the pipes do not count as a long run");
}

#[test]
fn stop_of_the_reactor_ends_the_monitor() {
    let mut scene = scene(MonitorOptions::new(), Some(SimulatedProgram::new().hangs()), "");
    scene.run_for(SECOND / 2);
    scene.act(|_, context| context.stop());
    scene.run_for(100 * SECOND);
    let ended = "ended by signal 15 (SIGTERM)";
    assert_eq!(scene.take_events(), ["start", ended, "Stopped"]);
}

#[test]
fn panic_of_the_protocol_prevents_no_run() {
    let mut scene = scene(MonitorOptions::new(), Some(quick()), "process_ended");
    scene.run_for(2 * SECOND);
    let run = ["start", "exited with code 1"];
    assert_eq!(scene.take_events(), [run, run].concat());
}

#[test]
fn panic_of_the_handler_stops_the_monitor() {
    let mut scene = scene(MonitorOptions::new(), Some(quick()), "next_run");
    scene.run_for(2 * SECOND);
    assert_eq!(scene.monitor.state(), MonitorState::Stopped);
}

#[test]
fn extreme_options_have_a_pause() {
    let options = MonitorOptions::new().initial_pause(Duration::ZERO).factor(f64::INFINITY);
    let options = options.max_pause(3 * SECOND).max_failures(0);
    let mut one = scene(options, Some(quick()), "");
    one.run_for(SECOND);
    assert_eq!(one.take_events(), ["start", "exited with code 1", "GivenUp"]);
    let mut many = scene(options.max_failures(u32::MAX), Some(quick()), "");
    many.run_for(SECOND);
    assert_eq!(many.take_events()[2..5], ["After(0ns)", "start", "exited with code 1"]);
}
