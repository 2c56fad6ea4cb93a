//! The arguments, and the run.

use crate::client::Connector;
use crate::clock::Clock;
use crate::session::Session;
use crate::terminal::Terminal;
use lexopt::{Parser, prelude::*};
use ropewalk::{Error, Reactor};
use ropewalk_protocols::Screen;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGQUIT, SIGWINCH};
use std::rc::Rc;
use std::time::Duration;
use support::Failure;

pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
    let (mut server, mut name, mut clock) = (None, None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(address) if server.is_none() => server = Some(address.string()?),
            Long("name") => name = Some(arguments.value()?.string()?),
            Long("timestamps") => clock = Some(Clock::local()),
            argument => return Err(support::other(argument)),
        }
    }
    support::log_from("warn");
    join(server.as_deref().unwrap_or("127.0.0.1:7001"), name, clock)
}

fn join(server: &str, name: Option<String>, clock: Option<Clock>) -> Result<(), Failure> {
    let mut reactor = support::reactor()?;
    // After Ctrl-C a user expects the end within a moment.
    reactor.set_grace(Duration::from_millis(500));
    // The terminal is restored when this and the handlers of the reactor are dropped, after a panic as well.
    let terminal = Terminal::take().map(Rc::new);
    let session = Rc::new(Session::new(clock));
    let (connector, screen) =
        Connector::new(name, &session, terminal.as_ref().map(|terminal| terminal.columns()));
    reactor.connect_tcp(server, connector)?;
    if let (Some(terminal), Some(screen)) = (terminal, screen) {
        Reactor::before_forced_end(terminal.restoring());
        watch(&mut reactor, &terminal, &screen)?;
    }
    reactor.run()?;
    match session.take_failure() {
        Some(message) => Err(Failure::Run(message)),
        None => Ok(()),
    }
}

/// Draws the row again when the window was resized, and when the shell has used the terminal. Stops in order on
/// signals that would leave the shell with a terminal without echo.
fn watch(reactor: &mut Reactor, terminal: &Rc<Terminal>, screen: &Screen) -> Result<(), Error> {
    for signal in [SIGWINCH, SIGCONT] {
        let (terminal, screen) = (Rc::clone(terminal), screen.clone());
        reactor.on_signal(signal, move |context| {
            if terminal.set_mode() {
                screen.set_columns(context, terminal.columns());
            }
        })?;
    }
    for signal in [SIGHUP, SIGQUIT] {
        reactor.on_signal(signal, |context| context.stop())?;
    }
    Ok(())
}
