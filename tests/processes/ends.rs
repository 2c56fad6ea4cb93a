//! The ends of processes and of their pipes.

use crate::support::{
    Echo, MANY_FILES, becomes_idle, client, descriptors, in_child, is_child, read_turning,
    strace_works, this_test, turn, turn_until, up,
};
use crate::{Log, Recorder, has, has_ended, nothing, number, on_made, run, shell, start, state};
use ropewalk::{ProcessOptions, ProcessTransport, Reactor, Signal};
use std::io::{ErrorKind, PipeWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

#[test]
fn callbacks_come_in_order_and_once() {
    let record = run(shell("cat; echo bye >&2; exit 3"), |process, event| match event {
        "made" => process.write(b"hello"),
        "out" => process.close_stdin(),
        _ => {}
    });
    assert_eq!((&*record.out, &*record.err), (&b"hello"[..], &b"bye\n"[..]));
    let events = record.events;
    assert_eq!(events[..3], ["made", "out", "in Closed"]);
    assert_eq!(events.last().unwrap(), "ended: exited with code 3");
    for event in ["err", "out ClosedByPeer", "err ClosedByPeer", "exited: exited with code 3"] {
        assert_eq!(events.iter().filter(|of| *of == event).count(), 1, "{event}: {events:?}");
    }
    assert_eq!(events.len(), 8);
}

#[test]
fn signal_and_code_are_told_apart() {
    let record = run(shell("kill -KILL $$"), nothing);
    assert_eq!(record.events.last().unwrap(), "ended: ended by signal 9 (SIGKILL)");
    let record = run(shell("exit 137"), nothing);
    assert_eq!(record.events.last().unwrap(), "ended: exited with code 137");
    let record = run(
        ProcessOptions::new("cat"),
        on_made(|process| {
            process.signal(Signal::Terminate).unwrap();
        }),
    );
    assert_eq!(record.events.last().unwrap(), "ended: ended by signal 15 (SIGTERM)");
}

#[test]
fn closed_pipes_do_not_end_a_living_process() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let id = start(&mut reactor, &log, shell("exec <&- >&- 2>&-; exec sleep 100"), nothing);
    turn_until(&mut reactor, "all pipes closed", |_| {
        has(&log, "in ") && has(&log, "out ") && has(&log, "err ")
    });
    assert!(has(&log, "in Reset"), "closed by the process");
    assert!(becomes_idle(&mut reactor));
    assert!(!has(&log, "exited"));
    ProcessTransport::new(reactor.context(), id).kill();
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
}

#[test]
fn grandchild_that_holds_output_delays_the_end() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let script = "exec 3<&0; (read line <&3; echo late) & exit 0";
    let id = start(&mut reactor, &log, shell(script), nothing);
    turn_until(&mut reactor, "exited", |_| has(&log, "exited"));
    assert!(becomes_idle(&mut reactor));
    assert!(!has_ended(&log));
    let mut process = ProcessTransport::new(reactor.context(), id);
    assert!(process.exit().unwrap().is_success());
    let error = process.signal(Signal::Kill).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    process.write(b"go\n");
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
    assert_eq!(log.borrow().out, b"late\n");
}

#[test]
fn closing_pipes_at_the_exit_waits_no_longer() {
    let record =
        run(shell("sleep 100 & echo $!; read line; exit 0"), |process, event| match event {
            "out" => process.close_stdin(),
            event if event.starts_with("exited") => process.close(),
            _ => {}
        });
    assert_eq!(record.events.last().unwrap(), "ended: exited with code 0");
    let grandchild = String::from_utf8(record.out).unwrap();
    Command::new("kill").arg(grandchild.trim()).status().unwrap();
}

#[test]
fn reaped_process_leaves_no_zombie_and_no_descriptor() {
    if !is_child() {
        return drop(in_child(this_test!(), &[])); // It counts descriptors.
    }
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let before = descriptors();
    let ids = [(); 50].map(|()| start(&mut reactor, &log, shell("exit 1"), nothing));
    let numbers = ids.map(|id| number(&mut reactor, id));
    let all =
        |log: &Log| log.borrow().events.iter().filter(|event| event.starts_with("ended")).count();
    // Each is recorded once, unless the last event is the same.
    turn_until(&mut reactor, "the end", |reactor| {
        ids.iter().all(|id| ProcessTransport::new(reactor.context(), *id).number().is_none())
    });
    assert!(all(&log) > 0);
    assert!(numbers.iter().all(|number| state(*number).is_none()));
    assert_eq!(descriptors(), before);
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    assert_eq!(children, "");
}

