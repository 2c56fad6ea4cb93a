//! Addresses as they can be written, and what an error says of one that cannot be used.

mod support;

use ropewalk::{
    DatagramProtocol, DatagramTransport, Error, Id, Port, Reactor, ReactorGroup, ToAddress,
    ToAddresses,
};
use std::io::ErrorKind;
use support::*;

/// Nothing is ever received.
struct Deaf;

impl DatagramProtocol for Deaf {
    fn datagram_received(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        _data: &[u8],
        _sender: &ropewalk::Address,
    ) {
    }
}

/// Everything that takes an address for connections, with what it answered.
fn for_connections(reactor: &mut Reactor, address: impl ToAddresses + Copy) -> [Option<Error>; 3] {
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, only_record);
    let mut group = ReactorGroup::new(1).unwrap();
    [
        reactor.connect_tcp(address, caller).err(),
        reactor.listen_tcp(address, || Echo).err(),
        group.listen_tcp(address, |_| || Echo).err(),
    ]
}

/// Everything that takes an address for datagrams, with what it answered.
fn for_datagrams(reactor: &mut Reactor, address: impl ToAddress + Copy) -> [Option<Error>; 4] {
    let errors = Heard::default();
    let context = reactor.context();
    let port = context.listen_udp("[::]:0", Sender(errors.clone())).unwrap();
    context.send_to(port.id(), b"hello", address);
    let answers = [
        context.connect_udp(address, Deaf).err(),
        context.listen_udp(address, Deaf).err(),
        context.connect(port.id(), address).err(),
    ];
    turns(reactor, 2);
    let [connect_udp, listen_udp, connect] = answers;
    [connect_udp, listen_udp, connect, errors.0.borrow_mut().pop()]
}

/// What a socket for datagrams has heard of errors.
#[derive(Clone, Default)]
struct Heard(std::rc::Rc<std::cell::RefCell<Vec<Error>>>);

struct Sender(Heard);

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

/// An address of this machine that is of use with its interface only, and that interface's name.
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
fn the_name_of_an_interface_stands_for_its_index() {
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

    let listener = reactor.listen_udp(format!("[{ip}%{name}]:0"), Deaf).unwrap();
    let text = format!("[{ip}%{name}]:{}", listener.address().port().unwrap());
    let client = reactor.context().connect_udp(text.as_str(), Deaf).unwrap();
    let other = reactor.listen_udp("[::]:0", Deaf).unwrap();
    reactor.context().send_to(other.id(), b"hello", text.as_str());
    reactor.context().connect(other.id(), text.as_str()).unwrap();
    let received = |reactor: &mut Reactor, port: &Port| received(reactor, port.id());
    reactor.context().send(client.id(), b"hello");
    turn_until(&mut reactor, "both", |reactor| received(reactor, &listener) == 2);
}

#[cfg(target_os = "linux")]
fn received(reactor: &mut Reactor, id: Id) -> u64 {
    reactor.context().datagram_counts(id).unwrap().received
}

#[cfg(target_os = "linux")]
#[test]
fn an_index_stands_for_itself_wherever_an_address_is_taken() {
    let mut reactor = Reactor::new().unwrap();
    let look_up = |_: &str, _: u16| panic!("an index is not looked up");
    let expected = "[fe80::1%4]:7000";
    for found in [
        expected.to_addresses(&look_up).unwrap()[0].to_string(),
        ("fe80::1%4", 7000).to_addresses(&look_up).unwrap()[0].to_string(),
        expected.to_address(&look_up).unwrap().to_string(),
        ("fe80::1%4", 7000).to_address(&look_up).unwrap().to_string(),
    ] {
        assert_eq!(found, expected);
    }
    assert!(reactor.listen_tcp("[::1%1]:0", || Echo).is_ok());
}

#[test]
fn an_unknown_interface_is_an_error_that_names_it() {
    let mut reactor = Reactor::new().unwrap();
    let check = |error: Option<Error>, name: &str| {
        let error = error.expect("there is no such interface");
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(text.contains(&format!("there is no network interface `{name}`")), "{text}");
        assert!(text.contains("an index will do"), "{text}");
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
    assert!(error.contains("there is no interface behind the `%`"), "{error}");
}
