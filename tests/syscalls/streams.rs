//! Failed calls on streams affect one connection at most.

use super::traced;
use crate::support::*;
use ropewalk::{Context, Error, Reactor, ReactorGroup, Transport};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The clients of the scenario, and the lines that each sends.
pub(crate) const CLIENTS: usize = 4;
const LINES: usize = 3;

fn line(client: usize, number: usize) -> Vec<u8> {
    format!("client {client} sends line {number}\n").into_bytes()
}

/// The scenario that the children run: an echo with a few clients in one reactor, then a stop. It
/// checks itself, and returns how many clients received everything.
fn scenario() -> usize {
    let (served, called) = (Log::default(), Log::default());
    let failures = Failures::default();
    match play(&served, &called, &failures) {
        // A call before the run, or the poll itself, may fail.
        Err(error) => println!("\nREFUSED {error}"),
        Ok(()) => println!("\nFINISHED"),
    }
    served.check(true);
    called.check(true);
    let complete = (0..CLIENTS).filter(|client| {
        let said: Vec<u8> = (0..LINES).flat_map(|number| line(*client, number)).collect();
        called.ids().iter().any(|id| received_data(&called, *id) == said)
    });
    let complete = complete.count();
    for log in [&served, &called] {
        for id in log.ids() {
            let said = |client| (0..LINES).flat_map(move |number| line(client, number));
            let data = received_data(log, id);
            let is_beginning = |client| said(client).collect::<Vec<u8>>().starts_with(&data);
            assert!((0..CLIENTS).any(is_beginning), "{id} received {:?}", String::from_utf8(data));
        }
    }
    assert!(called.made() + failures.borrow().len() <= CLIENTS);
    println!("COMPLETE {complete} CALLED {} FAILED {}", called.made(), failures.borrow().len());
    for (id, event) in called.all().iter().chain(&served.all()) {
        if let Event::Lost(reason) = event {
            println!("LOST {id} {reason}");
        }
    }
    complete
}

fn received_data(log: &Log, id: ropewalk::Id) -> Vec<u8> {
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
            // Some data before the peer answers, in more than one write.
            Event::Made => transport.write(&line(client, 0)),
            Event::Data(data) => {
                let mut so_far = so_far.borrow_mut();
                let (before, size) = (*so_far, line(client, 0).len());
                *so_far += data.len();
                for number in before / size + 1..=*so_far / size {
                    if number < LINES {
                        let id = transport.id();
                        transport.write(b"");
                        transport.context().transport(id).write(&line(client, number));
                    } else {
                        transport.close();
                    }
                }
            }
            _ => {}
        };
        reactor.connect_tcp(port.address(), Caller::new(called, failures, hook))?;
    }
    // A fault may leave a client without an answer; the run ends all the same.
    reactor.context().call_later(Duration::from_millis(700), Context::stop);
    fn poll_end(context: &mut Context, called: Log, served: Log, failures: Failures) {
        let ended = called.lost() + failures.borrow().len() == CLIENTS;
        if ended && served.lost() == served.made() {
            return context.stop();
        }
        let again = move |context: &mut Context| poll_end(context, called, served, failures);
        context.call_later(Duration::from_millis(1), again);
    }
    poll_end(reactor.context(), called.clone(), served.clone(), Rc::clone(failures));
    reactor.set_grace(Duration::from_millis(300));
    reactor.run()
}

/// The test that the children below run, and the result without faults.
#[test]
fn without_faults_everything_arrives() {
    let complete = scenario();
    assert!(is_child() || complete == CLIENTS);
}

pub(crate) const SCENARIO: &str = "streams::without_faults_everything_arrives";

/// Fails the n-th `call` with each of `errors`, for each n up to `last`. Asserts that at most
/// `cost` clients are affected.
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
            if text.contains("FINISHED") {
                let complete = text.split_once("COMPLETE ").unwrap().1.split(' ').next().unwrap();
                let complete: usize = complete.parse().unwrap();
                assert!(complete + cost >= CLIENTS, "{inject} affected more than {cost}: {text}");
            } else {
                assert!(text.contains("REFUSED"), "{inject}: {text}");
            }
        }
    }
}

