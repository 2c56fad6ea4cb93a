//! The commands.

use crate::clients::Clients;
use crate::screen::screen;
use ropewalk::journal::{Cursor, What};
use ropewalk::{Address, Reactor, Step, TimerId};
use std::io;
use std::time::Duration;

/// The most steps that `until` makes: without clients nothing happens, however many steps are made.
const MOST_STEPS: usize = 10_000;

/// How long a wait lasts if there is no event.
const WAIT: Duration = Duration::from_millis(20);

const HELP: &str = "ENTER (next step), turn, until NAME, until #1.1, fire N, connect, send K TEXT, read K, \
                    end K, close K, quit";

/// A reactor that is stepped, with the program's clients.
pub(crate) struct Session {
    reactor: Reactor,
    address: Address,
    clients: Clients,
    cursor: Cursor,
}

impl Session {
    pub(crate) fn new(reactor: Reactor, address: Address) -> Self {
        Self { reactor, address, clients: Clients::default(), cursor: Cursor::default() }
    }

    /// Returns the first text.
    pub(crate) fn begin(&mut self) -> String {
        let address = self.address.clone();
        self.told(&format!("listening on {address}; try: connect, ENTER, ENTER"))
    }

    pub(crate) fn screen(&mut self) -> String {
        screen(&mut self.reactor)
    }

    /// Carries out a command. Returns what it printed; `None` at the end.
    pub(crate) fn obey(&mut self, line: &str) -> Option<String> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let done = match command {
            "" => self.step().map(|step| self.told(&step.to_string())),
            "turn" => self.turn(),
            "until" => self.until(rest),
            "fire" => Ok(self.fire(rest)),
            "help" => Ok(HELP.to_owned()),
            "quit" => return None,
            command => self.client(command, rest),
        };
        Some(done.unwrap_or_else(|error| format!("{error}\n")))
    }

    fn step(&mut self) -> io::Result<Step> {
        self.reactor.step(Some(WAIT)).map_err(io::Error::other)
    }

    fn turn(&mut self) -> io::Result<String> {
        let mut steps = 1;
        while self.step()? != Step::TurnEnded {
            steps += 1;
        }
        Ok(self.told(&format!("the turn ended after {steps} steps")))
    }

    /// Steps until a callback, or until a connection is served.
    fn until(&mut self, wanted: &str) -> io::Result<String> {
        let mut looked = Cursor::default();
        self.reactor.context().journal().read(&mut looked, |_| {});
        for steps in 1..=MOST_STEPS {
            let step = self.step()?;
            let mut found = match step {
                Step::Event(Some(id)) | Step::Ready(id) | Step::Flushed(id) => {
                    id.to_string() == wanted
                }
                _ => false,
            };
            self.reactor.context().journal().read(&mut looked, |record| {
                found |= matches!(record.what, What::Called(callback, _) if callback.name() == wanted);
            });
            if found {
                return Ok(self.told(&format!("found after {steps} steps: {step}")));
            }
            if step == Step::Waited(0) && steps > 3 {
                return Ok(self.told(&format!("nothing happens any more; no {wanted} was seen")));
            }
        }
        Ok(self.told(&format!("no {wanted} within {MOST_STEPS} steps")))
    }

    /// Has a timer due now.
    fn fire(&mut self, number: &str) -> String {
        let context = self.reactor.context();
        let wanted = format!("timer {number}");
        let timer =
            TimerId::all(context).into_iter().find(|(timer, _)| timer.to_string() == wanted);
        match timer {
            Some((timer, _)) if context.reset(timer, Duration::ZERO) => {
                format!("{timer} is due now; it fires in the next turn\n")
            }
            _ => format!("there is no {wanted}\n"),
        }
    }

    fn client(&mut self, command: &str, rest: &str) -> io::Result<String> {
        let (number, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let number = number.parse().unwrap_or(0);
        Ok(match command {
            "connect" => {
                let address = self.address.socket_addr().ok_or(io::ErrorKind::Unsupported)?;
                let number = self.clients.connect(address)?;
                format!("client {number} is connected, and waits to be accepted\n")
            }
            "send" => {
                self.clients.send(number, text)?;
                format!("client {number} has sent {} bytes\n", text.len() + 1)
            }
            "read" => {
                let (data, ended) = self.clients.read(number)?;
                let end = if ended { ", and the end of the stream" } else { "" };
                format!("client {number} has received \"{}\"{end}\n", data.escape_ascii())
            }
            "end" => {
                self.clients.end(number)?;
                format!("client {number} has ended its side\n")
            }
            "close" => {
                self.clients.close(number)?;
                format!("client {number} has closed\n")
            }
            other => format!("`{other}` is no command: {HELP}\n"),
        })
    }

    /// Returns a line with what was done, and the records since the last command.
    fn told(&mut self, done: &str) -> String {
        format!("{done}\n{}", self.records())
    }

    fn records(&mut self) -> String {
        let mut text = String::new();
        self.reactor.context().journal().read(&mut self.cursor, |record| {
            text.push_str(&format!("  {record}\n"));
        });
        text
    }
}
