//! A group that runs on a thread and serves a protocol of commands.

use crate::support::*;
use ropewalk::{Error, GroupHandle, GroupPort, Protocol, ReactorGroup, Reason, Transport};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// The ends that the protocols of a group were notified of, as (reactor, reason).
pub(crate) type Ends = Arc<Mutex<Vec<(usize, String)>>>;

/// Sends the index of its reactor, then obeys commands.
struct Commanded {
    index: usize,
    ends: Ends,
}

impl Protocol for Commanded {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        writeln!(transport, "{}", self.index);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        match data {
            b"stop" => transport.context().stop(),
            b"much" => transport.write(&pattern(MUCH)),
            b"who" => {
                let name = thread::current().name().unwrap_or("unnamed").to_owned();
                transport.write(name.as_bytes());
            }
            _ => transport.write(data),
        }
    }

    fn connection_lost(&mut self, _transport: &mut Transport<'_>, reason: Reason) {
        self.ends.lock().unwrap().push((self.index, format!("{reason:?}")));
    }
}

/// A group that runs on a thread.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) port: GroupPort,
    pub(crate) handle: GroupHandle,
    pub(crate) ends: Ends,
    pub(crate) run: Option<JoinHandle<Result<(), Error>>>,
}

pub(crate) fn serve_commands(group: &mut ReactorGroup, ends: &Ends) -> Result<GroupPort, Error> {
    let ends = Arc::clone(ends);
    group.listen_tcp(own_host(), move |member| {
        let (index, ends) = (member.index(), Arc::clone(&ends));
        move || Commanded { index, ends: Arc::clone(&ends) }
    })
}

pub(crate) fn run(count: usize, set_up: impl FnOnce(&mut ReactorGroup)) -> Running {
    let mut group = ReactorGroup::new(count).unwrap();
    let ends = Ends::default();
    let port = serve_commands(&mut group, &ends).unwrap();
    set_up(&mut group);
    let (address, handle) = (port.address().socket_addr().unwrap(), group.handle());
    let run = Some(thread::spawn(move || group.run()));
    Running { address, port, handle, ends, run }
}

impl Running {
    /// Returns a client of the reactor with this index. The system chooses the reactor, so this connects repeatedly.
    pub(crate) fn client_of(&self, wanted: usize) -> TcpStream {
        for _ in 0..1_000 {
            let client = client(self.address);
            let index = read_some(&client, 2);
            if index == format!("{wanted}\n") {
                return client;
            }
        }
        panic!("of 1,000 connections reactor {wanted} accepted none");
    }

    pub(crate) fn end(&mut self) {
        self.run.take().unwrap().join().unwrap().unwrap();
    }

    /// Asserts that the group ends without waiting a minute for a peer that reads nothing.
    pub(crate) fn end_at_once(&mut self) {
        let begin = Instant::now();
        self.end();
        assert!(begin.elapsed() < 2 * PATIENCE, "a reactor waited for its client");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.handle.stop();
    }
}

pub(crate) fn read_some(mut client: &TcpStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn is_served(mut client: &TcpStream) -> bool {
    client.write_all(b"ping").is_ok() && read_some(client, 4) == "ping"
}

/// Returns an address of a host that no other test uses, with port 0: a port of it stays free after it was used. On
/// Linux all of 127.0.0.0/8 is this machine.
pub(crate) fn own_host() -> SocketAddr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let [_, a, b, c] = (std::process::id().wrapping_mul(64).wrapping_add(count % 64)).to_be_bytes();
    ([127, a | 128, b, c], 0).into()
}
