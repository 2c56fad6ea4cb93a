//! Groups of reactors: they listen, fail and end together.

#![cfg(target_os = "linux")]

mod running;
#[cfg(feature = "signals")]
mod signals;
#[path = "../support/mod.rs"]
mod support;

use ropewalk::{Context, ListenOptions, Reactor, ReactorGone, ReactorGroup};
use running::*;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::iter;
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use support::*;

#[test]
fn each_reactor_serves_on_its_own_thread() {
    let mut group = run(3, |_| {});
    let clients: Vec<_> = (0..3).map(|index| group.client_of(index)).collect();
    for (index, mut client) in clients.iter().enumerate() {
        assert!(is_served(client));
        client.write_all(b"who").unwrap();
        assert_eq!(read_some(client, 10), format!("ropewalk-{index}"));
    }
    assert_eq!((group.port.ids().len(), group.handle.handles().len()), (3, 3));
    group.handle.stop().unwrap();
    group.end();
    assert_eq!(group.handle.stop(), Err(ReactorGone));
    let ends = group.ends.lock().unwrap();
    for index in 0..3 {
        assert!(ends.contains(&(index, "Stopped".to_owned())), "{index}: {ends:?}");
    }
}

#[test]
fn stop_of_one_reactor_ends_all() {
    let mut group = run(2, |group| group.set_grace(6 * PATIENCE));
    let (mut slow, idle) = (group.client_of(0), group.client_of(1));
    slow.write_all(b"much").unwrap();
    assert_eq!(slow.peek(&mut [0]).unwrap(), 1);
    group.client_of(0).write_all(b"stop").unwrap();
    // The reactor that waits for the slow reader has stopped the other, and its client sees an orderly end.
    assert_eq!(read_all(&idle), b"");
    assert!(!group.run.as_ref().unwrap().is_finished());
    assert!(read_all(&slow) == pattern(MUCH));
    drop((slow, idle));
    group.end();
}

#[test]
fn timer_or_call_on_one_ends_all() {
    let group = || ReactorGroup::new(3).unwrap();
    let mut by_timer = group();
    by_timer.each(|member| {
        if member.index() == 1 {
            member.context().call_later(Duration::from_millis(1), |context| context.stop());
        }
    });
    by_timer.run().unwrap();
    let by_call = group();
    by_call.handles()[2].stop().unwrap();
    by_call.run().unwrap();
    let by_handle = group();
    by_handle.handle().stop().unwrap();
    by_handle.run().unwrap();
}

#[test]
fn reactors_of_a_group_reach_each_other() {
    let mut group = ReactorGroup::new(3).unwrap();
    let (report, reported) = mpsc::channel();
    group.each(move |member| {
        if member.index() == 0 {
            let (next, report) = (member.group().handles()[1].clone(), report.clone());
            member.context().call_later(Duration::ZERO, move |_| {
                let call = move |context: &mut Context| {
                    report.send(thread::current().name().map(str::to_owned)).unwrap();
                    context.stop();
                };
                next.call(call).unwrap();
            });
        }
    });
    group.run().unwrap();
    assert_eq!(reported.recv().unwrap().as_deref(), Some("ropewalk-1"));
}

#[test]
fn port_in_use_is_refused_though_shareable() {
    let ends = Ends::default();
    let mut group = ReactorGroup::new(2).unwrap();
    let address = serve_commands(&mut group, &ends).unwrap().address().clone();
    let expected = format!("cannot listen on {address}: address already in use");

    let mut second = ReactorGroup::new(2).unwrap();
    let error = second.listen_tcp(&address, |_| || Echo).unwrap_err();
    assert!(error.to_string().starts_with(&expected), "{error}");
    let error = group.listen_tcp(&address, |_| || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "a second time by the same group");
    let mut reactor = Reactor::new().unwrap();
    assert_eq!(reactor.listen_tcp(&address, || Echo).unwrap_err().kind(), ErrorKind::AddrInUse);

    let alone = listen(&mut reactor, || Echo);
    assert_eq!(group.listen_tcp(alone, |_| || Echo).unwrap_err().kind(), ErrorKind::AddrInUse);
    // The option permits sharing.
    let share = ListenOptions::new().reuse_port(true);
    share.listen_tcp_group(&mut second, &address, |_| || Echo).unwrap();
    share.listen_tcp(reactor.context(), &address, || Echo).unwrap();
}

