//! The broadcast by pieces: all lines that a reading completes go into the channels as one, and all
//! that a channel holds is sent at once.
//!
//! It is no longer what an example has: the gathering, which a reactor does for everyone, is done by
//! hand.

use super::super::{Lines, READ_SIZE};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// All who are there, by their address, and what brings them lines.
pub(super) type Members = Arc<Mutex<HashMap<SocketAddr, Sender>>>;

pub(super) type Sender = mpsc::UnboundedSender<Arc<[u8]>>;

/// How many pieces are gathered at most.
const GATHERED: usize = 256;

/// One member, until it goes.
pub(super) async fn broadcast(
    stream: TcpStream,
    peer: SocketAddr,
    members: Members,
) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    lock(&members).insert(peer, sender);
    let (mut reader, mut writer) = stream.into_split();
    let mut lines = Lines::default();
    let (mut read, mut pieces, mut gathered) =
        (Vec::with_capacity(READ_SIZE), Vec::new(), Vec::new());
    let outcome = loop {
        tokio::select! {
            _ = receiver.recv_many(&mut pieces, GATHERED) => {
                pieces.drain(..).for_each(|piece: Arc<[u8]>| gathered.extend_from_slice(&piece));
                if let Err(error) = writer.write_all(&gathered).await {
                    break Err(error);
                }
                gathered.clear();
            }
            count = reader.read_buf(&mut read) => match count {
                Ok(0) => break Ok(()),
                Ok(_) => {
                    lines.cut(&read, |whole| tell_others(&members, peer, &whole.into()));
                    read.clear();
                }
                Err(error) => break Err(error),
            },
        }
    };
    lock(&members).remove(&peer);
    outcome
}

fn tell_others(members: &Members, speaker: SocketAddr, piece: &Arc<[u8]>) {
    for (_, sender) in lock(members).iter().filter(|&(&peer, _)| peer != speaker) {
        // Who has just gone does not hear it.
        let _ = sender.send(piece.clone());
    }
}

fn lock(members: &Members) -> MutexGuard<'_, HashMap<SocketAddr, Sender>> {
    members.lock().unwrap_or_else(PoisonError::into_inner)
}