#[test]
fn other_children_are_not_reaped() {
    let mut other = Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
    run(shell("sleep 0.1"), nothing);
    assert_eq!(other.wait().unwrap().code(), Some(7));
}

#[test]
fn missing_program_is_an_error_with_its_name() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let recorder = Recorder::new(&log, nothing);
    let error =
        ProcessOptions::new("no-such-program").spawn(reactor.context(), recorder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = error.to_string();
    assert!(text.starts_with("cannot start no-such-program: no such file"), "{text}");
    turn(&mut reactor);
    assert!(log.borrow().events.is_empty());
}

#[test]
fn process_that_cannot_be_registered_is_killed() {
    if !is_child() {
        // Of the process, and of each of its pipes. The first call registers the reactor's waker.
        for call in (2..6).filter(|_| strace_works()) {
            let fault = format!("inject=epoll_ctl:error=ENOSPC:when={call}");
            in_child(this_test!(), &["strace", "-f", "-o", "/dev/null", "-e", &fault]);
        }
        return;
    }
    let mut reactor = Reactor::new().unwrap();
    let before = descriptors();
    let recorder = Recorder::new(&Log::default(), nothing);
    let error = shell("exec sleep 5").spawn(reactor.context(), recorder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    assert!(all_are_reaped(), "none runs on, and none is a zombie");
    assert_eq!(descriptors(), before);
}

/// Starts a process that runs until its input ends, in a child in which these system calls fail, and asserts that the
/// start fails. Returns its input, or `None` in the parent.
fn fail_to_follow(test: &str, faults: &[&str]) -> Option<PipeWriter> {
    if !is_child() {
        let mut wrapper = vec!["timeout", "-k", "1", "20", "strace", "-f", "-o", "/dev/null"];
        faults.iter().for_each(|fault| wrapper.extend(["-e", fault]));
        if strace_works() {
            in_child(test, &wrapper);
        }
        return None;
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let recorder = Recorder::new(&Log::default(), nothing);
    let mut started = ProcessOptions::new("cat").stdin(Stdio::from(reader));
    let error = started.spawn(Reactor::new().unwrap().context(), recorder).unwrap_err();
    assert!(error.to_string().contains("too many open files"), "{error}");
    Some(writer)
}

/// Returns true if this thread has started no process that has not been reaped.
fn all_are_reaped() -> bool {
    std::fs::read_to_string("/proc/thread-self/children").unwrap().is_empty()
}

#[test]
fn process_without_a_descriptor_is_killed_and_reaped() {
    if let Some(_input) = fail_to_follow(this_test!(), &["inject=pidfd_open:error=EMFILE"]) {
        turn_until(&mut Reactor::new().unwrap(), "it is reaped", |_| all_are_reaped());
    }
}

#[test]
fn killed_process_that_lives_on_delays_nothing() {
    let faults = ["inject=pidfd_open:error=EMFILE", "inject=kill:retval=0"];
    if let Some(input) = fail_to_follow(this_test!(), &faults) {
        assert!(!all_are_reaped(), "it waits for the end of its input");
        drop(input);
        turn_until(&mut Reactor::new().unwrap(), "it is reaped", |_| all_are_reaped());
    }
}

#[test]
fn process_has_only_its_three_descriptors() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let _listener = reactor.listen_tcp("127.0.0.1:0", || Echo).unwrap();
    start(&mut reactor, &log, ProcessOptions::new("cat"), nothing);
    let listing = Log::default();
    start(&mut reactor, &listing, ProcessOptions::new("ls").arg("/proc/self/fd"), nothing);
    turn_until(&mut reactor, "the end", |_| has_ended(&listing));
    // What is inherited by all processes of this test is no fault.
    let usual = Command::new("ls").arg("/proc/self/fd").stdin(Stdio::null()).output().unwrap();
    let (ours, usual) = (listing.borrow().out.clone(), usual.stdout);
    assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&usual));
}

