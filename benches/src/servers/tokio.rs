//! Tokio: the echo as its own `examples/echo-tcp.rs`, the broadcast as its own `examples/chat.rs`.
//!
//! A task for each connection. In the broadcast each has a channel, whose senders stand in a map
//! under a lock, and lines come and go through the codec, each sent as it comes out of the
//! channel. The differences are to its advantage: an echo reads up to 64 KiB, into memory that is
//! not cleared before; the lock is the standard library's, as tokio's documentation advises for
//! one that is not held across an `await`; and a line is shared by all channels instead of copied
//! for each.
//!
//! What makes this broadcast slow is that every line is sent by itself. Who gathers by hand,
//! forwarding pieces instead of lines and writing all that a channel holds at once (`recv_many`),
//! needs 26 instructions a delivery instead of 725, and comes within a third of what ropewalk
//! delivers. A reactor that gathers does it for everyone.
//!
//! The codec takes a CR before the end of a line away, and ends a connection that sends what is not
//! UTF-8. The benchmark sends neither.

use super::listener::listen;
use super::{READ_SIZE, Served, Work, announce};
use futures_util::SinkExt;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

/// All in one thread.
pub(super) fn serve(work: Work, address: SocketAddr) -> Served {
    run(&Builder::new_current_thread().enable_io().build()?, work, address)
}

/// A worker for each processor that we may use: that is its default.
pub(super) fn serve_on_threads(work: Work, address: SocketAddr) -> Served {
    run(&Builder::new_multi_thread().enable_io().build()?, work, address)
}

fn run(runtime: &Runtime, work: Work, address: SocketAddr) -> Served {
    let listener = listen(address)?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        announce(listener.local_addr()?)?;
        // On a worker, not beside them.
        Ok(tokio::spawn(accept(listener, work)).await?)
    })
}

async fn accept(listener: TcpListener, work: Work) -> Infallible {
    let members = Members::default();
    loop {
        // What fails is one client's attempt.
        if let Ok((stream, peer)) = listener.accept().await {
            match work {
                Work::Echo => tokio::spawn(async { drop(echo(stream).await) }),
                Work::Broadcast => {
                    let members = members.clone();
                    tokio::spawn(async move { drop(broadcast(stream, peer, members).await) })
                }
            };
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(READ_SIZE);
    while stream.read_buf(&mut buffer).await? > 0 {
        stream.write_all(&buffer).await?;
        buffer.clear();
    }
    Ok(())
}

/// All who are there, by their address, and what brings them a line.
type Members = Arc<Mutex<HashMap<SocketAddr, Sender>>>;

type Sender = mpsc::UnboundedSender<Arc<str>>;

async fn broadcast(
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
