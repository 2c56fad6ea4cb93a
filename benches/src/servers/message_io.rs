//! message-io: the echo of its README, on the raw TCP transport (its framed transport has its own
//! format, which no other server speaks).
//!
//! All work is done in the callback of `for_each`, which its documentation calls the faster way:
//! data is borrowed from the read buffer, and `send` writes to the socket immediately. So each
//! delivery costs a system call, however much is queued.
//!
//! Found: a `send` that the socket does not accept retries in a busy loop until it does, and no
//! other connection is served meanwhile. One reader that stops blocks all others; no byte is lost.
//! It cannot set TCP_NODELAY: see [`listener::improve`].

use super::{Lines, Served, Work, announce, listener, refusal};
use message_io::network::{Endpoint, NetEvent, NetworkController, Transport};
use message_io::node;
use std::collections::HashMap;
use std::net::SocketAddr;

pub(super) fn serve(work: Work, address: SocketAddr) -> Served {
    let (handler, events) = node::split::<()>();
    let (_, address) = handler.network().listen(Transport::Tcp, address)?;
    listener::improve(address)?;
    announce(address)?;
    let network = handler.network();
    match work {
        Work::Echo => events.for_each(|event| {
            if let NetEvent::Message(endpoint, data) = event.network() {
                network.send(endpoint, data);
            }
        }),
        Work::Broadcast => {
            let mut members = HashMap::new();
            events.for_each(|event| broadcast(network, &mut members, event.network()));
        }
        Work::Digest => return Err(refusal("message-io", work)),
    }
    Err("message-io's node has stopped".into())
}

fn broadcast(
    network: &NetworkController,
    members: &mut HashMap<Endpoint, Lines>,
    event: NetEvent<'_>,
) {
    match event {
        NetEvent::Accepted(endpoint, _) => {
            members.insert(endpoint, Lines::default());
        }
        NetEvent::Message(from, data) => {
            // It is taken out while the lines are sent to the others.
            let Some(mut lines) = members.remove(&from) else { return };
            lines.cut(data, |whole| {
                for &endpoint in members.keys() {
                    network.send(endpoint, whole);
                }
            });
            members.insert(from, lines);
        }
        NetEvent::Disconnected(endpoint) => {
            members.remove(&endpoint);
        }
        NetEvent::Connected(..) => {}
    }
}
