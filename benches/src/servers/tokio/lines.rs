//! The broadcast by lines, as tokio's own `examples/chat.rs`.
//!
//! Each connection has a channel, whose senders stand in a map under a lock, and lines come and go
//! through the codec, each sent as it comes out of the channel. The differences are to its
//! advantage: the lock is the standard library's, as tokio's documentation advises for one that is
//! not held across an `await`; and a line is shared by all channels instead of copied for each.
//!
//! The codec takes a CR before the end of a line away, and ends a connection that sends what is not
//! UTF-8. The benchmark sends neither.

use futures_util::SinkExt;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

/// All who are there, by their address, and what brings them a line.
pub(super) type Members = Arc<Mutex<HashMap<SocketAddr, Sender>>>;

pub(super) type Sender = mpsc::UnboundedSender<Arc<str>>;

/// One member, until it goes.
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
                Some(Ok(line)) => tell_others(&members, peer, &line.into()),
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            },
        }
    };
    lock(&members).remove(&peer);
    outcome
}

fn tell_others(members: &Members, speaker: SocketAddr, line: &Arc<str>) {
    for (_, sender) in lock(members).iter().filter(|&(&peer, _)| peer != speaker) {
        // Who has just gone does not hear it.
        let _ = sender.send(line.clone());
    }
}

fn lock(members: &Members) -> MutexGuard<'_, HashMap<SocketAddr, Sender>> {
    members.lock().unwrap_or_else(PoisonError::into_inner)
}
