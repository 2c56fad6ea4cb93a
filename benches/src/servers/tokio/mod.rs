//! Tokio: the echo as its own `examples/echo-tcp.rs`, the broadcast by [lines], as its own
//! `examples/chat.rs`, or by chunks ([chunks]).
//!
//! It uses a task for each connection. The echo differs from the example to its advantage: it reads
//! up to 64 KiB, into memory that is not cleared before.
//!
//! The broadcast of the example is slow because every line is sent by itself: 725 instructions a
//! delivery, with 10 senders of 16 lines, and a system call; by chunks it takes 26. So both
//! together show how much of a difference the runtime causes.

mod chunks;
mod lines;

use super::listener::listen;
use super::{READ_SIZE, Served, Work, announce};
use crate::digest::Digester;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// What a task does with its connection.
#[derive(Clone)]
enum Task {
    Echo,
    Lines(lines::Members),
    Chunks(chunks::Members),
    Digest,
}

impl From<Work> for Task {
    fn from(work: Work) -> Self {
        match work {
            Work::Echo => Self::Echo,
            Work::Broadcast => Self::Lines(lines::Members::default()),
            Work::Digest => Self::Digest,
        }
    }
}

/// Serves in one thread.
pub(super) fn serve(work: Work, address: SocketAddr) -> Served {
    run(&Builder::new_current_thread().enable_io().build()?, work.into(), address)
}

/// Serves the broadcast by chunks, in one thread.
pub(super) fn serve_chunks(_broadcast: Work, address: SocketAddr) -> Served {
    let task = Task::Chunks(chunks::Members::default());
    run(&Builder::new_current_thread().enable_io().build()?, task, address)
}

/// Serves with a worker for each available processor, which is its default.
pub(super) fn serve_on_threads(work: Work, address: SocketAddr) -> Served {
    run(&Builder::new_multi_thread().enable_io().build()?, work.into(), address)
}

fn run(runtime: &Runtime, task: Task, address: SocketAddr) -> Served {
    let listener = listen(address)?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        announce(listener.local_addr()?)?;
        // On a worker, not beside them.
        Ok(tokio::spawn(accept(listener, task)).await?)
    })
}

async fn accept(listener: TcpListener, task: Task) -> Infallible {
    loop {
        // A failure affects one client's attempt.
        if let Ok((stream, peer)) = listener.accept().await {
            match task.clone() {
                Task::Echo => tokio::spawn(async { drop(echo(stream).await) }),
                Task::Lines(members) => {
                    tokio::spawn(async move { drop(lines::broadcast(stream, peer, members).await) })
                }
                Task::Chunks(members) => {
                    tokio::spawn(
                        async move { drop(chunks::broadcast(stream, peer, members).await) },
                    )
                }
                Task::Digest => tokio::spawn(async { drop(digest(stream).await) }),
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

async fn digest(mut stream: TcpStream) -> io::Result<()> {
    let (mut digester, mut answers) = (Digester::default(), Vec::new());
    let mut buffer = Vec::with_capacity(READ_SIZE);
    while stream.read_buf(&mut buffer).await? > 0 {
        digester.answer(&buffer, &mut answers);
        stream.write_all(&answers).await?;
        buffer.clear();
        answers.clear();
    }
    Ok(())
}
