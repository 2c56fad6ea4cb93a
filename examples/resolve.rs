//! Looks names up, all at the same time, and prints their addresses as they arrive.
//!
//!     cargo run --example resolve example.org:443 localhost:http
//!
//! A clock ticks meanwhile, since a look-up does not block the reactor. If a name is not found, the program prints
//! the reason and its exit code is 1.
//!
//! Options:
//!
//!     HOST:PORT  a name, with the number of a port or the name of a service; any number of them
//!     --demo     names of a resolver of the program's own, without a network; one has no address
//!     --help     this text

use lexopt::prelude::*;
use ropewalk::{Answer, Context, Reactor};
use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};
use support::{Failure, say};

const TICK: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    support::main(include_str!("resolve.rs"), |mut arguments| {
        let (mut names, mut demo) = (Vec::new(), false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Value(name) => names.push(name.string()?),
                Long("demo") => demo = true,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let mut reactor = support::reactor()?;
        if demo {
            reactor.set_resolver(demo_resolver);
            names.extend(["quick.test:80", "slow.test:80", "empty.test:80"].map(String::from));
            resolve_all(&mut reactor, names)?;
            return Ok(());
        }
        if names.is_empty() {
            return Err(Failure::Usage("HOST:PORT is missing".to_owned()));
        }
        match resolve_all(&mut reactor, names)? {
            0 => Ok(()),
            failed => Err(Failure::Run(format!("{failed} of the names were not found"))),
        }
    })
}

/// Looks all names up. Returns how many were not found.
fn resolve_all(reactor: &mut Reactor, names: Vec<String>) -> Result<usize, Failure> {
    say(format_args!("this host is {}", reactor.host_name()?));
    let (begin, failed) = (Instant::now(), Rc::new(Cell::new(0)));
    let left = Rc::new(Cell::new(names.len()));
    for name in names {
        let (failed, left) = (Rc::clone(&failed), Rc::clone(&left));
        let target = name.clone();
        reactor.context().resolve(name, move |context, found| {
            let milliseconds = begin.elapsed().as_millis();
            match found {
                Ok(addresses) => {
                    say(format_args!("{target} is {addresses:?}, after {milliseconds} ms"))
                }
                Err(error) => {
                    failed.set(failed.get() + 1);
                    say(format_args!("{error}"));
                }
            }
            left.set(left.get() - 1);
            if left.get() == 0 {
                context.stop();
            }
        })?;
    }
    reactor.context().call_later(TICK, tick);
    reactor.run()?;
    Ok(failed.get())
}

fn tick(context: &mut Context) {
    say(format_args!("tick"));
    context.call_later(TICK, tick);
}

/// Answers at once, after a moment from a thread, or without an address. The system has all other names.
fn demo_resolver(_context: &mut Context, host: &str, port: u16, answer: Answer) -> Option<Answer> {
    match host {
        "quick.test" => answer.succeed([([127, 0, 0, 1], port).into()]),
        "slow.test" => {
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(250)); // As a distant name server.
                answer.succeed([([127, 0, 0, 1], port).into(), ([127, 0, 0, 2], port).into()]);
            });
        }
        "empty.test" => answer.end(),
        _ => return Some(answer),
    }
    None
}
