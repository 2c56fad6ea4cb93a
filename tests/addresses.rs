//! Addresses: how they are written, and the errors for those that cannot be used.

mod support;
#[cfg(unix)]
#[path = "support/unix.rs"]
mod unix;

use ropewalk::{
    DatagramProtocol, DatagramTransport, Error, Id, Port, Reactor, ReactorGroup, Target, ToAddress,
    ToAddresses,
};
use std::io::ErrorKind;
use support::*;

/// Ignores what it receives.
struct Ignore;

impl DatagramProtocol for Ignore {
    fn datagram_received(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        _data: &[u8],
        _sender: &ropewalk::Address,
    ) {
    }
}

/// Passes the address to all that take one for connections. Returns their errors.
fn for_connections(reactor: &mut Reactor, address: impl ToAddresses + Copy) -> [Option<Error>; 3] {
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, only_record);
    let mut group = ReactorGroup::new(1).unwrap();
    let refused = reactor.connect_tcp(address, caller).err();
    let failed = || {
        turn_until(reactor, "failed", |_| !failures.borrow().is_empty());
        failures.borrow_mut().pop().map(|(_, error)| error)
    };
    let refused = refused.or_else(failed);
    [
        refused,
        reactor.listen_tcp(address, || Echo).err(),
        group.listen_tcp(address, |_| || Echo).err(),
    ]
}

/// Passes the address to all that take one for datagrams. Returns their errors.
fn for_datagrams(reactor: &mut Reactor, address: impl ToAddress + Copy) -> [Option<Error>; 4] {
    let errors = Errors::default();
    let context = reactor.context();
    let port = context.listen_udp("[::]:0", Sender(errors.clone())).unwrap();
    context.datagram(port.id()).send_to(b"hello", address);
    let answers = [
        context.connect_udp(address, Ignore).err(),
        context.listen_udp(address, Ignore).err(),
        context.datagram(port.id()).connect(address).err(),
    ];
    turns(reactor, 2);
    let [connect_udp, listen_udp, connect] = answers;
    [connect_udp, listen_udp, connect, errors.0.borrow_mut().pop()]
}

/// The errors that a datagram socket was notified of.
#[derive(Clone, Default)]
struct Errors(std::rc::Rc<std::cell::RefCell<Vec<Error>>>);

struct Sender(Errors);

impl DatagramProtocol for Sender {
    fn datagram_received(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        _data: &[u8],
        _sender: &ropewalk::Address,
    ) {
    }

    fn error_received(&mut self, _transport: &mut DatagramTransport<'_>, error: Error) {
        self.0.0.borrow_mut().push(error);
    }
}

/// Returns a link-local address of this machine, and the name of its interface.
#[cfg(target_os = "linux")]
fn on_link() -> Option<(String, String)> {
    let table = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let found = table.lines().find(|line| line.starts_with("fe80"));
    let Some(line) = found else {
        println!("skipped: no interface of this machine has a link-local address");
        return None;
    };
    let groups: Vec<&str> = (0..8).map(|group| &line[4 * group..4 * group + 4]).collect();
    Some((groups.join(":"), line.split_whitespace().last()?.to_owned()))
}

#[cfg(target_os = "linux")]
#[test]
fn interface_name_stands_for_its_index() {
    let Some((ip, name)) = on_link() else { return };
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let port = reactor.listen_tcp(format!("[{ip}%{name}]:0"), || Echo).unwrap();
    let failures = Failures::default();
    let number = port.address().port().unwrap();
    let text = format!("[{ip}%{name}]:{number}");
    let ask = |transport: &mut ropewalk::Transport<'_>, event: &Event| {
        if *event == Event::Made {
            transport.write(b"hello");
        }
    };
    reactor.connect_tcp(text.as_str(), Caller::new(&log, &failures, ask)).unwrap();
    let pair = (format!("{ip}%{name}"), number);
    reactor.connect_tcp(pair, Caller::new(&log, &failures, ask)).unwrap();
    turn_until(&mut reactor, "two echoes", |_| log.data().len() == 10);

    let listener = reactor.listen_udp(format!("[{ip}%{name}]:0"), Ignore).unwrap();
    let text = format!("[{ip}%{name}]:{}", listener.address().port().unwrap());
    let client = reactor.context().connect_udp(text.as_str(), Ignore).unwrap();
    let other = reactor.listen_udp("[::]:0", Ignore).unwrap();
    reactor.context().datagram(other.id()).send_to(b"hello", text.as_str());
    reactor.context().datagram(other.id()).connect(text.as_str()).unwrap();
    let received = |reactor: &mut Reactor, port: &Port| received(reactor, port.id());
    reactor.context().datagram(client.id()).send(b"hello");
    turn_until(&mut reactor, "both errors", |reactor| received(reactor, &listener) == 2);
}

