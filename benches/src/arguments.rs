//! The command line.

use crate::Options;
use crate::load::{Shape, connect, echo, fan_out};
use crate::rows::{ROWS, Row};
use crate::servers::{SERVERS, Server, Work};
use lexopt::Parser;
use lexopt::prelude::*;
use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// How often each server is measured by default. Odd, so that the median is a measured value.
const ROUNDS: usize = 5;
/// The same with `--quick`, where all rows must take less than a minute.
const QUICK_ROUNDS: usize = 2;

/// What a run of this program does.
#[derive(Debug)]
pub(crate) enum Order {
    /// Prints the help text.
    Help,
    /// Measures these rows, and prints their tables.
    Measure { rows: Vec<&'static Row>, options: Options, markdown: bool },
    /// Serves until the process is killed.
    Serve(Serve),
    /// Puts load on a server for `duration`.
    Load { shape: Shape, address: SocketAddr, duration: Duration },
}

/// Options of `serve`.
#[derive(Debug)]
pub(crate) struct Serve {
    pub(crate) server: &'static Server,
    pub(crate) work: Work,
    pub(crate) address: SocketAddr,
    /// The only processors that the server may run on. Empty: all of them.
    pub(crate) processors: Vec<usize>,
    /// The server ends when the process that started it ends.
    pub(crate) attached: bool,
}

impl Work {
    /// Returns its name on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Broadcast => "broadcast",
            Self::Digest => "digest",
        }
    }

    fn from_word(word: &str) -> Result<Self, Box<dyn Error>> {
        let all = [Self::Echo, Self::Broadcast, Self::Digest];
        let found = all.into_iter().find(|work| work.word() == word);
        found
            .ok_or_else(|| format!("no work {word:?}; works are echo, broadcast and digest").into())
    }
}

/// Reads the command line of this program.
pub(crate) fn read(mut parser: Parser) -> Result<Order, Box<dyn Error>> {
    let mut words = Vec::new();
    let (mut markdown, mut quick, mut rounds, mut only) = (false, false, None, Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Order::Help),
            Long("quick") => quick = true,
            Long("markdown") => markdown = true,
            Long("rounds") => rounds = Some(parser.value()?.parse::<usize>()?.max(1)),
            Long("only") => {
                for name in parser.value()?.string()?.split(',') {
                    only.push(server(name)?.name.to_owned());
                }
            }
            Value(word) if words.is_empty() => match word.string()?.as_str() {
                "serve" => return serve(parser).map(Order::Serve),
                "load" => return load(parser),
                word => words.push(row(word)?),
            },
            Value(word) => words.push(row(&word.string()?)?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let rounds = rounds.unwrap_or(if quick { QUICK_ROUNDS } else { ROUNDS });
    // Leaked, since it is used until the program ends.
    let options = Options { quick, only: Vec::leak(only), rounds };
    let rows =
        ROWS.iter().filter(|row| words.is_empty() || words.iter().any(|it| it.name == row.name));
    Ok(Order::Measure { rows: rows.collect(), options, markdown })
}

/// Reads the arguments of `serve WORK HOST:PORT ...`.
fn serve(mut parser: Parser) -> Result<Serve, Box<dyn Error>> {
    let mut words = Vec::new();
    let (mut name, mut processors, mut attached) = ("ropewalk".to_owned(), Vec::new(), false);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("with") => name = parser.value()?.string()?,
            Long("on") => {
                for number in parser.value()?.string()?.split(',') {
                    processors.push(number.parse()?);
                }
            }
            Long("attached") => attached = true,
            Value(word) if words.len() < 2 => words.push(word.string()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let [work, address] = &words[..] else {
        return Err("usage: serve echo|broadcast|digest HOST:PORT".into());
    };
    let (work, address) = (Work::from_word(work)?, resolve(address)?);
    Ok(Serve { server: server(&name)?, work, address, processors, attached })
}

/// Reads the arguments of `load SHAPE HOST:PORT ...`.
fn load(mut parser: Parser) -> Result<Order, Box<dyn Error>> {
    let mut words = Vec::new();
    let (mut seconds, mut numbers) = (3.0, Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long(name) => {
                let name = name.to_owned();
                numbers.push((name, parser.value()?.parse::<usize>()?.max(1)));
            }
            Value(word) if words.len() < 2 => words.push(word.string()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let [shape, address] = &words[..] else {
        return Err("usage: load echo|digest|fan-out|connect HOST:PORT".into());
    };
    let (mut shape, address) = (shape_of(shape)?, resolve(address)?);
    for (name, number) in numbers {
        set(&mut shape, &name, number)?;
    }
    Ok(Order::Load { shape, address, duration: Duration::try_from_secs_f64(seconds)? })
}

/// Returns the load `name` with its default numbers.
fn shape_of(name: &str) -> Result<Shape, Box<dyn Error>> {
    match name {
        "echo" => Ok(Shape::Echo(echo::Shape::of_echoes(50, 64, 1))),
        "digest" => Ok(Shape::Echo(echo::Shape::of_digests(50))),
        "fan-out" => Ok(Shape::FanOut(fan_out::Shape {
            receivers: 200,
            senders: 10,
            lines: 16,
            names: false,
        })),
        "connect" => Ok(Shape::Connect(connect::Shape { connections: 64 })),
        _ => Err(format!("no load {name:?}; loads are echo, digest, fan-out and connect").into()),
    }
}

/// Sets one of the numbers of a load.
fn set(shape: &mut Shape, name: &str, number: usize) -> Result<(), Box<dyn Error>> {
    let place = match (shape, name) {
        (Shape::Echo(shape), "connections") => &mut shape.connections,
        (Shape::Echo(shape), "size") if shape.answer == echo::Answer::Itself => &mut shape.size,
        (Shape::Echo(shape), "deep") => &mut shape.deep,
        (Shape::FanOut(shape), "receivers") => &mut shape.receivers,
        (Shape::FanOut(shape), "senders") => &mut shape.senders,
        (Shape::FanOut(shape), "lines") => &mut shape.lines,
        (Shape::Connect(shape), "connections") => &mut shape.connections,
        _ => return Err(format!("this load has no --{name}").into()),
    };
    *place = number;
    Ok(())
}

/// Returns the server `name`.
fn server(name: &str) -> Result<&'static Server, Box<dyn Error>> {
    SERVERS.iter().find(|server| server.name == name).ok_or_else(|| {
        let names: Vec<_> = SERVERS.iter().map(|server| server.name).collect();
        format!("no server {name:?}; servers are: {}", names.join(", ")).into()
    })
}

/// Returns the row `name`.
fn row(name: &str) -> Result<&'static Row, Box<dyn Error>> {
    ROWS.iter().find(|row| row.name == name).ok_or_else(|| {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        format!("no command or row {name:?}; rows are: {}", names.join(", ")).into()
    })
}

/// Returns the first address of `HOST:PORT`.
fn resolve(text: &str) -> Result<SocketAddr, Box<dyn Error>> {
    let found =
        text.to_socket_addrs().map_err(|error| format!("no address {text:?}: {error}"))?.next();
    found.ok_or_else(|| format!("{text:?} has no address").into())
}
