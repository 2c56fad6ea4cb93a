//! Connections as a packet capture, in the pcapng format (draft-ietf-opsawg-pcapng).
//!
//! A journal has no packets: each read and write of a connection becomes one, or several if it is longer than a packet
//! can be, with headers that are made up from what is known.

use crate::reading::packet::{ACK, FIN, LONGEST, PSH, Packet, RST, SYN};
use crate::reading::{Failure, read};
use ropewalk::Id;
use ropewalk::journal::{CallOutcome, Record, SystemCall, What};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The link type: packets begin with an IP header.
const RAW_IP: u16 = 101;

/// The most bytes of a packet that are in the file: the headers of IPv6 and TCP.
const SNAP_LENGTH: u32 = 60;

/// Made-up local addresses, from the blocks for documentation (RFC 5737, RFC 3849).
const LOCAL_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const LOCAL_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// Writes the TCP connections as a packet capture for tshark(1) and others. Returns the number of records in the file.
///
/// Packets have headers and no payload: the journal has no data. Their original lengths count it. The time counts from
/// the begin of the reactor. Connections are included whose begin is in the journal. The local address of an accepted
/// connection is not recorded: a made-up address stands for it, 192.0.2.1 or 2001:db8::1 with a port for each connection.
///
/// # Errors
///
/// Those of [`read`].
pub fn write_pcapng(file: impl Read, out: &mut impl Write) -> Result<u64, Failure> {
    let mut capture = Capture { out, nodes: Vec::new(), ends: BTreeMap::new(), port: 1024 };
    capture.begin().map_err(Failure::Write)?;
    read(file, |record| capture.see(record))
}

struct Capture<'a, W> {
    out: &'a mut W,
    /// The nodes: each has an interface.
    nodes: Vec<String>,
    ends: BTreeMap<(u32, Id), End>,
    /// The next made-up port.
    port: u16,
}

/// One end of a connection.
#[derive(Default)]
struct End {
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
    sent: Side,
    received: Side,
    /// It was reset, or handed over: no FIN follows.
    is_over: bool,
}

/// One direction of a connection.
#[derive(Clone, Copy, Default)]
struct Side {
    /// The next sequence number.
    next: u32,
    has_ended: bool,
}

/// The direction of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    In,
}

