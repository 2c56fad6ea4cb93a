//! The broadcast by lines, as tokio's own `examples/chat.rs`.
//!
//! Each connection has a channel. The senders are in a map under a lock, and lines pass through
//! the codec, each sent as it leaves the channel. The differences are to its advantage: the lock is
//! the standard library's, as tokio's documentation recommends for a lock that is not held across
//! an `await`; and a line is shared by all channels instead of copied for each.
//!
//! The codec removes a CR before the end of a line, and ends a connection that sends invalid UTF-8.
//! The benchmark sends neither.

use futures_util::SinkExt;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

/// All members, by address, with their channels.
pub(super) type Members = Arc<Mutex<HashMap<SocketAddr, Sender>>>;

pub(super) type Sender = mpsc::UnboundedSender<Arc<str>>;

/// Serves one member until it closes.
pub(super) async fn broadcast(
    stream: TcpStream,
    peer: SocketAddr,
    members: Members,
) -> Result<(), LinesCodecError> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    lock(&members).insert(peer, sender);
    let mut lines = Framed::new(stream, LinesCodec::new());
    let outcome = loop {
        tokio::select! {
            Some(line) = receiver.recv() => {
                if let Err(error) = lines.send(line).await {
                    break Err(error);
                }
            }
            said = lines.next() => match said {
                Some(Ok(line)) => send_to_others(&members, peer, &line.into()),
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            },
        }
    };
    lock(&members).remove(&peer);
    outcome
}

fn send_to_others(members: &Members, from: SocketAddr, line: &Arc<str>) {
    for (_, sender) in lock(members).iter().filter(|&(&peer, _)| peer != from) {
        // A member that has just closed does not receive it.
        let _ = sender.send(line.clone());
    }
}

fn lock(members: &Members) -> MutexGuard<'_, HashMap<SocketAddr, Sender>> {
    members.lock().unwrap_or_else(PoisonError::into_inner)
}
