//! The broadcast by chunks: all lines that a read completes are one message in the channels, and
//! all messages of a channel are sent at once.
//!
//! This goes beyond the example: the gathering, which a reactor does for every connection, is done
//! by hand.

use super::super::{Lines, READ_SIZE};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// All members, by address, with their channels.
pub(super) type Members = Arc<Mutex<HashMap<SocketAddr, Sender>>>;

pub(super) type Sender = mpsc::UnboundedSender<Arc<[u8]>>;

/// How many chunks are gathered at most.
const GATHERED: usize = 256;

/// Serves one member until it closes.
pub(super) async fn broadcast(
    stream: TcpStream,
    peer: SocketAddr,
    members: Members,
) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    lock(&members).insert(peer, sender);
    let (mut reader, mut writer) = stream.into_split();
    let mut lines = Lines::default();
    let (mut read, mut chunks, mut gathered) =
        (Vec::with_capacity(READ_SIZE), Vec::new(), Vec::new());
    let outcome = loop {
        tokio::select! {
            _ = receiver.recv_many(&mut chunks, GATHERED) => {
                chunks.drain(..).for_each(|chunk: Arc<[u8]>| gathered.extend_from_slice(&chunk));
                if let Err(error) = writer.write_all(&gathered).await {
                    break Err(error);
                }
                gathered.clear();
            }
            count = reader.read_buf(&mut read) => match count {
                Ok(0) => break Ok(()),
                Ok(_) => {
                    lines.cut(&read, |whole| send_to_others(&members, peer, &whole.into()));
                    read.clear();
                }
                Err(error) => break Err(error),
            },
        }
    };
    lock(&members).remove(&peer);
    outcome
}

fn send_to_others(members: &Members, from: SocketAddr, chunk: &Arc<[u8]>) {
    for (_, sender) in lock(members).iter().filter(|&(&peer, _)| peer != from) {
        // A member that has just closed does not receive it.
        let _ = sender.send(chunk.clone());
    }
}

fn lock(members: &Members) -> MutexGuard<'_, HashMap<SocketAddr, Sender>> {
    members.lock().unwrap_or_else(PoisonError::into_inner)
}
