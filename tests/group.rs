//! Several reactors that serve one port: they listen, end and fail as one.
#![cfg(target_os = "linux")]

mod support;

use ropewalk::{
    Context, Error, GroupHandle, GroupPort, ListenOptions, Protocol, Reactor, ReactorGone,
    ReactorGroup, Reason, Transport,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use support::*;

/// What the protocols of a group have heard, by reactor.
type Heard = Arc<Mutex<Vec<(usize, String)>>>;

/// Says which reactor it belongs to, and does what it is told.
struct Guide {
    index: usize,
    heard: Heard,
}

impl Protocol for Guide {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        writeln!(transport, "{}", self.index);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        match data {
            b"stop" => transport.context().stop(),
            b"much" => transport.write(&pattern(MUCH)),
            b"who" => {
                let name = thread::current().name().unwrap_or("nobody").to_owned();
                transport.write(name.as_bytes());
            }
            _ => transport.write(data),
        }
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.heard.lock().unwrap().push((self.index, format!("{reason:?}")));
    }
}

/// A group of guides that runs on a thread.
struct Running {
    address: SocketAddr,
    port: GroupPort,
    handle: GroupHandle,
    heard: Heard,
    run: Option<JoinHandle<Result<(), Error>>>,
}

fn guides(group: &mut ReactorGroup, heard: &Heard) -> Result<GroupPort, Error> {
    let heard = Arc::clone(heard);
    group.listen_tcp("127.0.0.1:0", move |member| {
        let (index, heard) = (member.index(), Arc::clone(&heard));
        move || Guide { index, heard: Arc::clone(&heard) }
    })
}

fn run(count: usize, set_up: impl FnOnce(&mut ReactorGroup)) -> Running {
    let mut group = ReactorGroup::new(count).unwrap();
    let heard = Heard::default();
    let port = guides(&mut group, &heard).unwrap();
    set_up(&mut group);
    let (address, handle) = (port.address().socket_addr().unwrap(), group.handle());
    let run = Some(thread::spawn(move || group.run()));
    Running { address, port, handle, heard, run }
}

impl Running {
    /// A client of the reactor with this index: the system chooses, so it is asked until it does so.
    fn client_of(&self, wanted: usize) -> TcpStream {
        for _ in 0..1_000 {
            let client = client(self.address);
            let index = read_some(&client, 2);
            if index == format!("{wanted}\n") {
                return client;
            }
        }
        panic!("of 1,000 connections none was given to reactor {wanted}");
    }

    fn end(&mut self) {
        self.run.take().unwrap().join().unwrap().unwrap();
    }

    /// That it ends without waiting for a peer that takes nothing, which would be given up after a minute.
    fn end_at_once(&mut self) {
        let begin = Instant::now();
        self.end();
        assert!(begin.elapsed() < 2 * PATIENCE, "one of them waited on");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.handle.stop();
    }
}