#[cfg(target_os = "linux")]
fn received(reactor: &mut Reactor, id: Id) -> u64 {
    reactor.context().datagram(id).counts().received
}

#[cfg(target_os = "linux")]
#[test]
fn interface_index_is_not_looked_up() {
    let mut reactor = Reactor::new().unwrap();
    let look_up = |_: &str, _: &str| panic!("an index is not looked up");
    let expected = "[fe80::1%4]:7000";
    let first = |target| match target {
        Target::Addresses(addresses) => addresses[0].to_string(),
        _ => panic!("an index is not looked up"),
    };
    for found in [
        first(expected.target().unwrap()),
        first(("fe80::1%4", 7000).target().unwrap()),
        expected.to_address(&look_up).unwrap().to_string(),
        ("fe80::1%4", 7000).to_address(&look_up).unwrap().to_string(),
    ] {
        assert_eq!(found, expected);
    }
    assert!(reactor.listen_tcp("[::1%1]:0", || Echo).is_ok());
}

#[test]
fn unknown_interface_is_named_in_the_error() {
    let mut reactor = Reactor::new().unwrap();
    let check = |error: Option<Error>, name: &str| {
        let error = error.expect("there is no such interface");
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(text.contains(&format!("there is no network interface `{name}`")), "{text}");
        assert!(text.contains("or use an index"), "{text}");
        assert!(!text.contains("HOST:PORT"), "{text}");
    };
    for name in ["nosuch0", "99999999999", "a-name-that-no-interface-can-have", "a]b"] {
        let (ip, port) = (format!("fe80::1%{name}"), 7000);
        let text = format!("[{ip}]:{port}");
        for_connections(&mut reactor, text.as_str())
            .into_iter()
            .for_each(|error| check(error, name));
        for_connections(&mut reactor, (ip.as_str(), port))
            .into_iter()
            .for_each(|error| check(error, name));
        for_datagrams(&mut reactor, text.as_str()).into_iter().for_each(|error| check(error, name));
        for_datagrams(&mut reactor, (ip.as_str(), port))
            .into_iter()
            .for_each(|error| check(error, name));
    }
    let error = reactor.listen_tcp("[fe80::1%]:0", || Echo).unwrap_err().to_string();
    assert!(error.contains("the interface after the `%` is missing"), "{error}");
}

#[test]
fn unknown_host_is_not_found_with_advice() {
    let mut reactor = Reactor::new().unwrap();
    let found = reactor.look_up("no such host:7000").err();
    let errors = for_connections(&mut reactor, "no such host:7000").into_iter().chain([found]);
    for error in errors.chain(for_connections(&mut reactor, ("no such host", 7000))) {
        let error = error.expect("there is no such host");
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{text}");
        assert!(text.contains("no such host") && text.contains("is the name correct"), "{text}");
        assert!(!text.contains("HOST:PORT"), "{text}");
    }
}

#[test]
fn empty_host_is_not_resolved() {
    let mut reactor = Reactor::new().unwrap();
    let mut errors = Vec::new();
    for address in [":7000", "*:7000"] {
        errors.extend(for_connections(&mut reactor, address));
        for error in for_datagrams(&mut reactor, address).map(Option::unwrap) {
            assert!(error.to_string().contains("not an address; examples are"), "{error}");
        }
    }
    errors.extend(for_connections(&mut reactor, ("", 7000)));
    errors.extend(for_connections(&mut reactor, ("*", 7000)));
    for error in errors {
        let error = error.expect("the address names no host");
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(text.contains("localhost:7000") && text.contains("0.0.0.0:7000"), "{text}");
    }
}

