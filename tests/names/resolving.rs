//! Look-ups by themselves, resolvers, and names of listeners.

use crate::support::*;
use crate::{hanging, take};
use ropewalk::{Answer, Context, Error, Id, Reactor};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;

type Results = Rc<RefCell<Vec<Result<Vec<SocketAddr>, Error>>>>;

fn resolve(reactor: &mut Reactor, name: &str, results: &Results) -> Id {
    let results = Rc::clone(results);
    let call = move |_: &mut Context, found| results.borrow_mut().push(found);
    reactor.context().resolve(name, call).unwrap()
}

fn kind(results: &Results) -> ErrorKind {
    let results = results.borrow();
    assert_eq!(results.len(), 1);
    results[0].as_ref().unwrap_err().kind()
}

#[test]
fn result_is_called_once_after_the_request() {
    let mut reactor = Reactor::new().unwrap();
    let queries = hanging(&mut reactor);
    let results = Results::default();
    resolve(&mut reactor, "example.org:80", &results);
    turn(&mut reactor);
    let mut answer = take(&queries);
    answer.found("[::1]:80".parse().unwrap());
    turns(&mut reactor, 2);
    assert!(results.borrow().is_empty());
    answer.succeed(["10.0.0.1:80".parse().unwrap()]);
    turns(&mut reactor, 3);
    let results = results.borrow();
    let found: Vec<String> = results[0].as_ref().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!((results.len(), found), (1, vec!["[::1]:80".to_owned(), "10.0.0.1:80".to_owned()]));
    assert_eq!(reactor.timeout(), None);
}

#[test]
fn digits_need_no_resolver() {
    let mut reactor = Reactor::new().unwrap();
    let queries = hanging(&mut reactor);
    let results = Results::default();
    for name in ["10.0.0.1:80", "[::1]:80", "[fe80::1%4]:80"] {
        resolve(&mut reactor, name, &results);
    }
    assert!(results.borrow().is_empty(), "never before the request has returned");
    turn(&mut reactor);
    assert_eq!(results.borrow().len(), 3);
    assert!(results.borrow().iter().all(Result::is_ok) && queries.borrow().is_empty());
}

#[test]
fn cancelled_look_up_is_called_with_an_error() {
    let mut reactor = Reactor::new().unwrap();
    let queries = hanging(&mut reactor);
    let results = Results::default();
    let id = resolve(&mut reactor, "example.org:80", &results);
    turn(&mut reactor);
    let answer = take(&queries);
    reactor.context().close(id);
    reactor.context().close(id);
    assert!(!answer.is_wanted());
    turn(&mut reactor);
    assert_eq!(kind(&results), ErrorKind::ConnectionAborted);
    answer.succeed(["10.0.0.1:80".parse().unwrap()]);
    turns(&mut reactor, 2);
    assert_eq!(results.borrow().len(), 1);
}

#[test]
fn stop_or_drop_ends_a_look_up_with_an_error() {
    for drops in [false, true] {
        let mut reactor = Reactor::new().unwrap();
        let queries = hanging(&mut reactor);
        let results = Results::default();
        resolve(&mut reactor, "example.org:80", &results);
        turn(&mut reactor);
        let answer = take(&queries);
        if !drops {
            reactor.context().stop();
            reactor.run().unwrap();
            assert_eq!(results.borrow().len(), 1);
        }
        drop(reactor);
        let text = results.borrow()[0].as_ref().unwrap_err().to_string();
        assert_eq!(
            (results.borrow().len(), text.as_str()),
            (1, "cannot look up example.org:80: the reactor stopped")
        );
        answer.succeed([]); // No reactor receives it.
    }
}

#[test]
fn panic_of_resolver_fails_the_look_up() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_resolver(|_: &mut Context, _: &str, _: u16, _answer: Answer| -> Option<Answer> {
        std::panic::resume_unwind(Box::new("on purpose"))
    });
    let results = Results::default();
    resolve(&mut reactor, "example.org:80", &results);
    turn_until(&mut reactor, "failed", |_| results.borrow().len() == 1);
    assert_eq!(kind(&results), ErrorKind::Other);
    assert_eq!(reactor.context().statistics().panics, 1);
}

