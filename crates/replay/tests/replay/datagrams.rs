//! Datagrams: echoes, refusals, truncation.

use crate::support::{Callbacks, check, record};
use ropewalk::{Address, DatagramOptions, DatagramProtocol, DatagramTransport, Error, Reactor};
use ropewalk_replay::Tape;
use std::net::UdpSocket;

struct Echo(Callbacks);

impl DatagramProtocol for Echo {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        from: &Address,
    ) {
        self.0.note(format!("{} from {from}", data.escape_ascii()));
        transport.send_to(data, from);
    }

    fn datagram_truncated(&mut self, _: &mut DatagramTransport<'_>, _: &[u8], from: &Address) {
        self.0.note(format!("truncated from {from}"));
    }

    fn error_received(&mut self, _transport: &mut DatagramTransport<'_>, error: Error) {
        self.0.note(error.to_string());
    }
}

#[test]
fn datagrams_are_replayed() {
    let program = |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let options = DatagramOptions::new().max_datagram_size(100);
        let port = options.listen_udp(reactor.context(), "127.0.0.1:0", Echo(callbacks.clone()));
        port.unwrap().address().clone()
    };
    let recorded = record(program, |address, _| {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(address).unwrap();
        for size in [0, 1, 100, 101, 60] {
            client.send(&vec![b'a'; size]).unwrap();
        }
        for size in [0, 1, 100, 60] {
            assert_eq!(client.recv(&mut [0; 200]).unwrap(), size);
        }
    });
    assert_eq!(recorded.callbacks.len(), 5, "{:?}", recorded.callbacks);
    check(&recorded, program);
}

#[test]
fn refusal_of_a_datagram_is_replayed() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = move |reactor: &mut Reactor, _: &Tape, callbacks: &Callbacks| {
        let port = reactor.context().connect_udp(closed, Echo(callbacks.clone())).unwrap();
        reactor.context().datagram(port.id()).send(b"hello");
        Address::Unknown
    };
    let recorded = record(program, |_, _| {});
    check(&recorded, program);
}
