//! Reactors that stop on signals and when stdout fails.

use crate::output;
use ropewalk::{Error, Reactor, ReactorGroup};

/// Returns a reactor that stops gracefully on SIGINT and SIGTERM, and when stdout fails.
///
/// # Errors
///
/// Fails if the system provides no poll or no signal handler.
pub fn reactor() -> Result<Reactor, Error> {
    let mut reactor = Reactor::new()?;
    reactor.stop_on_signals()?;
    let handle = reactor.handle();
    // The call fails if the reactor has ended.
    output::on_failure(move || {
        let _ = handle.stop();
    });
    Ok(reactor)
}

/// Returns a group of reactors that stop like [`reactor`]'s.
///
/// # Errors
///
/// Fails if the system provides no poll, no signal handler or no thread.
pub fn group(reactors: usize) -> Result<ReactorGroup, Error> {
    let mut group = ReactorGroup::new(reactors)?;
    group.stop_on_signals()?;
    let handle = group.handle();
    // The call fails if the reactor has ended.
    output::on_failure(move || {
        let _ = handle.stop();
    });
    Ok(group)
}