#[test]
fn failed_accept_affects_at_most_its_client() {
    // An injected failure leaves the client in the backlog, so that it affects none.
    let errors =
        ["EINTR", "ECONNABORTED", "EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EPROTO", "EPERM"];
    sweep("accept4", &errors, 5, 0);
}

#[test]
fn failed_read_affects_at_most_its_connection() {
    sweep("recvfrom", &["EINTR"], 8, 0);
    sweep("recvfrom", &["ECONNRESET", "ETIMEDOUT", "ENOMEM"], 8, 1);
}

#[test]
fn failed_write_affects_at_most_its_connection() {
    sweep("sendto,sendmsg", &["EINTR"], 8, 0);
    sweep("sendto,sendmsg", &["ECONNRESET", "EPIPE", "ENOBUFS", "ENOMEM"], 8, 1);
}

#[test]
fn failed_connect_affects_at_most_its_attempt() {
    let errors = ["ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL", "EPERM", "ETIMEDOUT", "ENOBUFS"];
    sweep("connect", &errors, CLIENTS, 1);
}

#[test]
fn failed_option_or_shutdown_affects_one_connection() {
    sweep("setsockopt", &["EINVAL", "ENOMEM"], 10, 0);
    sweep("shutdown", &["ENOTCONN", "ENOMEM"], CLIENTS, 1);
    sweep("getsockopt", &["ENOBUFS"], CLIENTS, 1);
}

#[test]
fn failed_poll_ends_the_run_gracefully() {
    sweep("epoll_wait,epoll_pwait", &["EINTR"], 8, 0);
    sweep("epoll_wait,epoll_pwait", &["ENOMEM", "EBADF"], 6, CLIENTS);
}

#[test]
fn failed_registration_affects_at_most_its_connection() {
    sweep("epoll_ctl", &["ENOSPC", "ENOMEM", "EPERM"], 14, 1);
}

#[test]
fn failed_socket_call_affects_at_most_its_attempt() {
    sweep("socket", &["EMFILE", "ENFILE", "ENOBUFS"], 1 + CLIENTS, 1);
    sweep("epoll_create1,eventfd2,bind,listen", &["EMFILE", "ENOMEM"], 2, 1);
}

/// Each error was taken for the error of one client, and accept was called again immediately.
#[test]
fn permanently_failing_accept_does_not_spin() {
    if is_child() {
        let (mut reactor, address) = up(|| Echo);
        let _client = client(address);
        let (begin, mut turns) = (Instant::now(), 0);
        while begin.elapsed() < Duration::from_millis(500) {
            reactor.turn(Some(Duration::from_millis(100))).unwrap();
            turns += 1;
        }
        assert!(turns < 50, "{turns} turns in half a second: the reactor spins");
        return;
    }
    if !strace_works() {
        return;
    }
    for error in ["EPERM", "ENETDOWN", "EMFILE"] {
        let inject = format!("inject=accept4:error={error}");
        let name = this_test!();
        let output = traced(name, &["-e", "trace=accept4", "-e", &inject]);
        assert!(output.status.success(), "{error}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// The run must not wait for the other reactors, which would run for ever.
#[test]
fn failed_poll_of_one_member_ends_group() {
    fn again(context: &mut Context) {
        context.call_later(Duration::ZERO, again);
    }
    if is_child() {
        let mut group = ReactorGroup::new(3).unwrap();
        // One reactor has many turns, and fails in one of them; the others wait.
        group.each(|member| _ = (member.index() == 1).then(|| again(member.context())));
        let error = group.run().unwrap_err();
        assert!(error.to_string().starts_with("cannot wait for events"), "{error}");
        return;
    }
    if !strace_works() {
        return;
    }
    let name = this_test!();
    let inject = "inject=epoll_wait,epoll_pwait:error=ENOMEM:when=100";
    let output = traced(name, &["-e", "trace=epoll_wait,epoll_pwait", "-e", inject]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