#[test]
fn thousand_connections_are_not_inherited() {
    if !is_child() {
        return drop(in_child(this_test!(), &MANY_FILES));
    }
    let (mut reactor, address) = up(|| Echo);
    let mut clients: Vec<_> = (0..1000).map(|_| client(address)).collect();
    let log = Log::default();
    start(
        &mut reactor,
        &log,
        shell("ls /proc/self/fd | wc -l; exec cat"),
        on_made(|process| process.write(b"x")),
    );
    turn_until(&mut reactor, "the echo of the process", |_| log.borrow().out.ends_with(b"x"));
    let usual = run(shell("ls /proc/self/fd | wc -l"), nothing);
    assert_eq!(log.borrow().out, [usual.out, b"x".to_vec()].concat());
    for client in &mut clients {
        client.write_all(b"ping").unwrap();
        assert_eq!(read_turning(&mut reactor, client, 4), b"ping");
    }
}

#[test]
fn options_reach_the_process() {
    let script = "pwd; echo $WORD $#; ps -o pgid= -p $$ | tr -d ' '; echo $$";
    let options = shell(script)
        .args(["zero", "one", "two"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("WORD", "word")
        .directory("/")
        .stdin(Stdio::null())
        .own_process_group();
    let record = run(options, nothing);
    let out = String::from_utf8(record.out).unwrap();
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[..2], ["/", "word 2"]);
    assert_eq!(lines[2], lines[3], "it leads a process group");
    assert!(!record.events.iter().any(|event| event.starts_with("in ")));
}

#[test]
fn user_and_group_are_set_and_other_groups_dropped() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return println!("skipped: only the superuser may change the user");
    }
    if !is_child() {
        return drop(in_child(this_test!(), &["setpriv", "--groups=0,65531,65532"]));
    }
    let record = run(shell("id -u; id -g; id -G").user(65534).group(65533), nothing);
    assert_eq!(String::from_utf8(record.out).unwrap(), "65534\n65533\n65533\n");
    let record = run(shell("id -u; id -g").group(65533), nothing);
    assert_eq!(String::from_utf8(record.out).unwrap(), "0\n65533\n");
}

#[test]
fn command_from_elsewhere_keeps_its_settings() {
    let mut command = Command::new("echo");
    command.arg("hello").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let record = run(command.into(), nothing);
    assert_eq!(record.out, b"hello\n");
    let exited = record.events.iter().position(|event| event.starts_with("exited")).unwrap();
    assert_eq!(record.events.len(), 5, "{:?}", record.events);
    assert!(exited > 0);
}

#[test]
fn panic_kills_the_process() {
    for at in ["made", "out", "out ", "exited"] {
        let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
        let mut panicked = false;
        let id = start(&mut reactor, &log, shell("echo; exec cat"), move |process, event| {
            if at == "exited" && event == "made" {
                process.kill();
            }
            if at == "out " && event == "out" {
                process.stdout().close();
            }
            if event.starts_with(at) && (at != "out" || event == "out") && !panicked {
                panicked = true;
                panic!("as requested");
            }
        });
        let child = number(&mut reactor, id);
        turn_until(&mut reactor, at, |_| has_ended(&log));
        let end = log.borrow().events.last().unwrap().clone();
        assert_eq!(end, "ended: ended by signal 9 (SIGKILL)", "{at}");
        assert_eq!(state(child), None);
    }
}

#[test]
fn stopped_process_is_killed() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let id = start(&mut reactor, &log, ProcessOptions::new("cat"), nothing);
    ProcessTransport::new(reactor.context(), id).signal(Signal::Stop).unwrap();
    let child = number(&mut reactor, id);
    turn_until(&mut reactor, "stopped", |_| state(child) == Some('T'));
    assert!(!has(&log, "exited"));
    reactor.context().abort(id);
    turn_until(&mut reactor, "the end", |_| has_ended(&log));
}

#[test]
fn timer_of_a_process_limits_its_time() {
    let record = run(shell("exec sleep 100"), |process, event| match event {
        "made" => {
            let id = process.id();
            process.context().set_timer(id, std::time::Duration::from_millis(1));
        }
        "timer" => process.kill(),
        _ => {}
    });
    assert!(record.events.contains(&"timer".to_owned()));
}
