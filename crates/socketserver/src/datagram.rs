//! Servers of datagrams: a handler for each, on a thread of the reactor's pool.

use crate::handler::{DatagramRequestHandler, HandlerError};
use crate::running::Running;
use log::{debug, warn};
use ropewalk::{Address, DatagramProtocol, DatagramTransport, call_in_thread};
use std::cell::Cell;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// One datagram, and the answer to it: what is written is sent as one datagram after the handler has returned.
#[derive(Debug)]
pub struct DatagramRequest {
    data: Vec<u8>,
    sender: Address,
    answer: Option<Vec<u8>>,
}

impl DatagramRequest {
    /// Returns the received bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns the address of the sender.
    #[doc(alias = "client_address")]
    pub fn sender(&self) -> &Address {
        &self.sender
    }
}

impl io::Write for DatagramRequest {
    /// Adds to the answer. An answer that is longer than a datagram may be (65,507 bytes over UDP) is lost when it is
    /// sent. Writing no bytes makes an empty answer.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.answer.get_or_insert_default().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A [`DatagramProtocol`] that serves each datagram by a [`DatagramRequestHandler`], on a thread of the reactor's pool.
///
/// Datagrams for which there is no place in the pool's queue are dropped, as the system drops them when its own
/// queue is full. A handler that fails or panics sends nothing. A stop of the reactor waits for handlers and sends
/// their answers, within the [grace period](ropewalk::Reactor::set_grace); those that have not ended are named in the log.
///
/// ```
/// use ropewalk::Reactor;
/// use ropewalk_socketserver::{DatagramRequest, DatagramRequestHandler, DatagramServer};
/// use std::io::{self, Write};
///
/// struct Length;
///
/// impl DatagramRequestHandler for Length {
///     fn handle(&mut self, request: &mut DatagramRequest) -> io::Result<()> {
///         let length = request.data().len();
///         write!(request, "{length} bytes")
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// reactor.context().listen_udp("127.0.0.1:0", DatagramServer::new(|| Length))?;
/// # reactor.context().stop();
/// # reactor.run()?;
/// # Ok::<(), ropewalk::Error>(())
/// ```
#[doc(alias = "UDPServer")]
#[doc(alias = "ThreadingUDPServer")]
pub struct DatagramServer<H> {
    make: Box<dyn Fn() -> H>,
    pub(crate) running: Running,
    /// The number of requests that are over.
    pub(crate) served: Rc<Cell<u64>>,
}

impl<H: DatagramRequestHandler> DatagramServer<H> {
    /// Makes a protocol. `make` is called for each datagram, on the reactor's thread.
    pub fn new(make: impl Fn() -> H + 'static) -> Self {
        Self { make: Box::new(make), running: Running::default(), served: Rc::default() }
    }
}

impl<H: DatagramRequestHandler> DatagramProtocol for DatagramServer<H> {
    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        let (handler, id) = ((self.make)(), transport.id());
        let (sender, served) = (sender.clone(), Rc::clone(&self.served));
        let request = DatagramRequest { data: data.to_vec(), sender: sender.clone(), answer: None };
        let running = self.running.begin(transport.context(), sender.to_string());
        let work = move || {
            let _running = running;
            answer(handler, request)
        };
        let started = call_in_thread(transport.context(), work, move |context, answer| {
            served.set(served.get() + 1);
            match answer {
                Ok(Ok(Some(answer))) => context.datagram(id).send_to(&answer, sender),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => warn!("the handler of {sender} failed: {error}"),
                Err(panic) => warn!("the handler of {sender} failed: {panic}"),
            }
        });
        if let Err(error) = started {
            self.served.set(self.served.get() + 1);
            debug!("a datagram was dropped: {error}");
        }
    }
}

fn answer<H: DatagramRequestHandler>(
    mut handler: H,
    mut request: DatagramRequest,
) -> Result<Option<Vec<u8>>, HandlerError> {
    match catch_unwind(AssertUnwindSafe(|| handler.handle(&mut request))) {
        Ok(Ok(())) => Ok(request.answer),
        Ok(Err(error)) => Err(HandlerError::Failed(error)),
        Err(panic) => Err(HandlerError::of_panic(&*panic)),
    }
}

impl<H> fmt::Debug for DatagramServer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramServer").finish_non_exhaustive()
    }
}
