//! Clients under test that connect again.

use crate::kit::TestConnection;
use crate::kit::recording::ProtocolRecord;
use crate::net::SimulatedListener;
use std::cell::RefCell;
use std::rc::Rc;

/// The length of the listener's queue.
pub(super) const BACKLOG: u32 = 128;

/// # Connecting again
impl TestConnection {
    /// Returns the next connection that the code under test has made to the address of
    /// [`connecting`](Self::connecting), such as that of a client that connects again. `None` if there is none.
    ///
    /// ```
    /// use ropewalk::{Protocol, Reason, Transport};
    /// use ropewalk_simulation::kit::TestConnection;
    /// use std::time::Duration;
    ///
    /// /// Connects again, a second after it has lost the connection.
    /// struct Faithful;
    ///
    /// impl Protocol for Faithful {
    ///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
    ///         transport.write(b"hello\r\n");
    ///     }
    ///
    ///     fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
    ///
    ///     fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: Reason) {
    ///         let server = transport.peer();
    ///         transport.context().call_later(Duration::from_secs(1), |context| {
    ///             context.connect_tcp(server, || Faithful).expect("an address in digits");
    ///         });
    ///     }
    /// }
    ///
    /// let mut first = TestConnection::connecting(|| Faithful);
    /// first.hang_up();
    /// assert!(first.accept().is_none());
    /// first.advance(Duration::from_secs(1));
    /// let mut second = first.accept().expect("it has connected again");
    /// assert_eq!(second.take_text(), "hello\r\n");
    /// ```
    ///
    /// The kit has only the factory of the first connection. [`callbacks`](Self::callbacks) and
    /// [`reason`](Self::reason) of the others are empty.
    ///
    /// # Panics
    ///
    /// If a callback panics: see the [module](crate::kit).
    pub fn accept(&mut self) -> Option<Self> {
        let mut harness = self.harness.borrow_mut();
        let stream = harness.listener.as_ref()?.2.accept_for_test().ok()?;
        let id = stream.peer_id();
        let end = harness.add_end(stream);
        harness.settle();
        drop(harness);
        let record = Rc::new(RefCell::new(ProtocolRecord { id, ..ProtocolRecord::default() }));
        Some(Self::of(Rc::clone(&self.harness), self.node, end, record))
    }

    /// Refuses connections to the address of [`connecting`](Self::connecting) until
    /// [`start_listening`](Self::start_listening). Connections that were not [accepted](Self::accept) are reset.
    pub fn stop_listening(&mut self) {
        let mut harness = self.harness.borrow_mut();
        if let Some((host, any, listener)) = harness.listener.take() {
            drop(listener);
            harness.refused = Some((host, any));
        }
        harness.settle();
    }

    /// Accepts connections again, after [`stop_listening`](Self::stop_listening).
    ///
    /// # Panics
    ///
    /// If another node of the test has taken the address meanwhile.
    pub fn start_listening(&mut self) {
        let harness = &mut *self.harness.borrow_mut();
        if let Some((host, any)) = harness.refused.take() {
            let net = harness.world.net();
            let listener = SimulatedListener::listen(net, host, &any, BACKLOG, &[]);
            harness.listener = Some((host, any, listener.expect("the address is free")));
        }
    }
}
