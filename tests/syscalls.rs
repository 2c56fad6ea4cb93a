//! System calls that fail: whichever, and whenever, it costs one connection at most (strace(1)).
#![cfg(target_os = "linux")]

#[path = "support/datagrams.rs"]
mod datagrams;
mod support;

use datagrams::*;
use ropewalk::{Context, DatagramOptions, Error, Reactor, ReactorGroup, Transport, UnixAddress};
use std::cell::RefCell;
use std::collections::HashSet;
use std::process::Output;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::*;

/// How many clients the scenario has; each says so many lines.
const CLIENTS: usize = 4;
const LINES: usize = 3;

fn line(client: usize, number: usize) -> Vec<u8> {
    format!("client {client} says line {number}\n").into_bytes()
}

/// What all the scenario's children run: an echo with a few clients, in one reactor, then a stop.
/// It checks itself, and returns how many clients heard everything.
fn scenario() -> usize {
    let (served, called) = (Log::default(), Log::default());
    let failures = Failures::default();
    match play(&served, &called, &failures) {
        // What was asked of the system before the run, or the poll itself, may be refused.
        Err(error) => println!("\nREFUSED {error}"),
        Ok(()) => println!("\nPLAYED"),
    }
    served.check(true);
    called.check(true);
    let whole = (0..CLIENTS).filter(|client| {
        let said: Vec<u8> = (0..LINES).flat_map(|number| line(*client, number)).collect();
        called.ids().iter().any(|id| heard(&called, *id) == said)
    });
    let whole = whole.count();
    for log in [&served, &called] {
        for id in log.ids() {
            let said = |client| (0..LINES).flat_map(move |number| line(client, number));
            let heard = heard(log, id);
            let is_beginning = |client| said(client).collect::<Vec<u8>>().starts_with(&heard);
            assert!((0..CLIENTS).any(is_beginning), "{id} heard {:?}", String::from_utf8(heard));
        }
    }
    assert!(called.made() + failures.borrow().len() <= CLIENTS);
    println!("WHOLE {whole} CALLED {} FAILED {}", called.made(), failures.borrow().len());
    for (id, event) in called.all().iter().chain(&served.all()) {
        if let Event::Lost(reason) = event {
            println!("LOST {id} {reason}");
        }
    }
    whole
}

fn heard(log: &Log, id: ropewalk::Id) -> Vec<u8> {
    let mut data = Vec::new();
    for event in log.of(id) {
        if let Event::Data(bytes) = event {
            data.extend(bytes);
        }
    }
    data
}

fn play(served: &Log, called: &Log, failures: &Failures) -> Result<(), Error> {
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", recorders(served, echo))?;
    for client in 0..CLIENTS {
        let so_far = Rc::new(RefCell::new(0));
        let hook = move |transport: &mut Transport<'_>, event: &Event| match event {
            // Some of it before the peer has answered, and in more than one piece.
            Event::Made => transport.write(&line(client, 0)),
            Event::Data(data) => {
                let mut so_far = so_far.borrow_mut();
                let (before, size) = (*so_far, line(client, 0).len());
                *so_far += data.len();
                for number in before / size + 1..=*so_far / size {
                    if number < LINES {
                        let id = transport.id();
                        transport.write(b"");
                        transport.context().write(id, &line(client, number));
                    } else {
                        transport.close();
                    }
                }
            }
            _ => {}
        };
        reactor.connect_tcp(port.address(), Caller::new(called, failures, hook))?;
    }
    // A fault may leave one waiting for what never comes: that is its own loss.
    reactor.context().call_later(Duration::from_millis(700), Context::stop);
    fn look(context: &mut Context, called: Log, served: Log, failures: Failures) {
        let ended = called.lost() + failures.borrow().len() == CLIENTS;
        if ended && served.lost() == served.made() {
            return context.stop();
        }
        let again = move |context: &mut Context| look(context, called, served, failures);
        context.call_later(Duration::from_millis(1), again);
    }
    look(reactor.context(), called.clone(), served.clone(), Rc::clone(failures));
    reactor.set_grace(Duration::from_millis(300));
    reactor.run()
}

/// What the children below run, and what has to come of it when nothing fails.
#[test]
fn undisturbed_everything_arrives() {
    let whole = scenario();
    assert!(is_child() || whole == CLIENTS);
}

const SCENARIO: &str = "undisturbed_everything_arrives";

fn traced(name: &str, options: &[&str]) -> Output {
    let wrapper = [&["timeout", "-k", "1", "20", "strace", "-f", "--quiet=all"], options].concat();
    child(name, &wrapper).output().unwrap()
}

