//! Processes: the same scenes with real ones and in the simulated world, and what only the latter can show.
#![cfg(target_os = "linux")]

#[cfg(feature = "pty")]
mod terminals;

use ropewalk::{
    ProcessExit, ProcessOptions, ProcessProtocol, ProcessTransport, Reactor, Reason, Signal,
};
use ropewalk_simulation::{NodeId, SimulatedProgram, World};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The callbacks of a process: its output is one event, however many callbacks it takes.
#[derive(Clone, Debug, Default, PartialEq)]
struct Record {
    events: Vec<String>,
    out: Vec<u8>,
    err: Vec<u8>,
}

type Log = Rc<RefCell<Record>>;
type Hook = fn(&mut ProcessTransport<'_>, &str);
/// Sets further options of a process.
type Prepare = fn(ProcessOptions) -> ProcessOptions;

/// Records each callback, then calls the scene's hook.
struct Recorder(Log, Hook);

impl Recorder {
    fn note(&mut self, process: &mut ProcessTransport<'_>, event: String) {
        let is_new = !self.0.borrow().events.contains(&event);
        if is_new {
            self.0.borrow_mut().events.push(event.clone());
        }
        (self.1)(process, &event);
    }
}

impl ProcessProtocol for Recorder {
    fn connection_made(&mut self, process: &mut ProcessTransport<'_>) {
        self.note(process, "made".to_owned());
    }

    fn out_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
        self.0.borrow_mut().out.extend_from_slice(data);
        self.note(process, "out".to_owned());
    }

    fn err_received(&mut self, process: &mut ProcessTransport<'_>, data: &[u8]) {
        self.0.borrow_mut().err.extend_from_slice(data);
        self.note(process, "err".to_owned());
    }

    fn pause_writing(&mut self, process: &mut ProcessTransport<'_>) {
        self.note(process, "pause".to_owned());
    }

    fn resume_writing(&mut self, process: &mut ProcessTransport<'_>) {
        self.note(process, "resume".to_owned());
    }

    fn in_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {
        self.note(process, format!("in {reason:?}"));
    }

    fn out_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {
        self.note(process, format!("out {reason:?}"));
    }

    fn err_connection_lost(&mut self, process: &mut ProcessTransport<'_>, reason: Reason) {
        self.note(process, format!("err {reason:?}"));
    }

    fn process_exited(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
        self.note(process, format!("exited: {exit}"));
    }

    fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
        self.note(process, format!("ended: {exit}"));
        process.context().stop();
    }
}

/// Runs a shell script as a real process. Signals that this process ignores, as under nohup(1), would stay ignored in it.
fn real(script: &str, hook: Hook, prepare: Prepare) -> Record {
    let log = Log::default();
    let mut reactor = Reactor::new().unwrap();
    let options = ProcessOptions::new("env").arg("--default-signal=HUP,INT,QUIT");
    let mut options = prepare(options.args(["sh", "-c", script]));
    options.spawn(reactor.context(), Recorder(log.clone(), hook)).unwrap();
    reactor.run().unwrap();
    log.take()
}

/// Returns a world with a node that runs a program as a process.
fn world_with(seed: u64, program: &SimulatedProgram, hook: Hook) -> (World, Log) {
    world_prepared(seed, program, hook, with_pipes)
}

fn world_prepared(
    seed: u64,
    program: &SimulatedProgram,
    hook: Hook,
    prepare: Prepare,
) -> (World, Log) {
    let log = Log::default();
    let mut world = World::new(seed);
    world.allow_panics(|message| message == "on purpose");
    world.set_program("program", program.clone());
    let of_node = log.clone();
    world.add_node("node", move |reactor| {
        let recorder = Recorder(of_node.clone(), hook);
        prepare(ProcessOptions::new("program")).spawn(reactor.context(), recorder).map(drop)
    });
    (world, log)
}

/// Runs a program as a simulated process to its end.
fn simulated(seed: u64, program: &SimulatedProgram, hook: Hook) -> Record {
    simulated_prepared(seed, program, hook, with_pipes)
}

