//! Datagram sockets: who is given what has come, and told what there is to tell.

use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::datagram_transport::DatagramTransport;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::guard::guarded;
use crate::reactor::owners::Owner;
use crate::source::datagram::{DATAGRAMS, DatagramEvent, Received};
use crate::source::stream::LONGEST_READ;
use crate::values::address::Address;
use crate::values::error::Error;
use crate::values::id::Id;
use crate::values::logging::DATAGRAM;
use crate::values::statistics::DatagramCounts;
use log::{debug, info};
use std::mem;

/// A callback that a datagram protocol is due.
enum Callback<'a> {
    StartProtocol,
    DatagramReceived(&'a [u8], &'a Address),
    DatagramTruncated(&'a [u8], &'a Address),
    ConnectionRefused,
    ErrorReceived(Error),
    PauseWriting,
    ResumeWriting,
    StopProtocol,
}

impl Callback<'_> {
    /// What the logs call it: the method's name.
    fn name(&self) -> &'static str {
        match self {
            Self::StartProtocol => "start_protocol",
            Self::DatagramReceived(..) => "datagram_received",
            Self::DatagramTruncated(..) => "datagram_truncated",
            Self::ConnectionRefused => "connection_refused",
            Self::ErrorReceived(_) => "error_received",
            Self::PauseWriting => "pause_writing",
            Self::ResumeWriting => "resume_writing",
            Self::StopProtocol => "stop_protocol",
        }
    }

    fn make(self, protocol: &mut dyn DatagramProtocol, transport: &mut DatagramTransport<'_>) {
        match self {
            Self::StartProtocol => protocol.start_protocol(transport),
            Self::DatagramReceived(data, sender) => {
                protocol.datagram_received(transport, data, sender);
            }
            Self::DatagramTruncated(data, sender) => {
                protocol.datagram_truncated(transport, data, sender);
            }
            Self::ConnectionRefused => protocol.connection_refused(transport),
            Self::ErrorReceived(error) => protocol.error_received(transport, error),
            Self::PauseWriting => protocol.pause_writing(transport),
            Self::ResumeWriting => protocol.resume_writing(transport),
            Self::StopProtocol => protocol.stop_protocol(transport),
        }
    }
}

impl Dispatcher {
    /// Gives a new socket its protocol. One that cannot even start is of no use.
    pub(super) fn start(&mut self, id: Id, protocol: Box<dyn DatagramProtocol>) {
        self.set_owner(id, Owner::Datagram(protocol));
        if self.call_datagram(id, Callback::StartProtocol).is_none() {
            self.context.close_datagram(id);
        }
    }

    /// Sends what waits, then receives until the socket is dry or the budget spent.
    pub(super) fn serve_datagrams(&mut self, id: Id, buffer: &mut [u8]) {
        self.context.flush_datagrams(id);
        self.run_pending();
        let Some(datagram) = self.context.sources.datagram_mut(id) else {
            return;
        };
        let most = datagram.max_size;
        if most < buffer.len() {
            return self.receive_datagrams(id, buffer);
        }
        // It is lent out while it is in use: callbacks may do anything to the socket meanwhile.
        let mut own = mem::take(&mut datagram.buffer);
        own.resize(most + 1, 0);
        self.receive_datagrams(id, &mut own);
        if let Some(datagram) = self.context.sources.datagram_mut(id) {
            datagram.buffer = own;
        }
    }

    fn receive_datagrams(&mut self, id: Id, buffer: &mut [u8]) {
        let mut bytes = LONGEST_READ;
        for _ in 0..DATAGRAMS {
            let Some(datagram) = self.context.sources.datagram_mut(id) else {
                return;
            };
            match datagram.receive(buffer) {
                Received::Datagram(arrived) => {
                    let (data, sender) = (&buffer[..arrived.length], &arrived.sender);
                    bytes = bytes.saturating_sub(data.len());
                    self.call_datagram(id, match arrived.truncated {
                        None => Callback::DatagramReceived(data, sender),
                        Some(length) => {
                            debug!(target: DATAGRAM, "{id} {length} bytes or more from {sender}");
                            Callback::DatagramTruncated(data, sender)
                        }
                    });
                }
                Received::Foreign => {
                    debug!(target: DATAGRAM, "{id} dropped what came before its peer")
                }
                Received::Error => self.context.handle_datagram(id),
                Received::Exhausted => {
                    self.context.handle_datagram(id);
                    self.run_pending();
                    return self.context.back_off_datagram(id);
                }
                Received::WouldBlock => return,
            }
            self.run_pending();
            if bytes == 0 {
                break;
            }
        }
        self.context.enqueue(id);
    }

    /// Tells a protocol the first of what has happened to its socket; the rest follows by another notice.
    pub(super) fn notify_datagram(&mut self, id: Id) {
        let Some(datagram) = self.context.sources.datagram_mut(id) else {
            return;
        };
        datagram.noticed = false;
        let Some(events) = datagram.next_event() else {
            return;
        };
        let callback = match events {
            DatagramEvent::Refused => Callback::ConnectionRefused,
            DatagramEvent::Failed(error) => Callback::ErrorReceived(error),
            DatagramEvent::Paused => Callback::PauseWriting,
            DatagramEvent::Resumed => Callback::ResumeWriting,
            DatagramEvent::Closed => return self.stop_datagram(id),
        };
        self.call_datagram(id, callback);
        self.context.handle_datagram(id);
    }

    fn stop_datagram(&mut self, id: Id) {
        if let Some(datagram) = self.context.sources.datagram_mut(id) {
            let DatagramCounts { received, sent, dropped, .. } = datagram.counts();
            info!(
                target: DATAGRAM,
                "{id} no longer receiving on {} ({received} datagrams in, {sent} out, {dropped} dropped)",
                datagram.address
            );
        }
        self.call_datagram(id, Callback::StopProtocol);
        self.free(id);
    }

    /// Calls a datagram protocol, under guard and watched. `None` if it has panicked.
    fn call_datagram(&mut self, id: Id, callback: Callback<'_>) -> Option<()> {
        let Some(Owner::Datagram(protocol)) = self.owners.get_mut(id) else {
            return Some(());
        };
        let name = callback.name();
        let mut transport = DatagramTransport::new(&mut self.context, id);
        let returned = guarded(|| callback.make(protocol.as_mut(), &mut transport));
        self.outcome(Some(id), |dispatcher| dispatcher.name_of(id), name, returned)
    }
}
