//! The world outside: the poll, the clock and the sockets. Floor 1, and the seam of the house.
//!
//! Whatever the reactor learns from outside or does to it goes through the types of this folder and
//! through nothing else. They are concrete and thin, so the way to the real system costs nothing;
//! a simulated world enters here, as a second variant behind the same methods.

mod clock;
mod poll;
mod tcp;

pub(crate) use clock::Clock;
pub(crate) use poll::{Event, Poller, Readiness, Registrar, Waker};
pub(crate) use tcp::{TcpListener, TcpStream};