fn simulated_prepared(
    seed: u64,
    program: &SimulatedProgram,
    hook: Hook,
    prepare: Prepare,
) -> Record {
    let (mut world, log) = world_prepared(seed, program, hook, prepare);
    assert!(world.run_until_quiet(Duration::from_secs(100)), "{:?}", log.borrow());
    log.take()
}

/// Plays a scene with a real process and with simulated ones, and compares the callbacks. The ends of the pipes and
/// of the process come in any order.
fn play(script: &str, program: &SimulatedProgram, hook: Hook) -> Record {
    play_prepared(script, program, hook, with_pipes)
}

fn play_prepared(script: &str, program: &SimulatedProgram, hook: Hook, prepare: Prepare) -> Record {
    let sorted = |mut record: Record| {
        assert_eq!(record.events.first().map(String::as_str), Some("made"));
        assert!(record.events.last().unwrap().starts_with("ended"), "{record:?}");
        record.events.sort();
        record
    };
    let expected = sorted(real(script, hook, prepare));
    for seed in 0..20 {
        let found = sorted(simulated_prepared(seed, program, hook, prepare));
        assert_eq!(found.events, expected.events, "seed {seed}: {script}");
        assert!(found.out == expected.out && found.err == expected.err, "seed {seed}: {script}");
    }
    expected
}

fn with_pipes(options: ProcessOptions) -> ProcessOptions {
    options
}