/// The n-th `call` fails with each of `errors`, for each n up to `last`; what has to be whole
/// nevertheless is all but `cost` of the clients.
fn sweep(call: &str, errors: &[&str], last: usize, cost: usize) {
    if !strace_works() {
        return;
    }
    for error in errors {
        for n in 1..=last {
            let inject = format!("inject={call}:error={error}:when={n}");
            let only = format!("trace={call}");
            let output = traced(SCENARIO, &["-o", "/dev/null", "-e", &only, "-e", &inject]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{inject}: {}\n{text}\n{errors}", output.status);
            assert!(!errors.contains("panicked"), "{inject}: {errors}");
            if text.contains("PLAYED") {
                let whole = text.split_once("WHOLE ").unwrap().1.split(' ').next().unwrap();
                let whole: usize = whole.parse().unwrap();
                assert!(whole + cost >= CLIENTS, "{inject} cost more than {cost}: {text}");
            } else {
                assert!(text.contains("REFUSED"), "{inject}: {text}");
            }
        }
    }
}

#[test]
fn a_failing_accept_costs_at_most_the_client_it_was_for() {
    // An injected failure takes nobody off the backlog, so in fact it costs nothing.
    let errors =
        ["EINTR", "ECONNABORTED", "EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EPROTO", "EPERM"];
    sweep("accept4", &errors, 5, 0);
}

#[test]
fn a_failing_read_costs_at_most_its_connection() {
    sweep("recvfrom", &["EINTR"], 8, 0);
    sweep("recvfrom", &["ECONNRESET", "ETIMEDOUT", "ENOMEM"], 8, 1);
}

#[test]
fn a_failing_write_costs_at_most_its_connection() {
    sweep("sendto,sendmsg", &["EINTR"], 8, 0);
    sweep("sendto,sendmsg", &["ECONNRESET", "EPIPE", "ENOBUFS", "ENOMEM"], 8, 1);
}

#[test]
fn a_failing_connect_costs_at_most_that_attempt() {
    let errors = ["ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL", "EPERM", "ETIMEDOUT", "ENOBUFS"];
    sweep("connect", &errors, CLIENTS, 1);
}

#[test]
fn a_failing_socket_option_or_shutdown_costs_at_most_its_connection() {
    sweep("setsockopt", &["EINVAL", "ENOMEM"], 10, 0);
    sweep("shutdown", &["ENOTCONN", "ENOMEM"], CLIENTS, 1);
    sweep("getsockopt", &["ENOBUFS"], CLIENTS, 1);
}

#[test]
fn an_interrupted_wait_costs_nothing_and_a_failing_one_ends_the_run_in_order() {
    sweep("epoll_wait,epoll_pwait", &["EINTR"], 8, 0);
    sweep("epoll_wait,epoll_pwait", &["ENOMEM", "EBADF"], 6, CLIENTS);
}

#[test]
fn a_socket_that_the_poll_does_not_take_costs_at_most_its_connection() {
    sweep("epoll_ctl", &["ENOSPC", "ENOMEM", "EPERM"], 14, 1);
}

#[test]
fn a_socket_that_cannot_be_had_costs_at_most_its_attempt() {
    sweep("socket", &["EMFILE", "ENFILE", "ENOBUFS"], 1 + CLIENTS, 1);
    sweep("epoll_create1,eventfd2,bind,listen", &["EMFILE", "ENOMEM"], 2, 1);
}

/// The calls of a child that ran the scenario, with the process ids taken off.
fn calls(name: &str, only: &str) -> Vec<String> {
    let path = std::env::temp_dir().join(format!("ropewalk-{}-{name}", std::process::id()));
    let text = path.to_str().unwrap();
    let output = traced(name, &["-o", text, "-e", only]);
    let calls = std::fs::read_to_string(&path).unwrap();
    let _ = std::fs::remove_file(&path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let without_pid =
        |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').to_owned();
    calls.lines().map(without_pid).collect()
}

#[test]
fn each_socket_is_taken_off_the_poll_before_it_is_closed_and_registered_once() {
    if !strace_works() {
        return;
    }
    let mut watched = HashSet::new();
    let mut registrations = 0;
    for call in calls(SCENARIO, "trace=epoll_ctl,close") {
        let arguments: Vec<&str> = call.split(['(', ',', ')']).map(str::trim).collect();
        match arguments[..] {
            ["epoll_ctl", _, "EPOLL_CTL_ADD", fd, ..] => {
                registrations += 1;
                assert!(watched.insert(fd.to_owned()), "{call}");
            }
            ["epoll_ctl", _, "EPOLL_CTL_MOD", ..] => panic!("a registration is never changed"),
            ["epoll_ctl", _, "EPOLL_CTL_DEL", fd, ..] => assert!(watched.remove(fd), "{call}"),
            ["close", fd, ..] => {
                // The waker's descriptor goes with the poll itself.
                assert!(!watched.contains(fd) || watched.len() == 1, "{call}: still watched");
            }
            _ => {}
        }
    }
    assert_eq!(registrations, 1 + 1 + 2 * CLIENTS, "the waker, the listener, the connections");
}

#[test]
fn what_one_callback_writes_and_what_a_turn_writes_to_others_goes_in_one_call_each() {
    const NAME: &str =
        "what_one_callback_writes_and_what_a_turn_writes_to_others_goes_in_one_call_each";
    const MEMBERS: usize = 5;
    if is_child() {
        let log = Log::default();
        let everybody = log.clone();
        let hook = move |transport: &mut Transport<'_>, event: &Event| {
            if *event == Event::Made {
                // Ten pieces of one's own.
                (0..10).for_each(|_| transport.write(b"own "));
            } else if matches!(event, Event::Data(_)) {
                // A hundred lines to everybody else.
                let me = transport.id();
                for _ in 0..100 {
                    for id in everybody.ids().into_iter().filter(|id| *id != me) {
                        transport.context().write(id, b"broadcast\n");
                    }
                }
            }
        };
        let (mut reactor, address) = up(recorders(&log, hook));
        let clients: Vec<_> = (0..MEMBERS).map(|_| client(address)).collect();
        turn_until(&mut reactor, "all made", |_| log.made() == MEMBERS);
        std::io::Write::write_all(&mut &clients[0], b"go").unwrap();
        for client in &clients[1..] {
            assert_eq!(read_turning(&mut reactor, client, 1_040).len(), 1_040);
        }
        return;
    }
    if !strace_works() {
        return;
    }
    let calls = calls(NAME, "trace=sendto,sendmsg");
    let own = calls.iter().filter(|call| call.contains("\"own own ") && call.ends_with("= 40"));
    assert_eq!(own.count(), MEMBERS, "{calls:?}");
    let others = calls.iter().filter(|call| call.contains("broadcast"));
    assert_eq!(others.count(), MEMBERS - 1, "one call each: {calls:?}");
}

/// Each refusal seemed to be of one client, and the next was asked for at once.
#[test]
fn an_accept_that_is_refused_before_it_takes_a_client_does_not_spin() {
    if is_child() {
        let (mut reactor, address) = up(|| Echo);
        let _client = client(address);
        let (begin, mut turns) = (Instant::now(), 0);
        while begin.elapsed() < Duration::from_millis(500) {
            reactor.turn(Some(Duration::from_millis(100))).unwrap();
            turns += 1;
        }
        assert!(turns < 50, "{turns} turns in half a second: it spins");
        return;
    }
    if !strace_works() {
        return;
    }
    for error in ["EPERM", "ENETDOWN", "EMFILE"] {
        let inject = format!("inject=accept4:error={error}");
        let name = "an_accept_that_is_refused_before_it_takes_a_client_does_not_spin";
        let output = traced(name, &["-e", "trace=accept4", "-e", &inject]);
        assert!(output.status.success(), "{error}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// The others must not be waited for then, who would run for ever.
#[test]
fn a_poll_that_fails_on_one_reactor_of_a_group_ends_the_group_with_its_error() {
    fn again(context: &mut Context) {
        context.call_later(Duration::ZERO, again);
    }
    if is_child() {
        let mut group = ReactorGroup::new(3).unwrap();
        // One has many turns, in one of which it fails; the others sleep.
        group.each(|member| _ = (member.index() == 1).then(|| again(member.context())));
        let error = group.run().unwrap_err();
        assert!(error.to_string().starts_with("cannot wait for events"), "{error}");
        return;
    }
    if !strace_works() {
        return;
    }
    let name = "a_poll_that_fails_on_one_reactor_of_a_group_ends_the_group_with_its_error";
    let inject = "inject=epoll_wait,epoll_pwait:error=ENOMEM:when=100";
    let output = traced(name, &["-e", "trace=epoll_wait,epoll_pwait", "-e", inject]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What the children below run: a datagram socket that echoes, and one that sends it ten.
#[test]
fn undisturbed_datagrams_arrive_in_order() {
    let (mut reactor, served, called) =
        (Reactor::new().unwrap(), Heards::default(), Heards::default());
    let port = reactor.listen_udp("127.0.0.1:0", Witness::echo(&served)).unwrap();
    let caller = reactor.context().connect_udp(port.address(), Witness::quiet(&called)).unwrap();
    let before = Instant::now();
    let mut turns = 0;
    for number in 0..10_u8 {
        reactor.context().send(caller.id(), &[number]);
    }
    let limit = Duration::from_millis(if is_child() { 700 } else { 10_000 });
    while called.data().len() < 10 && before.elapsed() < limit {
        reactor.turn(Some(Duration::from_millis(50))).unwrap();
        turns += 1;
    }
    let data: Vec<u8> = called.data().concat();
    assert!(data.is_sorted(), "out of order: {data:?}");
    assert!(is_child() || data.len() == 10);
    let counts = reactor.context().datagram_counts(caller.id()).unwrap();
    println!("\nHEARD {} DROPPED {} TURNS {turns}", data.len(), counts.dropped);
    println!("ERRORS {:?} {:?}", called.errors(), served.errors());
    let pauses = |heard: &Heard| *heard == Heard::Paused;
    let resumes = |heard: &Heard| *heard == Heard::Resumed;
    println!("PAUSES {} RESUMES {}", called.count(pauses), called.count(resumes));
    drop(reactor);
    served.check();
    called.check();
}

/// What the child says when `inject` fails, which has to end well.
fn datagrams_with(inject: &str) -> String {
    let only = format!("trace={}", inject.split(':').next().unwrap());
    let inject = format!("inject={inject}");
    let name = "undisturbed_datagrams_arrive_in_order";
    let output = traced(name, &["-o", "/dev/null", "-e", &only, "-e", &inject]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{inject}: {text}");
    text
}

#[test]
fn datagrams_that_would_block_wait_and_arrive_in_order() {
    if !strace_works() {
        return;
    }
    let text = datagrams_with("sendto:error=EAGAIN:when=4..9");
    assert!(text.contains("HEARD 10 DROPPED 0"), "{text}");
    assert!(text.contains("PAUSES 1 RESUMES 1"), "{text}");
    let text = datagrams_with("sendto,recvfrom:error=EINTR:when=1+2");
    assert!(text.contains("HEARD 10 DROPPED 0"), "{text}");
}

/// None is ever sent, so all but the first few are dropped, of which the protocol is told once.
#[test]
fn datagrams_beyond_the_bound_are_dropped_and_told_once() {
    if is_child() {
        let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
        let options = DatagramOptions::new().queue_limits(5, 100);
        let protocol = Witness::quiet(&heards);
        let port = reactor.context().connect_udp_with("127.0.0.1:9", &options, protocol).unwrap();
        (0..20).for_each(|_| reactor.context().send(port.id(), b"short"));
        turns(&mut reactor, 1);
        let counts = reactor.context().datagram_counts(port.id()).unwrap();
        assert_eq!((counts.waiting, counts.dropped, counts.sent), (5, 15, 0));
        assert_eq!(heards.errors().len(), 1);
        reactor.context().close(port.id());
        turns(&mut reactor, 1);
        heards.check();
        return;
    }
    if !strace_works() {
        return;
    }
    let name = "datagrams_beyond_the_bound_are_dropped_and_told_once";
    let output = traced(name, &["-e", "trace=sendto", "-e", "inject=sendto:error=EAGAIN"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// There was no room when they were sent, and there is when the socket is closed.
#[test]
fn datagrams_that_wait_are_tried_once_more_when_their_socket_is_closed() {
    if is_child() {
        let (mut reactor, heards, peer) = (Reactor::new().unwrap(), Heards::default(), peer());
        socket2::SockRef::from(&peer).set_recv_buffer_size(200 * 1024).unwrap();
        let to = peer.local_addr().unwrap();
        let port = reactor.context().connect_udp(to, Witness::quiet(&heards)).unwrap();
        (0..300_u16).for_each(|n| reactor.context().send(port.id(), &n.to_be_bytes()));
        assert_eq!(reactor.context().datagram_counts(port.id()).unwrap().waiting, 300);
        reactor.context().close(port.id());
        (0..300_u16).for_each(|n| assert_eq!(received(&peer), n.to_be_bytes()));
        turns(&mut reactor, 1);
        heards.check();
        return;
    }
    if !strace_works() {
        return;
    }
    let name = "datagrams_that_wait_are_tried_once_more_when_their_socket_is_closed";
    let output = traced(name, &["-e", "trace=sendto", "-e", "inject=sendto:error=EAGAIN:when=1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_datagram_that_cannot_be_sent_is_dropped_and_told_and_costs_no_other() {
    if !strace_works() {
        return;
    }
    for error in ["ENOBUFS", "ENOMEM", "EPERM", "ENETUNREACH"] {
        // A connected socket tries twice, since the first error may be about an earlier datagram.
        let text = datagrams_with(&format!("sendto:error={error}:when=3..4"));
        assert!(text.contains("HEARD 9 DROPPED 1"), "{error}: {text}");
        assert!(text.contains("cannot send 1 bytes to 127.0.0.1:"), "{error}: {text}");
        let text = datagrams_with(&format!("sendto:error={error}:when=3"));
        assert!(text.contains("HEARD 10 DROPPED 0"), "{error}: {text}");
        assert!(text.contains("cannot receive on 127.0.0.1:"), "{error}: {text}");
    }
}

#[test]
fn a_datagram_socket_that_cannot_be_had_is_an_error_and_leaves_nothing() {
    if is_child() {
        let (mut reactor, heards) = (Reactor::new().unwrap(), Heards::default());
        let before = descriptors();
        let error = reactor.listen_udp("127.0.0.1:0", Witness::quiet(&heards)).unwrap_err();
        assert!(error.to_string().starts_with("cannot listen on 127.0.0.1:0: "), "{error}");
        assert_eq!(descriptors(), before);
        drop(reactor);
        assert_eq!(heards.all(), [], "it was never started");
        return;
    }
    if !strace_works() {
        return;
    }
    // The first that is registered is the waker.
    for inject in ["socket:error=EMFILE", "bind:error=ENOBUFS", "epoll_ctl:error=ENOSPC:when=2+"] {
        let only = format!("trace={}", inject.split(':').next().unwrap());
        let name = "a_datagram_socket_that_cannot_be_had_is_an_error_and_leaves_nothing";
        let output = traced(name, &["-e", &only, "-e", &format!("inject={inject}")]);
        assert!(output.status.success(), "{inject}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn a_failing_receive_costs_nothing_and_one_that_always_fails_does_not_spin() {
    if !strace_works() {
        return;
    }
    for error in ["ENOMEM", "ENETDOWN", "ECONNREFUSED"] {
        let text = datagrams_with(&format!("recvfrom:error={error}:when=2..3"));
        assert!(text.contains("HEARD 10"), "{error}: {text}");
    }
    let text = datagrams_with("recvfrom:error=ENOMEM");
    let turns = text.split_once("TURNS ").unwrap().1.split_whitespace().next().unwrap();
    assert!(turns.parse::<usize>().unwrap() < 40, "it spins: {text}");
    assert!(text.contains("HEARD 0") && text.contains("cannot receive on"), "{text}");
}

/// Though its reads may stop short, one over a Unix socket is a read and a write as well; and
/// descriptors that go together cost one message.
#[test]
fn an_echo_over_a_unix_socket_is_one_read_and_one_write() {
    const NAME: &str = "an_echo_over_a_unix_socket_is_one_read_and_one_write";
    const ECHOES: usize = 20;
    if is_child() {
        let name = UnixAddress::abstract_name(format!("ropewalk-{}", std::process::id()));
        let (mut reactor, log, failures) = (Reactor::new().unwrap(), Log::default(), Rc::default());
        reactor.listen_unix(&name, || Echo).unwrap();
        let mut left = ECHOES;
        let caller = Caller::new(&log, &failures, move |transport, event| match event {
            Event::Made => transport.write(b"there and back"),
            Event::Data(_) if left > 1 => {
                left -= 1;
                transport.write(b"there and back");
            }
            Event::Data(data) if data.starts_with(b"there") => {
                let null = || std::fs::File::open("/dev/null").unwrap();
                transport.send_descriptors(b"and no more", [null(), null(), null()]).unwrap();
            }
            Event::Data(_) => transport.close(),
            _ => {}
        });
        reactor.connect_unix(&name, caller).unwrap();
        turn_until(&mut reactor, "lost", |_| log.lost() == 1);
        return;
    }
    if !strace_works() {
        return;
    }
    let calls = calls(NAME, "trace=recvmsg,sendto,sendmsg");
    let written = calls.iter().filter(|call| call.starts_with("sendto(") && call.contains("there"));
    assert_eq!(written.count(), 2 * ECHOES, "{calls:?}");
    let read = |call: &&String| call.starts_with("recvmsg(") && call.contains("there");
    assert_eq!(calls.iter().filter(read).count(), 2 * ECHOES, "{calls:?}");
    let dry = calls.iter().filter(|call| call.contains("EAGAIN")).count();
    assert!(dry <= 3, "only behind descriptors, and at the end: {dry} in {calls:?}");
    let passed = calls.iter().filter(|call| call.starts_with("sendmsg(")).count();
    assert_eq!(passed, 1, "{calls:?}");
}
