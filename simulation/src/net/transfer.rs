//! Reads, writes and closes of simulated streams.

use crate::net::connection::{Connection, Stage};
use crate::net::direction::Fin;
use crate::net::error::system;
use crate::net::{Net, nanos};
use crate::node::NodeId;
use crate::schedule::{Key, Scheduled, Time};
use crate::trace::What;
use ropewalk::Id;
use std::io::{self, ErrorKind, IoSlice};

impl Net {
    pub(super) fn read(&mut self, key: Key, side: u8, buffer: &mut [u8]) -> io::Result<usize> {
        self.charge_call();
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let (node, peer) = connection.nodes(side);
        let (short, block) = self.io_faults(node);
        let latency = nanos(self.link(node, peer).latency);
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let direction = &mut connection.directions[usize::from(1 - side)];
        let mut count = direction.arrived.min(buffer.len());
        if count == 0 {
            return self.read_nothing(key, side);
        }
        if connection.random.chance(block) {
            self.repeat_events_soon(key, side);
            return Err(system(ErrorKind::WouldBlock));
        }
        let cut_short = connection.random.chance(short);
        if cut_short {
            count = connection.random.between(1, count as u64) as usize;
        }
        let direction = &mut connection.directions[usize::from(1 - side)];
        direction.take(&mut buffer[..count]);
        self.charge_data(node, count);
        self.notify_writer(key, 1 - side, latency);
        if cut_short {
            self.repeat_events_soon(key, side);
        }
        let id = self.id_of(key, side);
        self.note(node, id, What::Reads(count));
        Ok(count)
    }

    /// Notifies the end `writer` that the other end has read, if it waits for free space or for the window.
    fn notify_writer(&mut self, key: Key, writer: u8, latency: Time) {
        let at = self.at() + latency;
        let Some(connection) = self.connection(key) else { return };
        let direction = &mut connection.directions[usize::from(writer)];
        let is_writable = direction.take_writable();
        let window_opens = std::mem::take(&mut direction.sender_waits);
        if is_writable {
            self.schedule.add(at, Scheduled::Writable(key, writer));
        }
        if window_opens {
            self.schedule.add(at, Scheduled::Window(key, writer));
        }
    }

    /// Returns the probabilities that a read or write of a node is cut short, and that it would block.
    fn io_faults(&self, node: NodeId) -> (f64, f64) {
        let conditions = &self.host(node).conditions;
        (conditions.short, conditions.would_block)
    }

    /// Returns the result of a read when no data has arrived.
    fn read_nothing(&mut self, key: Key, side: u8) -> io::Result<usize> {
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let end = &mut connection.ends[usize::from(side)];
        if end.ended || end.is_broken && end.error.is_none() {
            let (node, id) = (end.node, end.id);
            self.note(node, id, What::Reads(0));
            return Ok(0);
        }
        Err(system(end.error.take().unwrap_or(ErrorKind::WouldBlock)))
    }

    pub(super) fn write(
        &mut self,
        key: Key,
        side: u8,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.charge_write();
        let node = match self.connection(key) {
            Some(connection) => connection.ends[usize::from(side)].node,
            None => return Err(system(ErrorKind::NotConnected)),
        };
        let (short, block) = self.io_faults(node);
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        check_write(connection, side)?;
        let end = &connection.ends[usize::from(side)];
        let id = end.id;
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let is_connected = end.stage == Stage::Connected;
        let direction = &mut connection.directions[usize::from(side)];
        let mut count = offered.min(if is_connected { direction.free_space() } else { 0 });
        if count > 0 && connection.random.chance(block) {
            self.repeat_events_soon(key, side);
            return Err(system(ErrorKind::WouldBlock));
        }
        let cut_short = count > 1 && connection.random.chance(short);
        if cut_short {
            count = connection.random.between(1, count as u64) as usize;
        }
        let direction = &mut connection.directions[usize::from(side)];
        direction.writer_waits = count < offered;
        if count == 0 {
            return if offered == 0 { Ok(0) } else { Err(system(ErrorKind::WouldBlock)) };
        }
        chunks(slices, count).for_each(|chunk| direction.bytes.extend(chunk));
        self.charge_data(node, count);
        chunks(slices, count).for_each(|chunk| self.note(node, id, What::Writes(chunk)));
        if cut_short {
            self.repeat_events_soon(key, side);
        }
        self.send_queued(key, side);
        Ok(count)
    }

    pub(super) fn shut_down(&mut self, key: Key, side: u8) -> io::Result<()> {
        self.charge_call();
        let Some(connection) = self.connection(key) else {
            return Err(system(ErrorKind::NotConnected));
        };
        let end = &mut connection.ends[usize::from(side)];
        if end.is_broken || end.stage != Stage::Connected {
            return Err(system(ErrorKind::NotConnected));
        }
        if !std::mem::replace(&mut end.is_shut, true) {
            let (node, id) = (end.node, end.id);
            connection.directions[usize::from(side)].fin = Fin::Wanted;
            self.note(node, id, What::ShutsDown);
            self.send_queued(key, side);
        }
        Ok(())
    }

    /// Closes an end, as close(2) or the end of the program does.
    pub(super) fn close_end(&mut self, key: Key, side: u8) {
        let Some(connection) = self.connection(key) else { return };
        let unread = connection.directions[usize::from(1 - side)].arrived;
        let end = &mut connection.ends[usize::from(side)];
        if end.is_closed() {
            return;
        }
        let (node, id, address) = (end.node, end.id.take(), end.address.clone());
        let connecting = end.stage == Stage::Connecting;
        end.stage = Stage::Closed;
        let (resets, is_broken) = (end.resets_on_close || unread > 0, end.is_broken);
        let shut = std::mem::replace(&mut end.is_shut, true);
        // The data cannot be read any more.
        let incoming = &mut connection.directions[usize::from(1 - side)];
        incoming.bytes.drain(..unread);
        incoming.arrived = 0;
        self.spent += nanos(self.costs.call);
        self.note(node, id, What::Closes);
        if side == 0
            && let Some(port) = address.port()
        {
            self.host_mut(node).release_port(port);
        }
        if is_broken || connecting {
            // There is nothing to send. A peer that is still connecting is reset when its SYN-ACK arrives.
        } else if resets {
            self.reset(key, side);
        } else if !shut {
            if let Some(connection) = self.connection(key) {
                connection.directions[usize::from(side)].fin = Fin::Wanted;
            }
            self.send_queued(key, side);
        }
        self.remove_if_finished(key);
    }

    fn id_of(&mut self, key: Key, side: u8) -> Option<Id> {
        self.connection(key)?.ends[usize::from(side)].id
    }
}

/// Returns the error of a write that cannot succeed.
fn check_write(connection: &mut Connection, side: u8) -> io::Result<()> {
    // The system knows at once that the other end of a Unix connection is closed.
    let peer_closed = connection.is_unix && connection.ends[usize::from(1 - side)].is_closed();
    let end = &mut connection.ends[usize::from(side)];
    if let Some(error) = end.error.take() {
        return Err(system(error));
    }
    match end.is_broken || end.is_shut || peer_closed {
        true => Err(system(ErrorKind::BrokenPipe)),
        false => Ok(()),
    }
}

/// Returns the first `count` bytes of the slices.
fn chunks<'a>(slices: &'a [IoSlice<'_>], count: usize) -> impl Iterator<Item = &'a [u8]> {
    let mut left = count;
    let chunks = slices.iter().map(move |slice| {
        let taken = slice.len().min(left);
        left -= taken;
        &slice[..taken]
    });
    chunks.filter(|chunk| !chunk.is_empty())
}
