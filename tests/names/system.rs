//! Look-ups of the system, against dnsmasq(8) in a network namespace of its own.

use crate::support::*;
use crate::unix::Folder;
use ropewalk::{ConnectOptions, Error, Reactor};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// `silent.test` is forwarded to a port that nothing listens on, so that no answer comes. `none.test` does not exist.
fn dns_server() -> String {
    let many: Vec<String> = (1..=100).map(|last| format!("192.0.2.{last}")).collect();
    let many: String = many.iter().map(|ip| format!(" --host-record=many.test,{ip}")).collect();
    format!(
        "dnsmasq --user=root --group= --conf-file=/dev/null --no-resolv --no-hosts --pid-file= \
         --listen-address=127.0.0.1 --bind-interfaces --address=/none.test/ \
         --server=/silent.test/127.0.0.1#5399 --host-record=both.test,192.0.2.1,2001:db8::1{many}"
    )
}

/// Runs the test `name` in a child. Its names are those of `/etc/hosts` and of a DNS server, which ends with it.
fn with_dns_server(name: &str) {
    let folder = Folder::new();
    let [hosts, resolv] = ["hosts", "resolv.conf"].map(|file| folder.path(file));
    fs::write(&hosts, "127.0.0.7 hosts.test\n").unwrap();
    fs::write(&resolv, "nameserver 127.0.0.1\n").unwrap();
    let bind = |file: &std::path::Path, over| format!("mount --bind {} {over}", file.display());
    let setup = format!(
        "ip link set lo up && {} && {} && {}",
        bind(&hosts, "/etc/hosts"),
        bind(&resolv, "/etc/resolv.conf"),
        dns_server()
    );
    in_namespaces(name, &["-rnmpf", "--kill-child"], &setup);
}

/// Looks a name up, and returns what is found.
fn look_up(reactor: &mut Reactor, name: &str) -> Result<BTreeSet<IpAddr>, Error> {
    let found = Rc::new(RefCell::new(None));
    let noted = Rc::clone(&found);
    let call = move |_: &mut ropewalk::Context, answer: Result<Vec<SocketAddr>, Error>| {
        *noted.borrow_mut() = Some(answer);
    };
    reactor.context().resolve(format!("{name}:80"), call).unwrap();
    turn_until(reactor, "an answer", |_| found.borrow().is_some());
    let found = found.take().unwrap()?;
    Ok(found.iter().map(SocketAddr::ip).collect())
}

#[test]
fn system_look_ups_use_hosts_file_and_dns() {
    if !is_child() {
        return with_dns_server(this_test!());
    }
    let mut reactor = Reactor::new().unwrap();
    let of = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(look_up(&mut reactor, "hosts.test").unwrap(), of(&["127.0.0.7"]));
    assert_eq!(look_up(&mut reactor, "both.test").unwrap(), of(&["192.0.2.1", "2001:db8::1"]));
    assert_eq!(look_up(&mut reactor, "many.test").unwrap().len(), 100);
    let error = look_up(&mut reactor, "none.test").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().starts_with("cannot look up none.test:80: "), "{error}");
}

/// The DNS server is silent, so that each look-up takes 10 seconds (resolv.conf(5)). All threads for look-ups are busy.
#[test]
fn hanging_system_look_ups_stall_nothing() {
    if !is_child() {
        return with_dns_server(this_test!());
    }
    let begin = Instant::now();
    let (mut reactor, log, failures) =
        (Reactor::new().unwrap(), Log::default(), Failures::default());
    let timeout = Duration::from_millis(100);
    let options = ConnectOptions::new().timeout(timeout);
    let connect = |reactor: &mut Reactor, name: &str| {
        let caller = Caller::new(&log, &failures, only_record);
        options.connect_tcp(reactor.context(), format!("{name}:80"), caller).unwrap()
    };
    let ids: Vec<_> =
        (0..20).map(|index| connect(&mut reactor, &format!("a{index}.silent.test"))).collect();
    reactor.context().close(ids[0]);
    let ticks = Rc::new(Cell::new(0));
    tick(reactor.context(), Rc::clone(&ticks));
    turn_until(&mut reactor, "the failures", |_| failures.borrow().len() == ids.len());
    assert!(begin.elapsed() >= timeout && ticks.get() > 10, "{} ticks", ticks.get());
    let timed_out = |error: &Error| error.kind() == ErrorKind::TimedOut;
    assert_eq!(failures.borrow().iter().filter(|(_, error)| timed_out(error)).count(), 19);
    drop(reactor);
    assert!(begin.elapsed() < PATIENCE, "the end waited for the look-ups");
}

/// Counts the milliseconds in which the reactor could fire a timer.
fn tick(context: &mut ropewalk::Context, ticks: Rc<Cell<u32>>) {
    context.call_later(Duration::from_millis(1), move |context| {
        ticks.set(ticks.get() + 1);
        tick(context, ticks);
    });
}
