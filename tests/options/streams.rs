//! Options of listeners and connections, before and after a connection is made.

use crate::checks::{all, assert_all_set};
use crate::support::*;
use ropewalk::{
    ConnectOptions, Context, Error, Id, KeepAlive, ListenOptions, Reactor, SocketOption,
};
use socket2::SockRef;
use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

/// Both address families; the IPv6 socket accepts IPv4 clients. IPv6 may be missing.
fn listening_addresses() -> Vec<&'static str> {
    let mut addresses = vec!["127.0.0.1:0", "[::]:0"];
    addresses.retain(|address| {
        let works = TcpListener::bind(address).is_ok();
        if !works {
            println!("skipped: {address} cannot be listened on");
        }
        works
    });
    addresses
}

#[test]
fn connections_have_nodelay_by_default() {
    for nodelay in [None, Some(true), Some(false)] {
        let (mut reactor, served, called) =
            (Reactor::new().unwrap(), Log::default(), Log::default());
        let (mut listen, mut connect) = (ListenOptions::new(), ConnectOptions::new());
        if let Some(nodelay) = nodelay {
            (listen, connect) = (listen.nodelay(nodelay), connect.nodelay(nodelay));
        }
        let context = reactor.context();
        let server = recorders(&served, only_record);
        let port = listen.listen_tcp(context, "127.0.0.1:0", server).unwrap();
        let client = recorders(&called, only_record);
        connect.connect_tcp(context, port.address(), client).unwrap();
        turn_until(&mut reactor, "both", |_| served.made() == 1 && called.made() == 1);
        for log in [&served, &called] {
            let option = SocketOption::Nodelay(nodelay.unwrap_or(true));
            assert_all_set(reactor.context().descriptor(log.ids()[0]).unwrap(), &[option]);
        }
    }
}

#[test]
fn accepted_connections_inherit_listener_options() {
    for address in listening_addresses() {
        let options = all().into_iter().fold(ListenOptions::new(), ListenOptions::option);
        let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
        let factory = recorders(&log, only_record);
        let port = options.listen_tcp(reactor.context(), address, factory).unwrap();
        // `Nodelay` is set on each connection, not on the listener.
        assert_all_set(reactor.context().descriptor(port.id()).unwrap(), &all()[1..]);

        let number = port.address().port().unwrap();
        let _client = client(SocketAddr::from((Ipv4Addr::LOCALHOST, number)));
        turn_until(&mut reactor, "the client", |_| log.made() == 1);
        // SO_REUSEADDR and SO_REUSEPORT have no effect on a connection, but are inherited.
        assert_all_set(reactor.context().descriptor(log.ids()[0]).unwrap(), &all());
    }
}

