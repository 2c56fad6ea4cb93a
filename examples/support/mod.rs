//! What these programs share: how they begin, what they print, what they answer to `--help`, and how they
//! end.

mod files;
mod output;
mod queue;
#[cfg(feature = "signals")]
mod running;

#[allow(unused_imports)] // Not every program needs all of them.
pub(crate) use files::open;
#[allow(unused_imports)]
pub(crate) use output::{complain, copy, finish, log_from, say, show};
#[cfg(feature = "signals")]
#[allow(unused_imports)]
pub(crate) use running::{before_forced_end, group, reactor};

use lexopt::{Arg, Parser, ValueExt};
use ropewalk::Address;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

/// The most reactors that a group may have. More than processors are of no use, and each takes several
/// descriptors, of which a process has 1,024 by default.
const MOST_REACTORS: u32 = 128;

/// Why a program ends before its work is done.
pub(crate) enum Failure {
    /// It was only asked for help.
    Help,
    /// Its stdout takes no more.
    Output(Arc<io::Error>),
    /// Something went wrong.
    Run(String),
    /// It was called in a way it does not understand.
    Usage(String),
}

impl Failure {
    pub(crate) fn output(error: io::Error) -> Self {
        Self::Output(Arc::new(error))
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Run(error.to_string())
    }
}

impl From<ropewalk::Error> for Failure {
    fn from(error: ropewalk::Error) -> Self {
        Self::Run(error.to_string())
    }
}

/// Runs `program`; the header of its `source` is what `--help` prints.
pub(crate) fn main(source: &str, program: impl FnOnce(Parser) -> Result<(), Failure>) -> ExitCode {
    let ended = match program(Parser::from_env()) {
        Err(Failure::Help) => show(format_args!("{}", header(source))),
        ended => ended,
    };
    // If the output fails, whatever else has failed did so because of that.
    let code = report(finish().and(ended));
    output::finish_log();
    code
}

fn report(ended: Result<(), Failure>) -> ExitCode {
    match ended {
        Ok(()) | Err(Failure::Help) => return ExitCode::SUCCESS,
        // The reader has seen enough (`| head -1`).
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Err(Failure::Output(error)) => {
            complain(format_args!("error: cannot write to the output: {error}"));
        }
        Err(Failure::Run(message)) => complain(format_args!("error: {message}")),
        Err(Failure::Usage(message)) => {
            complain(format_args!("error: {message}; --help lists the options"));
            return ExitCode::from(2);
        }
    }
    ExitCode::FAILURE
}

/// For every argument that a program has no use for: `--help`, and those that are wrong.
pub(crate) fn other(argument: Arg<'_>) -> Failure {
    match argument {
        Arg::Long("help") | Arg::Short('h') => Failure::Help,
        argument => argument.unexpected().into(),
    }
}

/// Takes an argument that may be given once.
#[allow(dead_code)] // Not every program takes one.
pub(crate) fn once(place: &mut Option<OsString>, value: OsString) -> Result<(), Failure> {
    match place {
        None => *place = Some(value),
        Some(_) => return Err(other(Arg::Value(value))),
    }
    Ok(())
}

/// The address that was given, or the usual one.
#[allow(dead_code)] // Not every program takes one.
pub(crate) fn address(given: Option<OsString>, usual: &str) -> Result<String, lexopt::Error> {
    given.map_or_else(|| Ok(usual.to_owned()), ValueExt::string)
}

/// Where clients on this machine reach a server that listens at `address`: 0.0.0.0 is every address here,
/// and none to connect to.
#[allow(dead_code)] // Not every program listens.
pub(crate) fn reachable(address: &Address) -> String {
    match address.socket_addr() {
        Some(address) if address.ip().is_unspecified() => {
            let ip: IpAddr = match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            };
            SocketAddr::new(ip, address.port()).to_string()
        }
        _ => address.to_string(),
    }
}

/// How many reactors a group has, from the command line.
#[allow(dead_code)] // Most programs have one.
pub(crate) fn reactors(arguments: &mut Parser) -> Result<usize, Failure> {
    Ok(up_to(MOST_REACTORS, "reactors", arguments)? as usize)
}

/// How many of something there are, at least 1.
#[allow(dead_code)] // Not every program takes one.
pub(crate) fn up_to(most: u32, what: &str, arguments: &mut Parser) -> Result<u32, Failure> {
    match at_least_one(arguments)? {
        count if count > most => {
            Err(Failure::Usage(format!("{count} {what} are more than {most}")))
        }
        count => Ok(count),
    }
}

/// A number that must not be 0.
#[allow(dead_code)] // Not every program takes one.
pub(crate) fn at_least_one(arguments: &mut Parser) -> Result<u32, lexopt::Error> {
    arguments.value()?.parse_with(|text| match text.parse::<u32>() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        number => number.map_err(|error| error.to_string()),
    })
}

fn header(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}