#[test]
fn resolver_may_leave_a_name_to_the_system() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_resolver(|_: &mut Context, _: &str, _: u16, answer: Answer| Some(answer));
    let results = Results::default();
    resolve(&mut reactor, "localhost:80", &results);
    turn_until(&mut reactor, "found", |_| results.borrow().len() == 1);
    let results = results.borrow();
    assert!(results[0].as_ref().unwrap().iter().all(|address| address.ip().is_loopback()));
}

#[test]
fn resolver_may_answer_through_the_reactor() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_resolver(|context: &mut Context, host: &str, port: u16, answer: Answer| {
        match host {
            // An alias of another name.
            "alias" => {
                let resolved = move |_: &mut Context, found: Result<Vec<SocketAddr>, Error>| {
                    answer.succeed(found.unwrap());
                };
                context.resolve(("name", port), resolved).unwrap();
            }
            _ => answer.succeed([([10, 0, 0, 1], port).into()]),
        }
        None
    });
    let results = Results::default();
    resolve(&mut reactor, "alias:80", &results);
    turn_until(&mut reactor, "found", |_| results.borrow().len() == 1);
    assert_eq!(results.borrow()[0].as_ref().unwrap()[0].to_string(), "10.0.0.1:80");
}

#[test]
fn running_reactor_does_not_listen_on_names() {
    let mut reactor = Reactor::new().unwrap();
    assert!(reactor.listen_tcp("localhost:0", || Echo).is_ok());
    let errors = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&errors);
    reactor.context().call_later(std::time::Duration::ZERO, move |context| {
        kept.borrow_mut().extend(context.listen_tcp("localhost:0", || Echo).err());
        assert!(context.listen_tcp("127.0.0.1:0", || Echo).is_ok());
        context.stop();
    });
    reactor.run().unwrap();
    assert_eq!(errors.borrow().len(), 1);
    for error in errors.borrow().iter() {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("with `resolve`"), "{error}");
    }
    assert!(reactor.listen_tcp("localhost:0", || Echo).is_ok(), "it no longer runs");
}

#[test]
fn unknown_service_is_named_in_the_error() {
    let mut reactor = Reactor::new().unwrap();
    for name in ["localhost:no-such-service", "127.0.0.1:no-such-service"] {
        let error = reactor.context().resolve(name, |_, _| unreachable!()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("there is no service `no-such-service`"), "{error}");
    }
    for name in ["localhost:70000", "localhost:-1", "localhost:", "localhost:a b"] {
        let error = reactor.context().resolve(name, |_, _| unreachable!()).unwrap_err();
        assert!(error.to_string().contains("the port is neither a number"), "{error}");
    }
    turn(&mut reactor);
}

#[test]
fn known_service_is_the_port_of_a_connection() {
    let mut reactor = Reactor::new().unwrap();
    if !std::path::Path::new("/etc/services").exists() {
        return println!("skipped: there is no file of services(5)");
    }
    assert_eq!(reactor.service_port("domain", "tcp").ok(), Some(53));
    let (log, failures) = (Log::default(), Failures::default());
    // A broadcast address accepts no connection, whatever serves the port on this machine.
    let caller = Caller::new(&log, &failures, only_record);
    reactor.connect_tcp("127.255.255.255:domain", caller).unwrap();
    turn_until(&mut reactor, "a failure", |_| !failures.borrow().is_empty());
    let text = failures.borrow()[0].1.to_string();
    assert!(text.starts_with("cannot connect to 127.255.255.255:53: "), "{text}");
}

#[test]
fn host_has_a_name() {
    let reactor = Reactor::new().unwrap();
    assert!(!reactor.host_name().unwrap().is_empty());
}

#[test]
fn addresses_of_a_name_are_bounded() {
    let mut reactor = Reactor::new().unwrap();
    let queries = hanging(&mut reactor);
    let results = Results::default();
    resolve(&mut reactor, "many.test:80", &results);
    turn(&mut reactor);
    let mut answer = take(&queries);
    let address = |n: u32| SocketAddr::from((std::net::Ipv4Addr::from(n), 80));
    (0..300).for_each(|n| answer.found(address(n)));
    answer.succeed((300..400).map(address));
    turn_until(&mut reactor, "found", |_| results.borrow().len() == 1);
    assert_eq!(results.borrow()[0].as_ref().unwrap().len(), 256);
}
