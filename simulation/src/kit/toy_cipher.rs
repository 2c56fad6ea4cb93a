//! The toy cipher: a filter for tests that behaves as TLS does, without its secrecy.

use ropewalk::{Filter, FilterLink};
use std::io;

/// The most bytes of plaintext in a frame: small, so that tests send many frames.
const FRAME: usize = 1000;

/// The most bytes of plaintext that are delivered in a call: less than a frame, so that the cipher has to be called
/// again.
const PIECE: usize = 700;

/// The number of received frames of data after which the cipher sends a message of its own, as TLS updates keys.
const KEY_FRAMES: u64 = 16;

/// The length of a frame's header: a kind, a length and a checksum.
const HEADER: usize = 5;

const HELLO: u8 = 1;
const DATA: u8 = 2;
const KEY: u8 = 3;
const ALERT: u8 = 4;
const GOODBYE: u8 = 5;

const GREETING: &[u8] = b"toy cipher";

/// A [`Filter`] that behaves as TLS does and hides nothing: for tests of what lies above filters and below them.
///
/// - The handshake takes a round trip: the client's hello, and the server's answer. A client and a server with different
///   keys fail, the server after an alert, the client on receiving it.
/// - Data is in frames, each with a header, a checksum and bytes that depend on the place in the stream. So lengths
///   change, and a byte that is lost, repeated or out of place is an error.
/// - More is decoded than is delivered in one call, and messages are sent without a write.
/// - A close is announced. A stream that ends without that is reported as
///   [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
///
/// ```
/// use ropewalk::{ConnectOptions, ListenOptions};
/// use ropewalk_simulation::kit::ToyCipher;
///
/// let listen = ListenOptions::new().filter(|| ToyCipher::server(7));
/// let connect = ConnectOptions::new().filter(|| ToyCipher::client(7));
/// ```
#[derive(Debug)]
pub struct ToyCipher {
    key: u64,
    is_client: bool,
    established: bool,
    /// True if the peer has sent its goodbye.
    ended: bool,
    /// The numbers of bytes of payload that were sent and received.
    sent: u64,
    received: u64,
    /// The number of frames of data that were received.
    frames: u64,
    /// Decoded bytes that were not delivered yet.
    held: Vec<u8>,
}

impl ToyCipher {
    /// Returns the client's end, which sends the first message.
    #[must_use]
    pub fn client(key: u64) -> Self {
        Self {
            key,
            is_client: true,
            established: false,
            ended: false,
            sent: 0,
            received: 0,
            frames: 0,
            held: Vec::new(),
        }
    }

    /// Returns the server's end.
    #[must_use]
    pub fn server(key: u64) -> Self {
        Self { is_client: false, ..Self::client(key) }
    }

    fn send(&mut self, kind: u8, payload: &[u8], link: &mut FilterLink<'_>) {
        let length = payload.len() as u16; // A frame is shorter than that.
        let mut frame = vec![kind];
        frame.extend(length.to_be_bytes());
        frame.extend(checksum(payload).to_be_bytes());
        let direction = u64::from(self.is_client);
        for byte in payload {
            frame.push(byte ^ pad(self.key, direction, self.sent));
            self.sent += 1;
        }
        link.send(&frame);
    }

    /// Decrypts the payload of a frame.
    fn open(&mut self, payload: &[u8], sum: u16) -> io::Result<Vec<u8>> {
        let direction = u64::from(!self.is_client);
        let start = self.received;
        let place = |index: usize| pad(self.key, direction, start + index as u64);
        let plain: Vec<u8> = payload.iter().enumerate().map(|(i, b)| b ^ place(i)).collect();
        self.received += payload.len() as u64;
        match checksum(&plain) == sum {
            true => Ok(plain),
            false => Err(invalid("a frame has a wrong checksum")),
        }
    }

    fn take(&mut self, kind: u8, plain: &[u8], link: &mut FilterLink<'_>) -> io::Result<()> {
        match kind {
            HELLO if !self.established && plain == GREETING => {
                if !self.is_client {
                    self.send(HELLO, GREETING, link);
                }
                self.established = true;
                link.establish();
            }
            DATA if self.established => {
                self.held.extend_from_slice(plain);
                self.frames += 1;
                if self.frames.is_multiple_of(KEY_FRAMES) {
                    self.send(KEY, b"next", link);
                }
            }
            KEY if self.established => {}
            ALERT => return Err(invalid("the peer sent an alert")),
            GOODBYE if self.established => self.ended = true,
            _ => return Err(invalid("a frame was not expected here")),
        }
        Ok(())
    }

    /// Delivers some of the decoded bytes, and after them the end.
    fn deliver(&mut self, link: &mut FilterLink<'_>) {
        let count = self.held.len().min(PIECE).min(link.room());
        link.deliver(&self.held[..count]);
        self.held.drain(..count);
        if !self.held.is_empty() {
            link.call_again();
        } else if self.ended {
            link.end();
        }
    }
}

impl Filter for ToyCipher {
    fn start(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        if self.is_client {
            self.send(HELLO, GREETING, link);
        }
        Ok(())
    }

    fn decode(&mut self, input: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        let mut consumed = 0;
        while self.held.is_empty()
            && !self.ended
            && let Some(&[kind, high, low, sum_high, sum_low]) =
                input.get(consumed..).and_then(|rest| rest.first_chunk::<HEADER>())
        {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let sum = u16::from_be_bytes([sum_high, sum_low]);
            if length > FRAME {
                self.send(ALERT, &[], link);
                return Err(invalid("a frame is too long"));
            }
            let Some(payload) = input[consumed + HEADER..].get(..length) else {
                break;
            };
            consumed += HEADER + length;
            let taken = self.open(payload, sum).and_then(|plain| self.take(kind, &plain, link));
            if let Err(error) = taken {
                if kind != ALERT {
                    self.send(ALERT, &[], link);
                }
                return Err(error);
            }
        }
        self.deliver(link);
        Ok(consumed)
    }

    fn encode(&mut self, plaintext: &[u8], link: &mut FilterLink<'_>) -> io::Result<usize> {
        for piece in plaintext.chunks(FRAME) {
            self.send(DATA, piece, link);
        }
        Ok(plaintext.len())
    }

    fn close(&mut self, link: &mut FilterLink<'_>) -> io::Result<()> {
        self.send(GOODBYE, &[], link);
        Ok(())
    }

    fn eof(&mut self, _link: &mut FilterLink<'_>) -> io::Result<()> {
        let text = "the stream ended without a goodbye frame";
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, text))
    }
}

/// Returns the byte that encrypts the byte at a place of the stream.
fn pad(key: u64, direction: u64, place: u64) -> u8 {
    let mixed = (key << 1 | direction).wrapping_add(place).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as u8
}

fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(1, |sum, &byte| sum.wrapping_mul(31).wrapping_add(u16::from(byte)))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