fn nothing(_process: &mut ProcessTransport<'_>, _event: &str) {}

#[test]
fn output_and_exit_code_arrive() {
    let program = SimulatedProgram::new().writes("one\n").writes_error("two\n").exits(3);
    let record = play("echo one; echo two >&2; exit 3", &program, nothing);
    assert_eq!((record.out, record.err), (b"one\n".to_vec(), b"two\n".to_vec()));
}

#[test]
fn a_megabyte_is_echoed_with_backpressure() {
    let record = play("cat", &SimulatedProgram::new().echoes(), |process, event| {
        if event == "made" {
            process.write(&[b'x'; 1_000_000]);
        } else if event == "resume" {
            process.close_stdin();
        }
    });
    assert_eq!(record.out.len(), 1_000_000);
    assert!(record.events.contains(&"pause".to_owned()), "{:?}", record.events);
}

#[test]
fn lines_are_answered() {
    let program = SimulatedProgram::new().answers(|line| line.to_ascii_uppercase());
    let record = play("tr a-z A-Z", &program, |process, event| {
        if event == "made" {
            process.write(b"one\ntwo\nand the rest");
            process.close_stdin();
        }
    });
    assert_eq!(record.out, b"ONE\nTWO\nAND THE REST");
}

#[test]
fn process_closes_its_pipes_and_lives_on() {
    let program = SimulatedProgram::new().closes_input().closes_output().closes_error();
    let program = program.waits(Duration::from_millis(50)).exits(0);
    let record = play("exec <&- >&- 2>&-; sleep 0.05", &program, nothing);
    assert!(record.events.contains(&"out ClosedByPeer".to_owned()), "{:?}", record.events);
}

#[test]
fn grandchild_holds_the_pipes_open() {
    let program = SimulatedProgram::new().leaves_grandchild(Duration::from_millis(50)).exits(0);
    play("sleep 0.05 & exit 0", &program, nothing);
    let order = simulated(1, &program, nothing).events;
    let at = |event: &str| order.iter().position(|other| other == event).unwrap();
    assert!(at("exited: exited with code 0") < at("out ClosedByPeer"), "{order:?}");
}

/// The killed process was waiting for an earlier time than the grandchild's end.
#[test]
fn killed_process_leaves_its_pipes_to_the_grandchild() {
    let program = SimulatedProgram::new().writes("ready\n").waits(Duration::from_millis(20));
    let program = program.leaves_grandchild(Duration::from_secs(1));
    let (mut world, log) = world_with(1, &program, |process, event| {
        if event == "out" {
            process.kill();
        }
    });
    world.run_for(Duration::from_millis(500));
    let killed = "exited: ended by signal 9 (SIGKILL)";
    assert_eq!(log.borrow().events, ["made", "out", killed]);
    world.run_for(Duration::from_secs(1));
    assert!(log.borrow().events.contains(&"out ClosedByPeer".to_owned()));
}

#[test]
fn input_that_is_not_read_is_lost() {
    let program = SimulatedProgram::new().waits(Duration::from_millis(20)).exits(0);
    play("sleep 0.02", &program, |process, event| {
        if event == "made" {
            process.write(&[b'x'; 100_000]);
        }
    });
}

#[test]
fn closed_output_ends_a_writer_by_sigpipe() {
    let program = SimulatedProgram::new().writes("begin\n").waits(Duration::from_millis(20));
    let program = program.writes("more\n").writes("and more\n");
    let script = "exec 2>&-; printf 'begin\\n'; sleep 0.02; exec cat /dev/zero";
    let program = program.closes_error();
    let record = play(script, &program, |process, event| {
        if event == "out" {
            process.stdout().close();
        }
    });
    assert!(record.events.contains(&"ended: ended by signal 13".to_owned()));
}

#[test]
fn ignored_termination_is_followed_by_a_kill() {
    let program = SimulatedProgram::new().ignores(Signal::Terminate).writes("ready\n").hangs();
    play("trap '' TERM; echo ready; exec sleep 100", &program, |process, event| {
        if event == "out" {
            process.signal(Signal::Terminate).unwrap();
            process.kill();
        }
    });
}

#[test]
fn stopped_process_continues() {
    let program = SimulatedProgram::new().writes("ready\n").reads_to_end().writes("end\n");
    let record = play("echo ready; cat >/dev/null; echo end", &program, |process, event| {
        if event == "out" && process.exit().is_none() {
            process.signal(Signal::Stop).unwrap();
            process.close_stdin();
            process.signal(Signal::Continue).unwrap();
        }
    });
    assert_eq!(record.out, b"ready\nend\n");

    let (mut world, log) = world_with(1, &program, |process, event| {
        if event == "out" {
            process.signal(Signal::Stop).unwrap();
            process.close_stdin();
        }
    });
    world.run_for(Duration::from_secs(1));
    assert_eq!(log.borrow().events, ["made", "out", "in Closed"]);
}

#[test]
fn panic_kills_the_process() {
    play("cat", &SimulatedProgram::new().echoes(), |_, event| {
        assert!(event != "made", "on purpose");
    });
}

#[test]
fn missing_program_is_the_same_error() {
    let error = |reactor: &mut Reactor| {
        let recorder = Recorder(Log::default(), nothing);
        let mut options = ProcessOptions::new("there-is-no-such-program");
        options.spawn(reactor.context(), recorder).unwrap_err().to_string()
    };
    let expected = error(&mut Reactor::new().unwrap());
    let mut world = World::new(1);
    let node = world.add_node("node", |_| Ok(()));
    assert_eq!(error(world.reactor(node).unwrap()), expected);
}

#[test]
fn stop_asks_a_process_and_then_kills_it() {
    let deaf = SimulatedProgram::new().ignores(Signal::Terminate).hangs();
    for (program, end) in [(SimulatedProgram::new().hangs(), 15), (deaf, 9)] {
        let record = simulated(1, &program, |process, event| {
            if event == "made" {
                process.context().stop();
            }
        });
        let last = record.events.last().unwrap();
        assert!(last.starts_with(&format!("ended: ended by signal {end}")), "{record:?}");
    }
}

#[test]
fn crash_of_a_node_ends_its_processes() {
    let program = SimulatedProgram::new().waits(Duration::from_secs(5)).writes("x");
    let (mut world, log) = world_with(1, &program, nothing);
    world.run_for(Duration::from_secs(1));
    world.crash(NodeId::from(0));
    assert!(world.run_until_quiet(Duration::from_secs(100)));
    assert_eq!(log.borrow().events, ["made"]);
}

#[test]
fn processes_repeat_from_the_seed() {
    let trace = |seed| {
        let (mut world, _) =
            world_with(seed, &SimulatedProgram::new().echoes(), |process, event| {
                if event == "made" {
                    process.write(b"hello");
                    process.close_stdin();
                }
            });
        world.run_for(Duration::from_secs(1));
        world.trace()
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8), "the start takes another time");
}
