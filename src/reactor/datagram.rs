//! Datagram sockets: receiving within a budget, and callbacks of datagram protocols.

use crate::api::context::Context;
use crate::api::datagram_protocol::DatagramProtocol;
use crate::api::datagram_transport::DatagramTransport;
use crate::reactor::call::Callee;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::{Owner, Owners};
use crate::source::datagram::{DATAGRAMS, DatagramEvent, DatagramOutcome};
use crate::source::stream::LONGEST_READ;
use crate::values::address::Address;
use crate::values::id::Id;
use crate::values::journal::Callback;
use crate::values::logging::DATAGRAM;
use crate::values::statistics::DatagramCounts;
use log::{debug, info};
use std::mem;

/// The protocol of a datagram socket.
#[derive(Clone, Copy)]
pub(super) struct DatagramProtocolOf(pub(super) Id);

impl Callee for DatagramProtocolOf {
    type Object = dyn DatagramProtocol;
    type Face<'a> = DatagramTransport<'a>;

    fn id(&self) -> Option<Id> {
        Some(self.0)
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        match owners.get_mut(self.0)? {
            Owner::Datagram(protocol) => Some(protocol.as_mut()),
            _ => None,
        }
    }

    fn type_name(&self, protocol: &dyn DatagramProtocol) -> &'static str {
        protocol.type_name()
    }

    fn lend<'a>(&self, context: &'a mut Context) -> DatagramTransport<'a> {
        DatagramTransport::new(context, self.0)
    }
}

impl Dispatcher {
    /// Sets the protocol of a new socket, and starts it. A socket is closed if its protocol cannot start.
    pub(super) fn start(&mut self, id: Id, protocol: Box<dyn DatagramProtocol>) {
        self.set_owner(id, Owner::Datagram(protocol));
        let started =
            self.call(DatagramProtocolOf(id), Callback::StartProtocol, |protocol, transport| {
                protocol.start_protocol(transport);
            });
        if started.is_none() {
            self.context.close_datagram(id);
        }
    }

    /// Sends the queued datagrams, then receives until the socket would block or the budget is spent.
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
                DatagramOutcome::Datagram(arrived) => {
                    let (data, sender) = (&buffer[..arrived.length], &arrived.sender);
                    bytes = bytes.saturating_sub(data.len());
                    self.context.journal.received(id, data.len());
                    self.deliver_datagram(id, data, sender, arrived.truncated);
                }
                DatagramOutcome::Foreign => {
                    debug!(target: DATAGRAM, "{id} dropped a datagram received before `connect`")
                }
                DatagramOutcome::Error => self.context.handle_datagram(id),
                DatagramOutcome::Exhausted => {
                    self.context.handle_datagram(id);
                    self.run_pending();
                    return self.context.back_off_datagram(id);
                }
                DatagramOutcome::WouldBlock => return,
            }
            self.run_pending();
            if bytes == 0 {
                break;
            }
        }
        self.context.enqueue(id);
    }

    /// Delivers a datagram. `truncated` is its length if the buffer was too small for it.
    fn deliver_datagram(
        &mut self,
        id: Id,
        data: &[u8],
        sender: &Address,
        truncated: Option<usize>,
    ) {
        let of = DatagramProtocolOf(id);
        if let Some(length) = truncated {
            debug!(target: DATAGRAM, "{id} {length} bytes or more from {sender}");
            self.call(of, Callback::DatagramTruncated.with(data.len()), |protocol, transport| {
                protocol.datagram_truncated(transport, data, sender);
            });
        } else {
            self.call(of, Callback::DatagramReceived.with(data.len()), |protocol, transport| {
                protocol.datagram_received(transport, data, sender);
            });
        }
    }

    /// Notifies a protocol of the first event of its socket. The others stay pending.
    pub(super) fn notify_datagram(&mut self, id: Id) {
        let Some(datagram) = self.context.sources.datagram_mut(id) else {
            return;
        };
        datagram.callback_pending = false;
        let Some(event) = datagram.next_event() else {
            return;
        };
        let of = DatagramProtocolOf(id);
        match event {
            DatagramEvent::Refused => {
                self.call(of, Callback::ConnectionRefused, |protocol, transport| {
                    protocol.connection_refused(transport);
                });
            }
            DatagramEvent::Failed(error) => {
                self.call(of, Callback::ErrorReceived, |protocol, transport| {
                    protocol.error_received(transport, error);
                });
            }
            DatagramEvent::Paused => {
                self.call(of, Callback::PauseWriting, |protocol, transport| {
                    protocol.pause_writing(transport);
                });
            }
            DatagramEvent::Resumed => {
                self.call(of, Callback::ResumeWriting, |protocol, transport| {
                    protocol.resume_writing(transport);
                });
            }
            DatagramEvent::Closed => return self.stop_datagram(id),
        }
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
        self.call(DatagramProtocolOf(id), Callback::StopProtocol, |protocol, transport| {
            protocol.stop_protocol(transport);
        });
        self.free(id);
    }
}
