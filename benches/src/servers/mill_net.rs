//! mill-net: its own `examples/tcp_echo_server.rs`, on the event loop that it has for "I/O-bound
//! workloads with fast handlers", which calls them on its own thread. (The default passes each
//! event to a thread pool.)
//!
//! Above a mark its `send` refuses a frame, so an echo keeps that one frame and pauses reading
//! until `on_drained`; the broadcast sets an unreachable mark, like an unbounded channel. It has
//! `broadcast`, which sends to the sender as well, so it is not used here. Its layers could split
//! lines, but copy every frame twice; [`Lines`] does not.
//!
//! Found: when a peer ends its side, data queued for it is discarded. So a client that ends its
//! side before it has read its echo loses the rest. Its backlog is 128, which costs a burst of
//! clients a second: see [`listener::improve`]. A signal ends its loop with an error, even a signal
//! that stops and continues the process.

use super::{Lines, READ_SIZE, Served, Work, announce, listener, refusal};
use mill_io::EventLoop;
use mill_net::errors::Result;
use mill_net::tcp::{ConnSender, ConnectionId, NetworkHandler, SendError};
use mill_net::tcp::{ServerContext, TcpServer, TcpServerConfig};
use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many events one wait may return, and how long it may last, in milliseconds: its default.
const EVENTS: usize = 1024;
const WAIT: u64 = 150;

pub(super) fn serve(work: Work, address: SocketAddr) -> Served {
    let config = TcpServerConfig::builder()
        .address(address)
        .buffer_size(READ_SIZE)
        .keep_alive(None)
        .no_delay(true);
    let event_loop = Arc::new(EventLoop::new_low_latency(EVENTS, WAIT)?);
    match work {
        Work::Echo => start(&event_loop, TcpServer::new(config.build(), Echo::default())?)?,
        Work::Broadcast => {
            let config = config.high_watermark(usize::MAX).build();
            start(&event_loop, TcpServer::new(config, Broadcast::default())?)?;
        }
        Work::Digest => return Err(refusal("mill-net", work)),
    }
    loop {
        // A signal that the process survives ends a run.
        match event_loop.run() {
            Err(error) if is_interruption(&*error) => {}
            outcome => {
                outcome?;
                return Err("mill-net's event loop has ended".into());
            }
        }
    }
}

fn start<H: NetworkHandler>(event_loop: &Arc<EventLoop>, server: TcpServer<H>) -> Result<()> {
    let server = Arc::new(server);
    server.clone().start(event_loop, event_loop.alloc_token())?;
    listener::improve(server.local_addr()?)?;
    Ok(announce(server.local_addr()?)?)
}

fn is_interruption(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::Interrupted)
}

#[derive(Default)]
struct Echo {
    /// The refused frames.
    refused: Mutex<HashMap<ConnectionId, Vec<u8>>>,
}

impl NetworkHandler for Echo {
    fn on_data(&self, context: &ServerContext, id: ConnectionId, data: &[u8]) -> Result<()> {
        if let Some(sender) = context.sender(id)
            && let Err(SendError::Backpressure) = sender.send(data)
        {
            lock(&self.refused).insert(id, data.to_vec());
            sender.pause_reads();
        }
        Ok(())
    }

    fn on_drained(&self, context: &ServerContext, id: ConnectionId) -> Result<()> {
        let refused = lock(&self.refused).remove(&id);
        if let Some(data) = refused
            && let Some(sender) = context.sender(id)
        {
            sender.send(&data)?;
            sender.resume_reads();
        }
        Ok(())
    }

    fn on_disconnect(&self, _context: &ServerContext, id: ConnectionId) -> Result<()> {
        lock(&self.refused).remove(&id);
        Ok(())
    }
}

/// No lock is held during a send: a failed send calls `on_disconnect` before it returns.
#[derive(Default)]
struct Broadcast {
    members: Mutex<Arc<Vec<ConnSender>>>,
    /// The incomplete lines.
    lines: Mutex<HashMap<ConnectionId, Lines>>,
}

impl NetworkHandler for Broadcast {
    fn on_connect(&self, context: &ServerContext, id: ConnectionId) -> Result<()> {
        Arc::make_mut(&mut *lock(&self.members)).extend(context.sender(id));
        Ok(())
    }

    fn on_data(&self, _context: &ServerContext, id: ConnectionId, data: &[u8]) -> Result<()> {
        let members = lock(&self.members).clone();
        let mut lines = lock(&self.lines).remove(&id).unwrap_or_default();
        lines.cut(data, |whole| {
            for sender in members.iter().filter(|sender| sender.id() != id) {
                // A member that has just closed does not receive it.
                let _ = sender.send(whole);
            }
        });
        if !lines.is_empty() {
            lock(&self.lines).insert(id, lines);
        }
        Ok(())
    }

    fn on_disconnect(&self, _context: &ServerContext, id: ConnectionId) -> Result<()> {
        Arc::make_mut(&mut *lock(&self.members)).retain(|sender| sender.id() != id);
        lock(&self.lines).remove(&id);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
