//! Addresses of peers, for every name that a client may bind to.

use crate::support::*;
use crate::unix::*;
use ropewalk::{Address, DatagramProtocol, DatagramTransport, Reactor, Transport, UnixAddress};
use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::rc::Rc;

type Peers = Rc<RefCell<Vec<Address>>>;

/// Returns a hook that echoes, and records the peer.
fn noting(peers: &Peers) -> impl FnMut(&mut Transport<'_>, &Event) + Clone + use<> {
    let peers = Rc::clone(peers);
    move |transport, event| {
        if *event == Event::Made {
            peers.borrow_mut().push(transport.peer());
        }
        echo(transport, event);
    }
}

/// Records the senders.
struct Noting(Peers);

impl DatagramProtocol for Noting {
    fn datagram_received(
        &mut self,
        _transport: &mut DatagramTransport<'_>,
        _data: &[u8],
        sender: &Address,
    ) {
        self.0.borrow_mut().push(sender.clone());
    }
}

/// Binds to a path of 108 bytes without a terminating zero, which the standard libraries refuse,
/// connects to another path, and sends.
const CLIENT: &str = r#"
import ctypes, socket, struct, sys
path, own, kind = sys.argv[1].encode(), sys.argv[2].encode(), int(sys.argv[3])
assert len(own) == 108
s = socket.socket(socket.AF_UNIX, kind)
name = struct.pack("=H108s", socket.AF_UNIX, own)
assert ctypes.CDLL(None).bind(s.fileno(), name, 110) == 0
s.settimeout(10)
s.connect(path)
s.send(b"hello")
if kind == socket.SOCK_STREAM:
    assert s.recv(5) == b"hello"
"#;

fn start_client(path: &Path, own: &str, kind: &str) -> Option<Child> {
    let mut client = Command::new("python3");
    client.args(["-c", CLIENT, path.to_str().unwrap(), own, kind]);
    client.spawn().inspect_err(|error| println!("skipped: python3: {error}")).ok()
}

#[test]
fn client_bound_to_108_bytes_is_served() {
    let (folder, log) = (Folder::new(), Log::default());
    let own = folder.path(&"x".repeat(108));
    let own = &own.to_str().unwrap()[..108];
    let (streams, datagrams) = (Peers::default(), Peers::default());
    let mut reactor = Reactor::new().unwrap();
    let (path, other) = (folder.path("streams"), folder.path("datagrams"));
    reactor.listen_unix(&path, recorders(&log, noting(&streams))).unwrap();
    reactor.context().listen_unix_datagram(&other, Noting(Rc::clone(&datagrams))).unwrap();
    for (path, kind, peers) in [(&path, "1", &streams), (&other, "2", &datagrams)] {
        let _ = fs::remove_file(own);
        let Some(mut client) = start_client(path, own, kind) else { return };
        turn_until(&mut reactor, "its exit", |_| client.try_wait().unwrap().is_some());
        assert!(client.wait().unwrap().success());
        turn_until(&mut reactor, "a peer", |_| !peers.borrow().is_empty());
        assert_eq!(peers.borrow()[..], [Address::from(UnixAddress::from(own))]);
    }
}

#[test]
fn accepted_peer_keeps_its_abstract_name() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("echo.sock");
    let peers = Peers::default();
    let mut reactor = up_unix(&path, recorders(&log, noting(&peers)));
    let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    let name = format!("ropewalk-peer-{}", std::process::id());
    client.bind(&socket2::SockAddr::unix(format!("\0{name}")).unwrap()).unwrap();
    client.connect(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    turn_until(&mut reactor, "a peer", |_| !peers.borrow().is_empty());
    assert_eq!(peers.borrow()[..], [Address::from(UnixAddress::abstract_name(&name))]);
}
