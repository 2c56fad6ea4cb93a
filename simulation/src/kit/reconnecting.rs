//! A client under test that connects again.

use crate::kit::TestConnection;
use crate::kit::recording::ProtocolRecord;
use crate::net::SimulatedListener;
use std::cell::RefCell;
use std::rc::Rc;

/// How many connections may wait to be accepted.
pub(super) const BACKLOG: u32 = 128;

/// # Connecting again
impl TestConnection {
    /// The next connection that what is under test has made to the address of
    /// [`connecting`](Self::connecting) since: a client that connects again. `None` if there is none.
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
    /// The kit was given the factory of the first connection only: of the others it does not know the
    /// [`callbacks`](Self::callbacks), nor the [`reason`](Self::reason).
    ///
    /// # Panics
    ///
    /// If a callback does: see the [module](crate::kit).
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

    /// From now on attempts to connect to the address of [`connecting`](Self::connecting) are refused, until
    /// [`start_listening`](Self::start_listening). Connections that were not [accepted](Self::accept) are
    /// reset.
    pub fn stop_listening(&mut self) {
        let mut harness = self.harness.borrow_mut();
        if let Some((host, any, listener)) = harness.listener.take() {
            drop(listener);
            harness.refused = Some((host, any));
        }
        harness.settle();
    }

    /// Attempts to connect succeed again, after [`stop_listening`](Self::stop_listening).
    ///
    /// # Panics
    ///
    /// If a node of the test's own has taken the address meanwhile.
    pub fn start_listening(&mut self) {
        let harness = &mut *self.harness.borrow_mut();
        if let Some((host, any)) = harness.refused.take() {
            let net = harness.world.net();
            let listener = SimulatedListener::listen(net, host, &any, BACKLOG, &[]);
            harness.listener = Some((host, any, listener.expect("the address is free")));
        }
    }
}