fn read_some(mut client: &TcpStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn is_served(mut client: &TcpStream) -> bool {
    client.write_all(b"ping").is_ok() && read_some(client, 4) == "ping"
}

#[test]
fn each_reactor_serves_its_part_of_one_port_on_a_thread_of_its_own() {
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
    let heard = group.heard.lock().unwrap();
    for index in 0..3 {
        assert!(heard.contains(&(index, "Stopped".to_owned())), "{index}: {heard:?}");
    }
}

#[test]
fn a_stop_of_one_ends_all_and_nobody_waits_for_its_slow_clients() {
    let mut group = run(2, |group| group.set_grace(6 * PATIENCE));
    let (mut slow, idle) = (group.client_of(0), group.client_of(1));
    slow.write_all(b"much").unwrap();
    assert_eq!(slow.peek(&mut [0]).unwrap(), 1);
    group.client_of(0).write_all(b"stop").unwrap();
    // The one that waits for the slow reader has told the other, whose client sees an orderly end.
    assert_eq!(read_all(&idle), b"");
    assert!(!group.run.as_ref().unwrap().is_finished());
    assert!(read_all(&slow) == pattern(MUCH));
    drop((slow, idle));
    group.end();
}

#[test]
fn a_timer_or_a_call_on_one_ends_all() {
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
    let (tell, told) = mpsc::channel();
    group.each(move |member| {
        if member.index() == 0 {
            let (next, tell) = (member.group().handles()[1].clone(), tell.clone());
            member.context().call_later(Duration::ZERO, move |_| {
                let call = move |context: &mut Context| {
                    tell.send(thread::current().name().map(str::to_owned)).unwrap();
                    context.stop();
                };
                next.call(call).unwrap();
            });
        }
    });
    group.run().unwrap();
    assert_eq!(told.recv().unwrap().as_deref(), Some("ropewalk-1"));
}

#[test]
fn a_port_that_another_listens_on_is_refused_though_it_could_be_shared() {
    let heard = Heard::default();
    let mut group = ReactorGroup::new(2).unwrap();
    let address = guides(&mut group, &heard).unwrap().address().clone();
    let expected = format!("cannot listen on {address}: address already in use");

    let mut second = ReactorGroup::new(2).unwrap();
    let error = second.listen_tcp(&address, |_| || Echo).unwrap_err();
    assert!(error.to_string().starts_with(&expected), "{error}");
    let error = group.listen_tcp(&address, |_| || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "by itself, neither");
    let mut reactor = Reactor::new().unwrap();
    assert_eq!(reactor.listen_tcp(&address, || Echo).unwrap_err().kind(), ErrorKind::AddrInUse);

    let alone = listen(&mut reactor, || Echo);
    assert_eq!(group.listen_tcp(alone, |_| || Echo).unwrap_err().kind(), ErrorKind::AddrInUse);
    // Who says that he wants to share it, may.
    let share = ListenOptions::new().reuse_port(true);
    second.listen_tcp_with(&address, &share, |_| || Echo).unwrap();
    reactor.context().listen_tcp_with(&address, &share, || Echo).unwrap();
}

#[test]
fn a_port_is_free_again_when_the_group_has_ended() {
    let mut group = run(2, |_| {});
    let client = group.client_of(1);
    group.handle.stop().unwrap();
    group.end();
    // There are connections of it still, in TIME_WAIT.
    drop(client);
    let mut again = ReactorGroup::new(2).unwrap();
    again.listen_tcp(group.address, |_| || Echo).unwrap();
}

#[test]
fn if_one_cannot_listen_none_does() {
    let mut group = ReactorGroup::new(3).unwrap();
    let free = {
        let mut reactor = Reactor::new().unwrap();
        listen(&mut reactor, || Echo)
    };
    let refused = group.listen_tcp(free, |member| {
        if member.index() == 2 {
            // Which makes it refuse to listen.
            member.context().stop();
        }
        || Echo
    });
    let error = refused.unwrap_err().to_string();
    assert!(error.contains(&free.to_string()) && error.contains("stopping"), "{error}");
    is_refused(free);

    let error = group.listen_tcp("nonsense", |_| || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // 192.0.2.0/24 is nobody's (RFC 5737).
    let error = group.listen_tcp("192.0.2.1:7000", |_| || Echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn of_several_addresses_the_first_that_is_free_is_taken_by_all() {
    let mut group = ReactorGroup::new(2).unwrap();
    let taken = guides(&mut group, &Heard::default()).unwrap().address().socket_addr().unwrap();
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let port = group.listen_tcp(&[taken, free][..], |_| || Echo).unwrap();
    assert_ne!(port.address().port(), Some(taken.port()));
}

#[test]
fn a_closed_port_lets_nobody_in_and_those_who_are_in_stay() {
    let group = run(2, |_| {});
    let clients = [group.client_of(0), group.client_of(1)];
    group.port.close().unwrap();
    let begin = Instant::now();
    while TcpStream::connect(group.address).is_ok() {
        assert!(begin.elapsed() < PATIENCE, "it still listens");
    }
    assert!(clients.iter().all(is_served));
}

#[test]
fn a_group_of_one_is_a_reactor() {
    let mut group = run(1, |_| {});
    assert!(is_served(&group.client_of(0)));
    group.handle.stop().unwrap();
    group.end();
    assert_eq!(ReactorGroup::new(0).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(!ReactorGroup::for_each_processor().unwrap().handles().is_empty());
}

#[test]
fn a_group_that_is_dropped_without_a_run_ends_its_reactors_and_threads() {
    let heard = Heard::default();
    let mut group = ReactorGroup::new(2).unwrap();
    let port = guides(&mut group, &heard).unwrap();
    let handle = group.handle();
    let timers = group.each({
        let heard = Arc::clone(&heard);
        move |member| {
            let heard = Arc::clone(&heard);
            member.context().call_later(PATIENCE, move |_| drop(heard))
        }
    });
    assert_eq!(timers.len(), 2);
    drop(group);
    assert_eq!(Arc::strong_count(&heard), 1, "factories and timers are dropped");
    assert_eq!(handle.stop(), Err(ReactorGone));
    assert_eq!(port.close(), Err(ReactorGone));
    is_refused(port.address());
}

#[test]
fn a_panic_in_what_is_made_on_a_thread_comes_to_the_caller_and_the_rest_ends() {
    let mut group = ReactorGroup::new(3).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        _ = group.listen_tcp("127.0.0.1:0", |member| {
            assert!(member.index() != 1, "the factory's own panic");
            || Echo
        });
    }));
    let words = panic.unwrap_err();
    assert_eq!(words.downcast_ref::<&str>(), Some(&"the factory's own panic"));
    // It is of no use any more, and says so, rather than run in part.
    assert!(catch_unwind(AssertUnwindSafe(|| group.run())).is_err());
}

#[test]
fn a_group_that_cannot_be_leaves_neither_threads_nor_descriptors() {
    let name = "a_group_that_cannot_be_leaves_neither_threads_nor_descriptors";
    if !is_child() {
        in_child(name, &["prlimit", "--nofile=40"]);
        return;
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = (threads(), descriptors());
    let error = ReactorGroup::new(100).unwrap_err().to_string();
    assert!(error.starts_with("cannot start a reactor: too many open files"), "{error}");
    assert_eq!((threads(), descriptors()), before);
    drop(ReactorGroup::new(2).unwrap());
}

#[cfg(feature = "signals")]
mod signals {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    /// Serves until signals end it, and lets the parent know how it goes.
    fn serve() {
        let mut group = run(2, |group| {
            group.set_grace(6 * PATIENCE);
            group.stop_on_signals().unwrap();
        });
        println!("\nADDRESS {}", group.address);
        group.end();
        println!("\nENDED");
    }

    #[test]
    fn a_signal_ends_all_in_order_and_a_second_one_at_once() {
        let name = "signals::a_signal_ends_all_in_order_and_a_second_one_at_once";
        if is_child() {
            return serve();
        }
        let mut server = child(name, &[]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut wait_for =
            |mark: &str| lines.find_map(|line| line.strip_prefix(mark).map(str::to_owned));
        let address = wait_for("ADDRESS ").unwrap().parse().unwrap();
        let id = server.id().to_string();
        let signal = || {
            let kill = Command::new("kill").args(["-s", "INT", &id]).status();
            assert!(kill.unwrap().success());
        };
        // On each reactor one who does not read, and one who waits.
        let mut clients = Vec::new();
        for wanted in ["0\n", "0\n", "1\n", "1\n"] {
            clients.push((0..1_000).map(|_| client(address)).find(|c| read_some(c, 2) == wanted));
        }
        let clients: Vec<TcpStream> = clients.into_iter().flatten().collect();
        for mut stuck in [&clients[0], &clients[2]] {
            stuck.write_all(b"much").unwrap();
            assert_eq!(stuck.peek(&mut [0]).unwrap(), 1);
        }
        signal();
        for idle in [&clients[1], &clients[3]] {
            assert_eq!(read_all(idle), b"", "the idle one ends in order");
        }
        assert!(server.try_wait().unwrap().is_none(), "it waits for the slow readers");
        let begin = Instant::now();
        signal();
        assert!(wait_for("ENDED").is_some());
        assert!(begin.elapsed() < PATIENCE, "one of them waited on");
        assert!(server.wait().unwrap().success());
        for mut stuck in [&clients[0], &clients[2]] {
            let error = stuck.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
}

/// Each member catches the signal itself, and a stop reaches it from the others as well.
#[test]
#[cfg(feature = "signals")]
fn one_signal_ends_a_group_in_order_and_loses_nothing() {
    let name = "one_signal_ends_a_group_in_order_and_loses_nothing";
    if !is_child() {
        return drop(in_child(name, &[]));
    }
    let mut group = run(4, |group| {
        group.set_grace(6 * PATIENCE);
        group.stop_on_signals().unwrap();
    });
    let clients: Vec<_> = (0..4).map(|index| group.client_of(index)).collect();
    for mut client in &clients {
        client.write_all(b"much").unwrap();
        assert_eq!(client.peek(&mut [0]).unwrap(), 1);
    }
    signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    for client in &clients {
        assert!(read_all(client) == pattern(MUCH));
    }
    group.end();
}

#[test]
#[cfg(feature = "signals")]
fn a_second_signal_ends_all_members_of_a_group_at_once() {
    let name = "a_second_signal_ends_all_members_of_a_group_at_once";
    if !is_child() {
        return drop(in_child(name, &[]));
    }
    let mut group = run(3, |group| {
        group.set_grace(600 * PATIENCE);
        group.stop_on_signals().unwrap();
    });
    let clients: Vec<_> = (0..3).map(|index| group.client_of(index)).collect();
    for mut client in &clients {
        client.write_all(b"much").unwrap();
        assert_eq!(client.peek(&mut [0]).unwrap(), 1);
    }
    let raise = || signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    raise();
    // The first has been heeded by one of them when the port is closed; two before would be one.
    while TcpStream::connect(group.address).is_ok() {}
    raise();
    group.end_at_once();
    for mut client in &clients {
        let error = client.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
#[cfg(feature = "signals")]
fn a_second_signal_reaches_a_member_that_outlasts_the_first() {
    let name = "a_second_signal_reaches_a_member_that_outlasts_the_first";
    if !is_child() {
        return drop(in_child(name, &[]));
    }
    let mut group = run(2, |group| {
        group.set_grace(600 * PATIENCE);
        group.stop_on_signals().unwrap();
    });
    let (idle, mut stuck) = (group.client_of(0), group.client_of(1));
    stuck.write_all(b"much").unwrap();
    assert_eq!(stuck.peek(&mut [0]).unwrap(), 1);
    let raise = || signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    raise();
    assert_eq!(read_all(&idle), b"");
    while TcpStream::connect(group.address).is_ok() {}
    thread::sleep(Duration::from_millis(50)); // The run of the first member ends.
    raise();
    group.end_at_once();
}
