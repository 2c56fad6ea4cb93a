//! Ropewalk, on its public API alone: the echo of `ropewalk-protocols`, and a broadcast twice: by
//! [pieces], as those of the peers do who bring bytes only, and by [lines], as the
//! chat of our guide and those of tokio and Twisted do. The chat of the crate `ropewalk-chat` broadcasts as well.

mod digest;
mod lines;
mod pieces;

use super::listener::BACKLOG;
use super::{Served, Work, announce};
use digest::Digest;
use ropewalk::{Context, Error, ListenOptions, Port, Reactor, ReactorGroup};
use ropewalk_chat::Chat;
use ropewalk_protocols::Echo;
use std::net::SocketAddr;
use std::process;
use std::time::Duration;

/// How many bytes may wait for a member of the chat: as many as for one of a broadcast.
const WAITING_LIMIT: usize = 64 * 1024 * 1024;

/// Serves until a signal; then the process ends in order.
pub(super) fn serve(work: Work, address: SocketAddr) -> Served {
    run(|context| match work {
        Work::Echo => context.listen_tcp_with(address, &options(), || Echo),
        Work::Broadcast => context.listen_tcp_with(address, &options(), pieces::members()),
        Work::Digest => context.listen_tcp_with(address, &options(), Digest::default),
    })
}

/// The broadcast on `LineReceiver`.
pub(super) fn serve_lines(_broadcast: Work, address: SocketAddr) -> Served {
    run(|context| context.listen_tcp_with(address, &options(), lines::members()))
}

/// The chat of the crate `ropewalk-chat`, without the limits on how fast one may talk and how much may wait.
pub(super) fn serve_chat(_broadcast: Work, address: SocketAddr) -> Served {
    let chat = Chat::new().without_flood_limit().write_limit(WAITING_LIMIT);
    run(|context| context.listen_tcp_with(address, &options(), chat.factory()))
}

/// A reactor for each processor that we may use.
pub(super) fn serve_on_threads(work: Work, address: SocketAddr) -> Served {
    let mut group = ReactorGroup::for_each_processor()?;
    group.stop_on_signals()?;
    group.set_grace(Duration::ZERO);
    let port = match work {
        Work::Echo => group.listen_tcp_with(address, &options(), |_member| || Echo)?,
        Work::Digest => group.listen_tcp_with(address, &options(), |_member| Digest::default)?,
        Work::Broadcast => return Err(super::refusal("ropewalk-threads", work)),
    };
    announce(port.address())?;
    group.run()?;
    process::exit(0)
}

fn run(listen: impl FnOnce(&mut Context) -> Result<Port, Error>) -> Served {
    let mut reactor = Reactor::new()?;
    reactor.stop_on_signals()?;
    // Nobody misses what a stopped benchmark had still to send.
    reactor.set_grace(Duration::ZERO);
    let port = listen(reactor.context())?;
    announce(port.address())?;
    reactor.run()?;
    process::exit(0)
}

fn options() -> ListenOptions {
    ListenOptions::new().backlog(BACKLOG.unsigned_abs())
}
