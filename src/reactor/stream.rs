//! Connections: reads within a budget, and callbacks of protocols.

use crate::api::context::Context;
use crate::api::protocol::Protocol;
use crate::api::transport::Transport;
use crate::reactor::call::Callee;
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::{Owner, Owners};
#[cfg(unix)]
use crate::source::stream::Passed;
use crate::source::stream::{Filled, Flow, Life, PeerSide, Producing};
use crate::source::stream::{READ_BUDGET, Reading, Stream};
use crate::values::id::Id;
use crate::values::journal::{Callback, RecordKind};
use crate::values::logging::TCP;
use crate::values::reason::Reason;
use log::{debug, info};

/// The least that a read takes from the budget. Each message with descriptors is read by itself, and one byte
/// is enough to pass them; 256 such reads spend the budget.
const LEAST: usize = READ_BUDGET / 256;

/// The protocol of a connection.
#[derive(Clone, Copy)]
pub(super) struct ProtocolOf {
    id: Id,
    /// The callback is `connection_lost`.
    is_last: bool,
}

impl ProtocolOf {
    #[inline(always)]
    pub(super) fn new(id: Id) -> Self {
        Self { id, is_last: false }
    }
}

impl Callee for ProtocolOf {
    type Object = dyn Protocol;
    type Face<'a> = Transport<'a>;

    fn id(&self) -> Option<Id> {
        Some(self.id)
    }

    #[inline(always)]
    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        match owners.get_mut(self.id)? {
            Owner::Protocol(protocol) => Some(protocol.as_mut()),
            _ => None,
        }
    }

    #[cfg(all(unix, feature = "process"))]
    #[cold]
    fn find_shared<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        owners.protocol_of_pipe(self.id)
    }

    fn type_name(&self, protocol: &dyn Protocol) -> &'static str {
        protocol.type_name()
    }

    #[inline(always)]
    fn lend<'a>(&self, context: &'a mut Context) -> Transport<'a> {
        context.begin_callback(self.id);
        Transport::new(context, self.id)
    }

    #[inline(always)]
    fn returned(&self, context: &mut Context) {
        context.send_gathered(self.id);
    }

    fn panicked(&self, context: &mut Context) {
        match self.is_last {
            true => context.drop_gathered(), // How the connection ended is decided.
            false => context.end_of_panic(self.id),
        }
        #[cfg(all(unix, feature = "process"))]
        context.end_process_of_pipe(self.id);
    }
}

impl Dispatcher {
    #[inline(never)]
    pub(super) fn read_on(&mut self, id: Id, filled: Filled, buffer: &mut [u8]) {
        self.note_filling(&filled, buffer);
        let budget = left(READ_BUDGET, self.handle_read(id, filled, buffer));
        self.serve_reading(id, buffer, budget);
    }

    /// A read that fills the buffer could have returned more in a larger one.
    pub(super) fn note_filling(&mut self, filled: &Filled, buffer: &[u8]) {
        self.filled_buffer |= matches!(filled, Filled::Data(count) if *count == buffer.len());
    }

    /// Reads and delivers until the socket would block or the budget is spent. No read returns more than what
    /// is left of the budget.
    pub(super) fn serve_reading(&mut self, id: Id, buffer: &mut [u8], mut budget: usize) {
        if self.is_filtered(id) {
            return self.serve_filtered(id, buffer, budget);
        }
        while let Some(stream) = self.context.sources.stream_mut(id)
            && stream.wants_read()
        {
            if budget == 0 {
                return self.context.enqueue(id);
            }
            let most = buffer.len().min(budget);
            #[cfg(unix)]
            if stream.is_unix() {
                budget = left(budget, self.read_unix(id, &mut buffer[..most]));
                if self.is_filtered(id) {
                    return self.context.enqueue(id); // The callback added a filter.
                }
                continue;
            }
            let filled = stream.fill(&mut buffer[..most]);
            self.note_filling(&filled, buffer);
            budget = left(budget, self.handle_read(id, filled, buffer));
            if self.is_filtered(id) {
                return self.context.enqueue(id); // The callback added a filter.
            }
        }
    }

