//! Datagram protocols that record their callbacks, and peers.

#![allow(dead_code)] // No test program uses all of it.

use ropewalk::{Address, DatagramProtocol, DatagramTransport, Error, Reactor};
use std::cell::RefCell;
use std::net::{SocketAddr, UdpSocket};
#[cfg(target_os = "linux")]
use std::rc::Rc;

use crate::support::*;

/// A callback of a datagram protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DatagramEvent {
    Started,
    Data(Vec<u8>),
    Truncated(Vec<u8>),
    Refused,
    /// With the printed error.
    Failed(String),
    Paused,
    Resumed,
    Stopped,
}

/// The callbacks of all recorders of a test, in order, with the senders.
#[derive(Clone, Default)]
pub(crate) struct DatagramLog(Rc<RefCell<Vec<Record>>>);

type Record = (DatagramEvent, Option<Address>);

impl DatagramLog {
    pub(crate) fn all(&self) -> Vec<DatagramEvent> {
        self.0.borrow().iter().map(|(event, _)| event.clone()).collect()
    }

    pub(crate) fn data(&self) -> Vec<Vec<u8>> {
        let data = |event| match event {
            DatagramEvent::Data(data) => Some(data),
            _ => None,
        };
        self.all().into_iter().filter_map(data).collect()
    }

    pub(crate) fn senders(&self) -> Vec<Address> {
        self.0.borrow().iter().filter_map(|(_, sender)| sender.clone()).collect()
    }

    pub(crate) fn count(&self, which: impl Fn(&DatagramEvent) -> bool) -> usize {
        self.0.borrow().iter().filter(|(event, _)| which(event)).count()
    }

    pub(crate) fn errors(&self) -> Vec<String> {
        let error = |event| match event {
            DatagramEvent::Failed(error) => Some(error),
            _ => None,
        };
        self.all().into_iter().filter_map(error).collect()
    }

    /// Asserts that the protocol was started first and once, and stopped last and once.
    pub(crate) fn check(&self) {
        let all = self.all();
        assert_eq!(all.first(), Some(&DatagramEvent::Started), "{all:?}");
        assert_eq!(all.last(), Some(&DatagramEvent::Stopped), "{all:?}");
        assert_eq!(self.count(|event| *event == DatagramEvent::Started), 1, "{all:?}");
        assert_eq!(self.count(|event| *event == DatagramEvent::Stopped), 1, "{all:?}");
    }
}

type Hook = Box<dyn FnMut(&mut DatagramTransport<'_>, &DatagramEvent, Option<&Address>)>;

/// Records each callback, then runs the hook.
pub(crate) struct DatagramRecorder {
    events: DatagramLog,
    hook: Hook,
}

impl DatagramRecorder {
    pub(crate) fn new(
        events: &DatagramLog,
        hook: impl FnMut(&mut DatagramTransport<'_>, &DatagramEvent, Option<&Address>) + 'static,
    ) -> Self {
        Self { events: events.clone(), hook: Box::new(hook) }
    }

    pub(crate) fn quiet(events: &DatagramLog) -> Self {
        Self::new(events, |_, _, _| {})
    }

    pub(crate) fn echo(events: &DatagramLog) -> Self {
        Self::new(events, |transport, event, sender| {
            if let (DatagramEvent::Data(data), Some(sender)) = (event, sender) {
                transport.send_to(data, sender);
            }
        })
    }

    fn note(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        event: DatagramEvent,
        sender: Option<&Address>,
    ) {
        self.events.0.borrow_mut().push((event.clone(), sender.cloned()));
        (self.hook)(transport, &event, sender);
    }
}

impl DatagramProtocol for DatagramRecorder {
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        self.note(transport, DatagramEvent::Started, None);
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        self.note(transport, DatagramEvent::Data(data.to_vec()), Some(sender));
    }

    fn datagram_truncated(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        self.note(transport, DatagramEvent::Truncated(data.to_vec()), Some(sender));
    }

    fn connection_refused(&mut self, transport: &mut DatagramTransport<'_>) {
        self.note(transport, DatagramEvent::Refused, None);
    }

    fn error_received(&mut self, transport: &mut DatagramTransport<'_>, error: Error) {
        self.note(transport, DatagramEvent::Failed(error.to_string()), None);
    }

    fn pause_writing(&mut self, transport: &mut DatagramTransport<'_>) {
        self.note(transport, DatagramEvent::Paused, None);
    }

    fn resume_writing(&mut self, transport: &mut DatagramTransport<'_>) {
        self.note(transport, DatagramEvent::Resumed, None);
    }

    fn stop_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        self.note(transport, DatagramEvent::Stopped, None);
    }
}

/// Listens on an address, and returns the one that the socket has.
pub(crate) fn receive_on(
    reactor: &mut Reactor,
    address: &str,
    protocol: impl DatagramProtocol,
) -> SocketAddr {
    let port = reactor.listen_udp(address, protocol).expect("a free port");
    port.address().socket_addr().expect("an IP address")
}

/// Returns a peer that blocks when it receives, with a timeout.
pub(crate) fn peer() -> UdpSocket {
    peer_on("127.0.0.1:0")
}

pub(crate) fn peer_on(address: &str) -> UdpSocket {
    let peer = UdpSocket::bind(address).expect("a free port");
    peer.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // With the default, a test that is not scheduled for some 70 ms loses datagrams of 10 Mbit/s.
    #[cfg(unix)]
    rustix::net::sockopt::set_socket_recv_buffer_size(&peer, 1 << 20).expect("a size");
    peer
}

/// Returns a peer that refuses all datagrams until it is connected with their sender.
pub(crate) fn refusing_peer() -> UdpSocket {
    let peer = peer();
    // Linux delivers to a connected socket only datagrams of its peer (udp(7)), and refuses others by ICMP.
    peer.connect("127.0.0.1:9").expect("an address");
    peer
}

/// Returns the next datagram that the peer receives.
pub(crate) fn received(peer: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let (length, _) = peer.recv_from(&mut buffer).expect("a datagram in time");
    buffer.truncate(length);
    buffer
}

/// Runs the test `name` in a network namespace that `setup` configures, by unshare(1), ip(8) and tc(8). Where one
/// of them is missing or forbidden, prints that the test is skipped.
#[cfg(target_os = "linux")]
pub(crate) fn in_network(name: &str, setup: &str) {
    in_namespaces(name, &["-rn"], setup);
}