#[test]
fn port_in_use_may_belong_to_this_program() {
    let (mut reactor, address) = up(|| Echo);
    let text = reactor.listen_tcp(address, || Echo).unwrap_err().to_string();
    assert!(text.contains("this or another program"), "{text}");
    let port = reactor.listen_udp("127.0.0.1:0", Ignore).unwrap();
    let text = reactor.listen_udp(port.address(), Ignore).unwrap_err().to_string();
    assert!(text.contains("this or another program"), "{text}");
}

#[test]
fn address_of_the_other_family_is_unsupported() {
    let mut reactor = Reactor::new().unwrap();
    let errors = Errors::default();
    let port = reactor.listen_udp("127.0.0.1:0", Sender(errors.clone())).unwrap();
    let context = reactor.context();
    context.datagram(port.id()).send_to(b"hello", "[::1]:7000");
    let connected = context.datagram(port.id()).connect("[::1]:7000").unwrap_err();
    turns(&mut reactor, 2);
    let sent = errors.0.borrow_mut().pop().unwrap();
    for error in [connected, sent] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("differ in family (IPv4 or IPv6)"), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn link_local_address_without_interface_has_advice() {
    let mut reactor = Reactor::new().unwrap();
    let text = reactor.listen_tcp("[fe80::1]:0", || Echo).unwrap_err().to_string();
    assert!(text.contains("needs its interface, as in [fe80::1%eth0]"), "{text}");
    let text = reactor.listen_udp("[fe80::1%9999]:0", Ignore).unwrap_err().to_string();
    assert!(text.contains("there is no such interface"), "{text}");
}

/// The system refuses datagrams for a socket that is connected with another peer, with EPERM.
#[cfg(unix)]
#[test]
fn connected_unix_peer_is_not_explained_by_permissions() {
    use std::os::unix::net::UnixDatagram;
    let folder = unix::Folder::new();
    let [one, two] = ["one", "two"].map(|name| folder.path(name));
    let sockets = [&one, &two].map(|path| UnixDatagram::bind(path).unwrap());
    sockets[0].connect(&two).unwrap();
    let mut reactor = Reactor::new().unwrap();
    let error = reactor.context().connect_unix_datagram(&one, Ignore).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(text.contains("of its peer only") && !text.contains("permission on"), "{text}");
}

/// Runs in a network of its own, with routes that drop or prohibit.
#[cfg(target_os = "linux")]
#[test]
fn blackhole_route_is_named_in_the_error() {
    const NETWORK: &str = "ip link set lo up && ip route add blackhole 192.0.2.0/24 && \
                           ip route add prohibit 198.51.100.0/24 && exec \"$0\" \"$@\"";
    if !is_child() {
        let wrapper = ["unshare", "-rn", "sh", "-c", NETWORK];
        if unix::works(&wrapper) {
            in_child(this_test!(), &wrapper);
        }
        return;
    }
    let mut reactor = Reactor::new().unwrap();
    let (log, failures) = (Log::default(), Failures::default());
    for address in ["192.0.2.1:7000", "198.51.100.1:7000"] {
        let caller = Caller::new(&log, &failures, only_record);
        reactor.connect_tcp(address, caller).unwrap();
    }
    turn_until(&mut reactor, "both errors", |_| failures.borrow().len() == 2);
    let udp = reactor.context().connect_udp("192.0.2.1:7000", Ignore).unwrap_err();
    let failures = failures.borrow();
    for text in [failures[0].1.to_string(), udp.to_string()] {
        assert!(text.contains("a blackhole route drops the data"), "{text}");
        assert!(!text.contains("HOST:PORT"), "{text}");
    }
    assert!(failures[1].1.to_string().contains("a route forbids it"), "{}", failures[1].1);
}
