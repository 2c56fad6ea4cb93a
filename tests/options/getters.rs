//! Settings are returned as they were set.

use crate::datagrams::{DatagramLog, DatagramRecorder};
use crate::support::*;
use ropewalk::{Interface, Reactor, ReactorGroup, SlowReader, ThreadOptions};
use std::net::Ipv4Addr;
use std::time::Duration;

#[test]
fn policy_for_slow_readers_is_returned() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let attempt = reactor.connect_tcp(address, || Echo).unwrap();
    let policies = [SlowReader::DropOldest(5), SlowReader::Disconnect(7), SlowReader::Pause];
    for made in [false, true] {
        if made {
            turn_until(&mut reactor, "made", |_| log.made() == 1);
        }
        for policy in policies {
            let mut transport = reactor.context().transport(attempt);
            transport.set_slow_reader(policy);
            assert_eq!(transport.slow_reader(), Some(policy), "a connection: {made}");
        }
    }
    reactor.context().close(attempt);
    turn_until(&mut reactor, "closed", |_| log.lost() == 1);
    assert_eq!(reactor.context().transport(attempt).slow_reader(), None);
}

#[test]
fn multicast_settings_are_returned() {
    let (mut reactor, events) = (Reactor::new().unwrap(), DatagramLog::default());
    let port = reactor.listen_udp("127.0.0.1:0", DatagramRecorder::quiet(&events)).unwrap();
    let mut transport = reactor.context().datagram(port.id());
    assert_eq!((transport.multicast_ttl(), transport.multicast_loopback()), (1, true));
    assert_eq!(transport.multicast_interface(), Interface::Any);
    transport.set_multicast_ttl(3).unwrap();
    transport.set_multicast_loopback(false).unwrap();
    transport.set_multicast_interface(Ipv4Addr::LOCALHOST).unwrap();
    transport.set_multicast_interface(Ipv4Addr::new(192, 0, 2, 1)).unwrap_err();
    assert_eq!((transport.multicast_ttl(), transport.multicast_loopback()), (3, false));
    assert_eq!(transport.multicast_interface(), Interface::Address(Ipv4Addr::LOCALHOST));
}

#[test]
fn settings_of_reactors_are_returned() {
    let (time, threads) = (Duration::from_millis(123), ThreadOptions::new().max(3));
    let mut reactor = Reactor::new().unwrap();
    assert_eq!(reactor.threads(), ThreadOptions::new());
    reactor.set_threads(threads);
    reactor.set_grace(time);
    reactor.set_slow_callback_duration(2 * time);
    assert_eq!((reactor.threads(), reactor.grace()), (threads, time));
    assert_eq!(reactor.slow_callback_duration(), 2 * time);
    let mut group = ReactorGroup::new(2).unwrap();
    group.set_grace(time);
    group.set_slow_callback_duration(2 * time);
    assert_eq!((group.grace(), group.slow_callback_duration()), (time, 2 * time));
}
