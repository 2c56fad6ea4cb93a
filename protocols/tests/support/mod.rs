//! A reactor with turns that are run by hand, and clients in the same thread. No test sleeps.

#![allow(dead_code)] // Each test program uses a part of it.

use ropewalk::{Factory, Protocol, Reactor, Transport};
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Much longer than any test takes, so that a broken test ends.
const DEADLINE: Duration = Duration::from_secs(10);

/// Runs turns until `condition` is true.
#[track_caller]
pub(crate) fn turn_until(reactor: &mut Reactor, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "the condition was not met in time");
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
}

/// Returns a reactor that listens, and its address.
pub(crate) fn listening(factory: impl Factory) -> (Reactor, ropewalk::Address) {
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", factory).unwrap();
    let address = port.address().clone();
    (reactor, address)
}

/// A non-blocking client that keeps all received data.
pub(crate) struct Client {
    stream: Option<TcpStream>,
    pub(crate) received: Vec<u8>,
    /// Why no more data can arrive: `None` while it can.
    pub(crate) ended: Option<ErrorKind>,
}

impl Client {
    pub(crate) fn connect(address: &ropewalk::Address) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream: Some(stream), received: Vec::new(), ended: None }
    }

    /// Limits the client's receive buffer, which would grow to megabytes.
    pub(crate) fn take_little(&mut self) {
        socket2::SockRef::from(&*self.stream()).set_recv_buffer_size(16 * 1024).unwrap();
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        self.stream.as_mut().unwrap()
    }

    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
    }

    /// Sends all of `data`, running turns while it would block.
    #[track_caller]
    pub(crate) fn send(&mut self, reactor: &mut Reactor, data: impl AsRef<[u8]>) {
        let mut data = data.as_ref();
        turn_until(reactor, || {
            data = &data[self.send_some(data)..];
            data.is_empty()
        });
    }

    /// Sends as much as possible without blocking. Returns the number of bytes.
    pub(crate) fn send_some(&mut self, data: &[u8]) -> usize {
        match self.stream().write(data) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads all available data.
    pub(crate) fn read(&mut self) {
        let Some(stream) = self.stream.as_mut().filter(|_| self.ended.is_none()) else {
            return;
        };
        match stream.read_to_end(&mut self.received) {
            Ok(_) => self.ended = Some(ErrorKind::UnexpectedEof),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.ended = Some(error.kind()),
        }
    }

    pub(crate) fn text(&mut self) -> String {
        self.read();
        String::from_utf8(self.received.clone()).unwrap()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.read();
        self.ended.is_some()
    }
}

/// Calls `body` with a real transport, so that it can drive protocols by hand.
#[track_caller]
pub(crate) fn with_transport<T: 'static>(
    body: impl FnOnce(&mut Transport<'_>) -> T + 'static,
) -> T {
    struct Lend<F, T>(Option<F>, Rc<RefCell<Option<T>>>);

    impl<T: 'static, F: FnOnce(&mut Transport<'_>) -> T + 'static> Protocol for Lend<F, T> {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            let body = self.0.take().unwrap();
            *self.1.borrow_mut() = Some(body(transport));
            transport.context().stop();
        }

        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

        fn connection_lost(&mut self, transport: &mut Transport<'_>, _reason: ropewalk::Reason) {
            transport.context().stop();
        }
    }

    let result = Rc::new(RefCell::new(None));
    let (mut body, slot) = (Some(body), result.clone());
    let (mut reactor, address) = listening(move || Lend(body.take(), slot.clone()));
    reactor.set_slow_callback_duration(DEADLINE * 6);
    // The client stays connected until the end, and the stop does not wait for it.
    reactor.set_grace(Duration::ZERO);
    let _client = TcpStream::connect(address).unwrap();
    reactor.run().unwrap();
    result.take().expect("the body panicked: see above")
}