#[test]
fn port_is_free_after_the_group_ends() {
    let mut group = run(2, |_| {});
    let client = group.client_of(1);
    group.handle.stop().unwrap();
    group.end();
    // Its connections remain in TIME_WAIT.
    drop(client);
    let mut again = ReactorGroup::new(2).unwrap();
    once_free(|| again.listen_tcp(group.address, |_| || Echo));
}

/// One member takes all descriptors before it listens.
#[test]
fn if_one_cannot_listen_none_does() {
    if !is_child() {
        return drop(in_child(this_test!(), &["prlimit", "--nofile=200"]));
    }
    let mut group = ReactorGroup::new(3).unwrap();
    let free = {
        let mut reactor = Reactor::new().unwrap();
        let port = reactor.listen_tcp(own_host(), || Echo).unwrap();
        port.address().socket_addr().unwrap()
    };
    let files = Arc::new(Mutex::new(Vec::new()));
    let opened = Arc::clone(&files);
    let refused = group.listen_tcp(free, move |member| {
        if member.index() == 2 {
            opened.lock().unwrap().extend(iter::from_fn(|| File::open("/dev/null").ok()));
        }
        || Echo
    });
    let error = refused.unwrap_err().to_string();
    assert!(error.contains(&free.to_string()) && error.contains("open files"), "{error}");
    files.lock().unwrap().clear();
    is_refused(free);
}

#[test]
fn addresses_that_are_none_are_refused() {
    let mut group = ReactorGroup::new(2).unwrap();
    let error = group.listen_tcp("nonsense", |_| || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // No host has an address of 192.0.2.0/24 (RFC 5737).
    let error = group.listen_tcp("192.0.2.1:7000", |_| || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn all_reactors_take_the_first_free_address() {
    let mut group = ReactorGroup::new(2).unwrap();
    let taken =
        serve_commands(&mut group, &Ends::default()).unwrap().address().socket_addr().unwrap();
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let port = group.listen_tcp(&[taken, free][..], |_| || Echo).unwrap();
    assert_ne!(port.address().port(), Some(taken.port()));
}

#[test]
fn closed_port_keeps_its_connections() {
    let group = run(2, |_| {});
    let clients = [group.client_of(0), group.client_of(1)];
    group.port.close().unwrap();
    let begin = Instant::now();
    while TcpStream::connect(group.address).is_ok() {
        assert!(begin.elapsed() < PATIENCE, "the port still accepts");
    }
    assert!(clients.iter().all(is_served));
}

#[test]
fn group_of_one_serves() {
    let mut group = run(1, |_| {});
    assert!(is_served(&group.client_of(0)));
    group.handle.stop().unwrap();
    group.end();
    assert_eq!(ReactorGroup::new(0).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(!ReactorGroup::for_each_processor().unwrap().handles().is_empty());
}

#[test]
fn dropped_group_ends_its_reactors_and_threads() {
    let ends = Ends::default();
    let mut group = ReactorGroup::new(2).unwrap();
    let port = serve_commands(&mut group, &ends).unwrap();
    let handle = group.handle();
    let timers = group.each({
        let ends = Arc::clone(&ends);
        move |member| {
            let ends = Arc::clone(&ends);
            member.context().call_later(PATIENCE, move |_| drop(ends))
        }
    });
    assert_eq!(timers.len(), 2);
    drop(group);
    assert_eq!(Arc::strong_count(&ends), 1, "factories and timers are dropped");
    assert_eq!(handle.stop(), Err(ReactorGone));
    assert_eq!(port.close(), Err(ReactorGone));
    is_refused(port.address());
}

#[test]
fn panic_in_a_factory_reaches_the_caller() {
    let mut group = ReactorGroup::new(3).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        _ = group.listen_tcp("127.0.0.1:0", |member| {
            assert!(member.index() != 1, "a panic on purpose");
            || Echo
        });
    }));
    let payload = panic.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"a panic on purpose"));
    // The incomplete group refuses to run.
    assert!(catch_unwind(AssertUnwindSafe(|| group.run())).is_err());
}

#[test]
fn failed_group_leaves_no_threads_or_descriptors() {
    if !is_child() {
        in_child(this_test!(), &["prlimit", "--nofile=40"]);
        return;
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = (threads(), descriptors());
    let error = ReactorGroup::new(100).unwrap_err().to_string();
    assert!(error.starts_with("cannot start a reactor: too many open files"), "{error}");
    assert_eq!((threads(), descriptors()), before);
    drop(ReactorGroup::new(2).unwrap());
}