    #[inline(always)]
    pub(super) fn deliver(&mut self, id: Id, data: &[u8]) {
        let callback = Callback::DataReceived.with(data.len());
        self.call(ProtocolOf::new(id), callback, |protocol, transport| {
            protocol.data_received(transport, data);
        });
        self.run_pending();
    }

    /// Delivers the data of a read, or handles a read that returned none. Returns the number of bytes.
    #[inline(always)]
    pub(super) fn handle_read(&mut self, id: Id, filled: Filled, buffer: &[u8]) -> usize {
        self.context.note_read(id, &filled);
        match filled {
            Filled::Data(count) => {
                self.deliver(id, &buffer[..count]);
                count
            }
            Filled::Discarded(count) => count,
            filled => {
                self.end_reading(id, filled);
                0
            }
        }
    }

    /// Reads once from a Unix socket, and delivers the data. Returns the number of bytes.
    #[cfg(unix)]
    #[inline(never)]
    pub(super) fn read_unix(&mut self, id: Id, buffer: &mut [u8]) -> usize {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return 0;
        };
        match stream.fill_unix(buffer) {
            (Filled::Data(count), Some(passed)) => {
                self.context.journal.received(id, count);
                self.deliver_passed(id, &buffer[..count], passed);
                count
            }
            (filled, _) => {
                self.note_filling(&filled, buffer);
                self.handle_read(id, filled, buffer)
            }
        }
    }

    /// Delivers data together with descriptors, even while reading is paused. Descriptors that are not
    /// delivered are closed.
    #[cfg(unix)]
    #[cold]
    pub(super) fn deliver_passed(&mut self, id: Id, data: &[u8], passed: Passed) {
        let Passed { descriptors, lost } = passed;
        if lost {
            log::warn!(target: TCP, "{id} received descriptors were lost: too many open files");
            self.context.descriptors_lost_on = Some(id);
            self.call(ProtocolOf::new(id), Callback::DescriptorsLost, |protocol, transport| {
                protocol.descriptors_lost(transport);
            });
            self.run_pending();
            self.context.descriptors_lost_on = None;
        }
        if self.context.sources.stream(id).is_some_and(|stream| !stream.is_closing()) {
            let callback = Callback::DescriptorsReceived.with(data.len());
            self.call(ProtocolOf::new(id), callback, |protocol, transport| {
                protocol.descriptors_received(transport, data, descriptors);
            });
            self.run_pending();
        }
    }

    /// Handles a read without data: the socket would block, has ended or has failed.
    #[cold]
    pub(super) fn end_reading(&mut self, id: Id, filled: Filled) {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        if let Some(reason) = stream.take_break() {
            self.context.end(id, reason);
            return self.run_pending();
        }
        match filled {
            Filled::Data(_) | Filled::Discarded(_) | Filled::WouldBlock => {}
            Filled::Eof if stream.is_closing() => {}
            Filled::Eof => self.notify_eof(id),
            Filled::Failed(error) => self.context.end(id, error.into()),
        }
        self.run_pending();
    }

    /// Notifies a protocol that reading was resumed. This happens in its own turn, not within the `resume`:
    /// two connections that resume each other would never end.
    pub(super) fn notify_resumed(&mut self, id: Id) {
        let stream = self.context.sources.stream_mut(id);
        let resumed = stream.is_some_and(|stream| {
            let resumed = stream.input.reading == Reading::Resumed && !stream.is_closing();
            if resumed {
                stream.input.reading = Reading::On;
            }
            resumed
        });
        if resumed {
            self.call(ProtocolOf::new(id), Callback::ReadingResumed, |protocol, transport| {
                protocol.reading_resumed(transport);
            });
        }
    }

    /// Notifies a protocol with paused reading that the peer has ended its side. The end itself is held back,
    /// as data is, since the protocol may have data of its own to deliver before it.
    pub(super) fn notify_early_eof(&mut self, id: Id) {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        if stream.has_unnoticed_eof() {
            stream.input.peer_side = PeerSide::Noticed;
            debug!(target: TCP, "{id} end of stream from the peer; reading is paused");
            self.call(ProtocolOf::new(id), Callback::EofNoticed, |protocol, transport| {
                protocol.eof_noticed(transport);
            });
            self.run_pending();
        }
    }

    pub(super) fn notify_eof(&mut self, id: Id) {
        debug!(target: TCP, "{id} end of stream from the peer");
        self.call(ProtocolOf::new(id), Callback::EofReceived, |protocol, transport| {
            protocol.eof_received(transport);
        });
        let stream = self.context.sources.stream_mut(id);
        if stream.is_some_and(|stream| stream.output.write_side.has_ended()) {
            // Both sides have ended, so the connection has.
            self.context.close(id);
        }
        self.context.end_if_broken(id);
    }

    /// Notifies a protocol that its queue has crossed a mark, and a push producer likewise.
    pub(super) fn notify_flow(&mut self, id: Id) {
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        // Checked again, since the queue may have changed while this callback was pending.
        if !stream.has_flow_to_notify() {
            return;
        }
        let paused = stream.output.flow != Flow::Paused;
        stream.output.flow = if paused { Flow::Paused } else { Flow::Even };
        // A closing protocol receives nothing more; its producer does, until it has finished.
        let (closing, pushes) = (stream.is_closing(), stream.output.producing == Producing::Push);
        if !closing && paused {
            self.call(ProtocolOf::new(id), Callback::PauseWriting, |protocol, transport| {
                protocol.pause_writing(transport);
            });
        } else if !closing {
            self.call(ProtocolOf::new(id), Callback::ResumeWriting, |protocol, transport| {
                protocol.resume_writing(transport);
            });
        }
        if pushes && paused {
            self.pause_producer(id);
        } else if pushes {
            self.resume_producer(id);
        }
    }

    /// Asks a protocol whether its connection stays open while the run stops, and closes it if not.
    pub(super) fn drain(&mut self, id: Id) {
        // Checked again, since it may have ended while this callback was pending.
        if !self.context.sources.stream(id).is_some_and(Stream::may_drain) {
            return;
        }
        let stays_open =
            self.call(ProtocolOf::new(id), Callback::Draining, |protocol, transport| {
                protocol.draining(transport)
            });
        let is_open = self.context.sources.stream(id).is_some_and(|stream| !stream.is_closing());
        if is_open && stays_open != Some(true) {
            self.context.close_because(id, Reason::Stopped);
        }
    }

    /// Notifies the protocol of a connection that has ended, then frees the slot.
    pub(super) fn notify_lost(&mut self, id: Id) {
        let now = self.context.now();
        // First, since a panic in it changes the reason.
        self.end_producing(id);
        let Some(stream) = self.context.sources.stream_mut(id) else {
            return;
        };
        let Life::Ended { reason, .. } = &mut stream.life else {
            return;
        };
        let reason = reason.take();
        if stream.in_handshake() {
            return self.notify_handshake_failed(id, reason);
        }
        let (peer, received, sent) = (&stream.peer, stream.traffic.received, stream.traffic.sent);
        let seconds = now.saturating_duration_since(stream.traffic.since).as_secs_f64();
        info!(
            target: TCP,
            "{id} {peer} lost: {reason} ({received} bytes in, {sent} out, {seconds:.3} s)"
        );
        self.end_connection(id, reason);
    }

    /// Makes the last callback of a connection, and frees its slot.
    pub(super) fn end_connection(&mut self, id: Id, reason: Reason) {
        self.context.totals.lost[reason.index()] += 1;
        self.context.journal.note(id, RecordKind::Lost, reason.index() as u16, 0);
        let last = ProtocolOf { id, is_last: true };
        self.call(last, Callback::ConnectionLost, |protocol, transport| {
            protocol.connection_lost(transport, reason);
        });
        #[cfg(all(unix, feature = "process"))]
        self.note_pipe_lost(id);
        self.free(id);
    }
}

/// Returns what a read of `count` bytes leaves of the budget.
pub(super) fn left(budget: usize, count: usize) -> usize {
    budget.saturating_sub(count.max(LEAST))
}