impl<W: Write> Capture<'_, W> {
    /// Writes the section header.
    fn begin(&mut self) -> io::Result<()> {
        let mut body = Vec::new();
        body.extend(0x1a2b_3c4d_u32.to_le_bytes()); // the byte order
        body.extend([1, 0, 0, 0]); // version 1.0
        body.extend([0xff; 8]); // a section of unknown length
        self.block(0x0a0d_0d0a, &body)
    }

    /// Returns the interface of a node. The first record of a node adds it.
    fn interface(&mut self, node: &str) -> io::Result<u32> {
        if let Some(at) = self.nodes.iter().position(|name| name == node) {
            return Ok(at as u32);
        }
        let mut body = Vec::new();
        body.extend(RAW_IP.to_le_bytes());
        body.extend([0, 0]);
        body.extend(SNAP_LENGTH.to_le_bytes());
        let name = if node.is_empty() { "ropewalk" } else { node };
        option(&mut body, 2, name.as_bytes());
        option(&mut body, 9, &[9]); // times in nanoseconds
        option(&mut body, 0, &[]);
        self.block(1, &body)?;
        self.nodes.push(node.to_owned());
        Ok(self.nodes.len() as u32 - 1)
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let padded = body.len().next_multiple_of(4);
        let length = (padded as u32 + 12).to_le_bytes();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length)?;
        self.out.write_all(body)?;
        self.out.write_all(&[0; 3][..padded - body.len()])?;
        self.out.write_all(&length)
    }

    fn see(&mut self, record: &Record<'_>) -> io::Result<()> {
        let Some(id) = record.id else { return Ok(()) };
        let key = (self.interface(record.node)?, id);
        let time = record.time;
        match record.what {
            What::Local(local) => {
                self.ends.insert(key, End { local: Some(local), ..End::default() });
            }
            What::Peer(peer) => return self.open(key, time, peer),
            What::Syscall(SystemCall::Send, CallOutcome::Bytes(count)) => {
                return self.data(key, time, Way::Out, count);
            }
            What::Syscall(SystemCall::Receive, CallOutcome::Bytes(count)) => {
                return self.data(key, time, Way::In, count);
            }
            What::Syscall(SystemCall::Receive, CallOutcome::Eof) => {
                return self.finish(key, time, Way::In);
            }
            What::Syscall(SystemCall::Shutdown, CallOutcome::Done) => {
                return self.finish(key, time, Way::Out);
            }
            What::Lost(reason) => return self.lose(key, time, reason),
            What::Freed => {
                self.finish(key, time, Way::Out)?;
                self.ends.remove(&key);
            }
            _ => {}
        }
        Ok(())
    }

    /// Begins a connection, with its handshake.
    fn open(&mut self, key: (u32, Id), time: Duration, peer: SocketAddr) -> io::Result<()> {
        // An attempt has recorded its local address. An accepted connection has a new id.
        let begun = self.ends.remove(&key).filter(|end| end.peer.is_none());
        let outgoing = begun.and_then(|end| end.local);
        let local = outgoing.unwrap_or_else(|| self.made_up(peer));
        self.ends.insert(key, End { local: Some(local), peer: Some(peer), ..End::default() });
        let (first, second) = match outgoing {
            Some(_) => (Way::Out, Way::In),
            None => (Way::In, Way::Out),
        };
        self.packet(key, time, first, SYN, 1)?;
        self.packet(key, time, second, SYN | ACK, 1)?;
        self.packet(key, time, first, ACK, 0)
    }

    fn made_up(&mut self, peer: SocketAddr) -> SocketAddr {
        self.port = self.port.checked_add(1).unwrap_or(1025);
        match peer {
            SocketAddr::V4(_) => (LOCAL_V4, self.port).into(),
            SocketAddr::V6(_) => (LOCAL_V6, self.port).into(),
        }
    }

    fn data(&mut self, key: (u32, Id), time: Duration, way: Way, count: u32) -> io::Result<()> {
        let mut left = count;
        while left > 0 {
            let part = left.min(LONGEST);
            self.packet(key, time, way, PSH | ACK, part)?;
            left -= part;
        }
        Ok(())
    }

    /// Ends one direction, unless it has ended.
    fn finish(&mut self, key: (u32, Id), time: Duration, way: Way) -> io::Result<()> {
        let Some(end) = self.ends.get_mut(&key) else { return Ok(()) };
        let side = match way {
            Way::Out => &mut end.sent,
            Way::In => &mut end.received,
        };
        if end.is_over || std::mem::replace(&mut side.has_ended, true) {
            return Ok(());
        }
        self.packet(key, time, way, FIN | ACK, 1)?;
        self.packet(key, time, way.back(), ACK, 0)
    }

    fn lose(&mut self, key: (u32, Id), time: Duration, reason: &str) -> io::Result<()> {
        let reset = match reason {
            "Reset" => Some(Way::In),
            "Aborted" | "CloseTimeout" | "Panicked" | "Truncated" | "WriteLimit" => Some(Way::Out),
            // No packet says so.
            "Detached" | "Failed" | "TimedOut" => None,
            _ => return Ok(()),
        };
        if let Some(way) = reset {
            self.packet(key, time, way, RST | ACK, 0)?;
        }
        if let Some(end) = self.ends.get_mut(&key) {
            end.is_over = true;
        }
        Ok(())
    }

    /// Writes a packet that takes this number of sequence numbers: the payload, or 1 for SYN and FIN.
    fn packet(
        &mut self,
        (interface, id): (u32, Id),
        time: Duration,
        way: Way,
        flags: u8,
        length: u32,
    ) -> io::Result<()> {
        let Some(end) = self.ends.get_mut(&(interface, id)) else { return Ok(()) };
        let (Some(local), Some(peer)) = (end.local, end.peer) else { return Ok(()) };
        let (from, to, side, other) = match way {
            Way::Out => (local, peer, &mut end.sent, &mut end.received),
            Way::In => (peer, local, &mut end.received, &mut end.sent),
        };
        let payload = if flags & PSH != 0 { length } else { 0 };
        let acknowledged = if flags & ACK != 0 { other.next } else { 0 };
        let packet = Packet { from, to, flags, payload, sequence: side.next, acknowledged };
        side.next = side.next.wrapping_add(length);
        let headers = packet.headers();
        let nanos = time.as_nanos() as u64;
        let mut body = Vec::with_capacity(20 + headers.len());
        body.extend(interface.to_le_bytes());
        body.extend(((nanos >> 32) as u32).to_le_bytes());
        body.extend((nanos as u32).to_le_bytes());
        body.extend((headers.len() as u32).to_le_bytes());
        body.extend((headers.len() as u32 + payload).to_le_bytes());
        body.extend(headers);
        self.block(6, &body)
    }
}

impl Way {
    fn back(self) -> Self {
        if self == Self::Out { Self::In } else { Self::Out }
    }
}

/// Appends an option of a block: its number, its length, and its value up to a multiple of four bytes.
fn option(body: &mut Vec<u8>, number: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(number.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}
