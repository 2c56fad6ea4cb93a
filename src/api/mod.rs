//! The interface that users call and implement.

#[cfg(unix)]
pub(crate) mod adopt;
#[cfg(test)]
mod advice_tests;
pub(crate) mod blocking_call;
pub(crate) mod channel;
pub(crate) mod close;
pub(crate) mod connector;
pub(crate) mod context;
#[cfg(all(unix, feature = "credentials"))]
mod credentials;
pub(crate) mod datagram;
pub(crate) mod datagram_protocol;
pub(crate) mod datagram_transport;
#[cfg(unix)]
mod detach;
pub(crate) mod discard;
pub(crate) mod end;
pub(crate) mod factory;
#[cfg(unix)]
pub(crate) mod fd_passing;
pub(crate) mod file_sender;
pub(crate) mod filter;
pub(crate) mod flow;
pub(crate) mod gather;
pub(crate) mod handle;
#[cfg(all(unix, feature = "systemd"))]
pub(crate) mod inherited;
pub(crate) mod journal;
mod lingering;
pub(crate) mod listener;
pub(crate) mod multicast;
pub(crate) mod names;
pub(crate) mod options;
#[cfg(unix)]
pub(crate) mod pipes;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod process;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod process_protocol;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod process_run;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod process_transport;
pub(crate) mod producer;
pub(crate) mod protocol;
pub(crate) mod race;
pub(crate) mod raw;
pub(crate) mod ready;
pub(crate) mod send;
#[cfg(feature = "signals")]
pub(crate) mod signals;
pub(crate) mod statistics;
pub(crate) mod stream;
pub(crate) mod thread_job;
pub(crate) mod timer;
mod timer_list;
pub(crate) mod transport;
pub(crate) mod trigger;
#[cfg(unix)]
pub(crate) mod unix;
#[cfg(unix)]
pub(crate) mod unix_datagram;
#[cfg(unix)]
pub(crate) mod watch;
