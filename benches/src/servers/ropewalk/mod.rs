//! Ropewalk, on its public API: the echo of `ropewalk-protocols`, and a broadcast in two forms: by
//! chunks ([chunks]), as the peers that deliver bytes only, and by [lines], as the chat of the
//! guide and those of tokio and Twisted. The chat of the crate `ropewalk-chat` broadcasts as well.

mod chunks;
mod digest;
mod lines;

use super::listener::BACKLOG;
use super::{Served, Work, announce};
use digest::Digest;
use ropewalk::{Context, Error, ListenOptions, Port, Reactor, ReactorGroup};
use ropewalk_chat::Chat;
use ropewalk_protocols::Echo;
use std::net::SocketAddr;
use std::process;
use std::time::Duration;

/// How many bytes may be queued for a member of the chat: as many as in the broadcast.
const WAITING_LIMIT: usize = 64 * 1024 * 1024;

/// Serves until a signal arrives, then ends gracefully.
pub(super) fn serve(work: Work, address: SocketAddr) -> Served {
    run(|context| match work {
        Work::Echo => options().listen_tcp(context, address, || Echo),
        Work::Broadcast => options().listen_tcp(context, address, chunks::members()),
        Work::Digest => options().listen_tcp(context, address, Digest::default),
    })
}

/// Serves the broadcast on `LineReceiver`.
pub(super) fn serve_lines(_broadcast: Work, address: SocketAddr) -> Served {
    run(|context| options().listen_tcp(context, address, lines::members()))
}

/// Serves the chat of the crate `ropewalk-chat`, without its limits on the rate and on queued data.
pub(super) fn serve_chat(_broadcast: Work, address: SocketAddr) -> Served {
    let chat = Chat::new().without_flood_limit().write_limit(WAITING_LIMIT);
    run(|context| options().listen_tcp(context, address, chat.factory()))
}

/// Serves with a reactor for each available processor.
pub(super) fn serve_on_threads(work: Work, address: SocketAddr) -> Served {
    let mut group = ReactorGroup::for_each_processor()?;
    group.stop_on_signals()?;
    group.set_grace(Duration::ZERO);
    let port = match work {
        Work::Echo => options().listen_tcp_group(&mut group, address, |_member| || Echo)?,
        Work::Digest => {
            options().listen_tcp_group(&mut group, address, |_member| Digest::default)?
        }
        Work::Broadcast => return Err(super::refusal("ropewalk-threads", work)),
    };
    announce(port.address())?;
    group.run()?;
    process::exit(0)
}

fn run(listen: impl FnOnce(&mut Context) -> Result<Port, Error>) -> Served {
    let mut reactor = Reactor::new()?;
    reactor.stop_on_signals()?;
    // After a benchmark, queued data need not be sent.
    reactor.set_grace(Duration::ZERO);
    let port = listen(reactor.context())?;
    announce(port.address())?;
    reactor.run()?;
    process::exit(0)
}

fn options() -> ListenOptions {
    ListenOptions::new().backlog(BACKLOG.unsigned_abs())
}
