//! Detached sockets: connections and listeners that leave the reactor.

use crate::api::context::{Context, Pending};
use crate::api::transport::Transport;
use crate::source::detach::{Detached, DetachedSlot};
use crate::source::send_buffer::{SLICES, SendBuffer, Spares};
use crate::source::stream::{Life, WriteSide};
use crate::source::table::Source;
use crate::sys::error::failed_plainly;
use crate::sys::{OwnedFd, SocketBackend};
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::TCP;
use log::info;
use std::io::{self, IoSlice};

/// # Sockets to elsewhere
impl Context {
    /// Detaches a listener: its socket leaves the reactor, and still listens; the file of a Unix socket stays.
    /// Its connections stay, and handshakes of [filters](crate::Filter) continue. Its factory is dropped when the
    /// running callback has returned and no handshake is left. Returns `None` if the id names no listener.
    ///
    /// Clients that have not been accepted stay in its queue, for the reactor that
    /// [adopts](Self::adopt_listener) it.
    pub fn detach_listener(&mut self, id: Id) -> Option<OwnedFd> {
        let Some(Source::Listener(listener)) = self.sources.get(id) else {
            return None;
        };
        listener.socket.descriptor()?;
        let Some(Source::Listener(listener)) = self.shut(id) else {
            return None;
        };
        info!(target: TCP, "{id} detached; its socket still listens on {}", listener.address);
        self.pending.push_back(Pending::Free(id));
        listener.socket.into_descriptor().ok()
    }
}

/// # Sockets to elsewhere
impl Transport<'_> {
    /// Detaches a connection: its socket leaves the reactor, open, with the queued data. Its protocol receives
    /// [`connection_lost`](crate::Protocol::connection_lost) with [`Reason::Detached`](crate::Reason::Detached) after the
    /// running callback, and no other callback before it.
    ///
    /// No byte is lost, and none is sent twice: data that was read has been delivered, data that arrives
    /// from now on stays in the socket, and [`Detached::unsent`] is the data that has yet to be sent.
    ///
    /// # Errors
    ///
    /// If there is no established connection with this id, if the connection is closing, has a
    /// [filter](crate::Filter) or queued descriptors, or between
    /// [`descriptors_lost`](crate::Protocol::descriptors_lost) and the data that follows it. The connection is
    /// unchanged then.
    pub fn detach(&mut self) -> Result<Detached, Error> {
        let (context, id) = self.parts();
        context.detach_connection(id)
    }
}

impl Context {
    fn detach_connection(&mut self, id: Id) -> Result<Detached, Error> {
        let refused = |what| {
            let cause = io::Error::new(io::ErrorKind::NotConnected, what);
            Err(failed_plainly("detach", id.to_string(), cause))
        };
        let departed = match self.sources.stream(id) {
            Some(_) if self.descriptors_lost_on == Some(id) => {
                return refused("undelivered data remains; detach in `descriptors_received`");
            }
            Some(stream) if stream.output.buffer.descriptors_waiting() > 0 => {
                return refused("descriptors are queued");
            }
            Some(stream) if stream.filtered().is_some() => {
                return refused("the connection has a filter, which cannot be detached");
            }
            Some(stream) if stream.socket.descriptor().is_none() => {
                return refused("the connection has no descriptor");
            }
            Some(stream) if matches!(stream.life, Life::Open) => DetachedSlot::new(stream),
            Some(_) => return refused("the connection is closing"),
            None => return refused("there is no established connection with this id"),
        };
        let Some(Source::Stream(mut stream)) = self.shut(id) else {
            return refused("there is no connection");
        };
        self.established.remove(stream.listener, id);
        stream.output.commit_drop_oldest(&mut self.spares);
        let unsent = take_all(&mut stream.output.buffer, &mut self.spares);
        let peer = departed.peer.clone();
        self.sources.replace(id, Source::DetachedSlot(Box::new(departed)));
        self.pending.push_back(Pending::DetachedSlot(id));
        let write_eof = stream.output.write_side != WriteSide::Open;
        let socket = stream.socket.detach();
        let socket = socket.map_err(|cause| failed_plainly("detach", id.to_string(), cause))?;
        Ok(Detached { socket, peer, unsent, write_eof })
    }
}

/// Takes all queued data out of a send buffer.
fn take_all(send_buffer: &mut SendBuffer, spares: &mut Spares) -> Vec<u8> {
    let mut all = Vec::with_capacity(send_buffer.len());
    while !send_buffer.is_empty() {
        let before = all.len();
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = send_buffer.slices(&[], spares, &mut slices);
        slices[..filled].iter().for_each(|slice| all.extend_from_slice(slice));
        send_buffer.advance(all.len() - before, spares);
    }
    all
}