#[test]
fn ipv6_only_listener_leaves_ipv4_port_free() {
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().only_ipv6(true);
    // Another process may have the IPv4 port; then the test tries the next port.
    for attempt in 1.. {
        let Ok(port) = options.listen_tcp(reactor.context(), "[::]:0", || Echo) else {
            return println!("skipped: no IPv6");
        };
        assert_all_set(
            reactor.context().descriptor(port.id()).unwrap(),
            &[SocketOption::OnlyIpv6(true)],
        );
        let number = port.address().port().unwrap();
        match reactor.listen_tcp(("0.0.0.0", number), || Echo) {
            Ok(_) => break,
            Err(error) => assert!(attempt < 100, "no port is free for IPv4: {error}"),
        }
    }

    // Default: as the system sets it, normally with the IPv4 port taken.
    let port = reactor.listen_tcp("[::]:0", || Echo).unwrap();
    let socket = reactor.context().descriptor(port.id()).unwrap();
    if !SockRef::from(&socket).only_v6().unwrap() {
        let number = port.address().port().unwrap();
        let error = reactor.listen_tcp(("0.0.0.0", number), || Echo).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
}

/// Connects with `options`. Returns the connection, or the error that its factory received.
fn connect(options: &ConnectOptions) -> (Reactor, Result<Id, String>, SocketAddr) {
    let (mut reactor, address) = up(|| Echo);
    let (log, failures) = (Log::default(), Failures::default());
    let caller = Caller::new(&log, &failures, only_record);
    options.connect_tcp(reactor.context(), address, caller).unwrap();
    turn_until(&mut reactor, "an outcome", |_| log.made() + failures.borrow().len() == 1);
    let outcome = log.ids().first().copied();
    let outcome = outcome.ok_or_else(|| failures.borrow()[0].1.to_string());
    (reactor, outcome, address)
}

#[test]
fn connect_options_apply_to_the_connection() {
    let options = all().into_iter().fold(ConnectOptions::new(), ConnectOptions::option);
    let (mut reactor, id, _) = connect(&options);
    assert_all_set(reactor.context().descriptor(id.unwrap()).unwrap(), &all());
}

#[test]
fn option_set_while_connecting_applies() {
    let (mut reactor, address) = up(|| Echo);
    let (log, failures) = (Log::default(), Failures::default());
    // The first address refuses, so that the second attempt uses a new socket.
    let addresses = [dead(), address];
    let caller = Caller::new(&log, &failures, only_record);
    let context = reactor.context();
    let id = context.connect_tcp(addresses.as_slice(), caller).unwrap();
    for option in all() {
        context.set_option(id, option).unwrap();
    }
    turn_until(&mut reactor, "the connection", |_| log.made() == 1);
    assert_all_set(reactor.context().descriptor(id).unwrap(), &all());
}

#[test]
fn options_can_be_set_and_reset() {
    let (mut reactor, id, _) = connect(&ConnectOptions::new());
    let id = id.unwrap();
    for option in all() {
        reactor.context().set_option(id, option).unwrap();
    }
    assert_all_set(reactor.context().descriptor(id).unwrap(), &all());

    let back = [
        SocketOption::Nodelay(true),
        SocketOption::KeepAlive(None),
        SocketOption::UserTimeout(None),
        SocketOption::Linger(None),
        SocketOption::Ttl(64),
        SocketOption::TrafficClass(0),
    ];
    for option in back.clone() {
        reactor.context().set_option(id, option).unwrap();
    }
    assert_all_set(reactor.context().descriptor(id).unwrap(), &back);
    assert_all_set(reactor.context().descriptor(id).unwrap(), &all()[4..6]);
}

#[test]
fn protocol_may_set_its_own_options() {
    let outcomes: Rc<RefCell<Vec<Result<(), Error>>>> = Rc::default();
    let (log, noted) = (Log::default(), Rc::clone(&outcomes));
    let (mut reactor, address) = up(recorders(&log, move |transport, event| {
        if *event == Event::Made {
            noted.borrow_mut().push(transport.set_option(SocketOption::Ttl(9)));
            noted.borrow_mut().push(transport.set_option(SocketOption::Ttl(0)));
        }
    }));
    let _client = client(address);
    turn_until(&mut reactor, "the client", |_| log.made() == 1);
    assert_all_set(reactor.context().descriptor(log.ids()[0]).unwrap(), &[SocketOption::Ttl(9)]);
    let outcomes = outcomes.borrow();
    assert!(outcomes[0].is_ok());
    let error = outcomes[1].as_ref().unwrap_err();
    let expected = "`Ttl(0)`: invalid argument (the range is 1 to 255)";
    assert_eq!(error.to_string(), format!("cannot set an option of {address}: {expected}"));
}

#[test]
fn connection_uses_the_given_local_address() {
    let local = SocketAddr::from(([127, 0, 0, 9], 0));
    let (mut reactor, id, _) = connect(&ConnectOptions::new().local_address(local));
    let ours = reactor.context().local_address(id.unwrap());
    assert_eq!(ours.ip(), Some(local.ip()));
    assert_ne!(ours.port(), Some(0));
}

#[test]
fn error_names_an_unusable_local_address() {
    for local in ["192.0.2.1:0", "[::1]:0"] {
        let options = ConnectOptions::new().local_address(local.parse().unwrap());
        let (_reactor, outcome, address) = connect(&options);
        let error = outcome.unwrap_err();
        let expected = format!("cannot connect to {address}: from the local address {local}: ");
        assert!(error.starts_with(&expected), "{error}");
    }
}

/// Returns the error of a listener with `option`.
fn refused(option: SocketOption) -> Error {
    let mut reactor = Reactor::new().unwrap();
    let options = ListenOptions::new().option(option);
    options.listen_tcp(reactor.context(), "127.0.0.1:0", || Echo).unwrap_err()
}

#[test]
fn invalid_values_are_refused_with_advice() {
    let long = "x".repeat(16);
    let seconds = Duration::from_secs;
    let bad_keep_alive =
        |idle, interval, count| SocketOption::KeepAlive(Some(KeepAlive { idle, interval, count }));
    let cases = [
        (SocketOption::Device("no-such-device".into()), "`ip link` lists"),
        (SocketOption::Device(long), "at most 15 bytes"),
        (SocketOption::Device("l\0".into()), "no NUL"),
        (SocketOption::Ttl(0), "1 to 255"),
        (SocketOption::Linger(Some(seconds(1))), "closing would block"),
        (SocketOption::SendBuffer(usize::MAX), "2,147,483,647"),
        (SocketOption::ReceiveBuffer(1 << 31), "2,147,483,647"),
        (bad_keep_alive(seconds(0), seconds(1), 1), "1 to 32,767"),
        (bad_keep_alive(seconds(1), seconds(32_768), 1), "1 to 32,767"),
        (bad_keep_alive(seconds(1), seconds(1), 0), "1 to 127"),
        (bad_keep_alive(seconds(1), seconds(1), 128), "1 to 127"),
        (SocketOption::OnlyIpv6(true), "not supported by this kind of socket, or by this system"),
    ];
    for (option, expected) in cases {
        let text = refused(option.clone()).to_string();
        assert!(text.starts_with("cannot listen on 127.0.0.1:0: "), "{text}");
        assert!(text.contains(&format!("`{option:?}`")) && text.contains(expected), "{text}");
    }
}

#[test]
fn fractions_of_a_second_are_rounded_up() {
    let (mut reactor, id, _) = connect(&ConnectOptions::new());
    let id = id.unwrap();
    let short = Duration::from_micros(1);
    let keep_alive = KeepAlive { idle: short, interval: short, count: 1 };
    let context = reactor.context();
    context.set_option(id, SocketOption::KeepAlive(Some(keep_alive))).unwrap();
    context.set_option(id, SocketOption::UserTimeout(Some(short))).unwrap();
    let second = Duration::from_secs(1);
    let rounded = KeepAlive { idle: second, interval: second, count: 1 };
    let expected = [
        SocketOption::KeepAlive(Some(rounded)),
        SocketOption::UserTimeout(Some(Duration::from_millis(1))),
    ];
    assert_all_set(context.descriptor(id).unwrap(), &expected);
}

#[test]
fn creation_only_option_is_refused_later() {
    let mut reactor = Reactor::new().unwrap();
    let Ok(port) = reactor.listen_tcp("[::1]:0", || Echo) else {
        return println!("skipped: no IPv6");
    };
    let error = reactor.context().set_option(port.id(), SocketOption::OnlyIpv6(true)).unwrap_err();
    assert!(error.to_string().contains("set this in the options that create it"), "{error}");
}

#[test]
fn closed_socket_has_no_options_or_descriptor() {
    let (mut reactor, address) = up(|| Echo);
    let port = reactor.listen_tcp((IpAddr::from([127, 0, 0, 1]), 0), || Echo).unwrap();
    assert_ne!(port.address().socket_addr(), Some(address));
    let ask = |context: &mut Context| {
        let error = context.set_option(port.id(), SocketOption::Ttl(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let expected = format!("cannot set an option of {}: the socket is closed", port.id());
        assert_eq!(error.to_string(), expected);
        assert!(context.descriptor(port.id()).is_none());
    };
    reactor.context().close(port.id());
    ask(reactor.context());
    reactor.turn(Some(Duration::ZERO)).unwrap();
    ask(reactor.context());
}

#[test]
fn descriptor_belongs_to_the_connection() {
    let (mut reactor, id, address) = connect(&ConnectOptions::new());
    let descriptor = reactor.context().descriptor(id.unwrap()).unwrap();
    let peer = SockRef::from(&descriptor.as_fd()).peer_addr().unwrap();
    assert_eq!(peer.as_socket(), Some(address));
}
