//! Command-line arguments that several programs have.

use crate::Failure;
use lexopt::{Arg, Parser, ValueExt};
use ropewalk::Address;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The limit for `--reactors`. More reactors than processors are of no use, and each takes several descriptors, of
/// which a process has 1,024 by default.
const MOST_REACTORS: u32 = 128;

/// Returns the failure for an argument that the program does not know: `--help` or a mistake.
pub fn other(argument: Arg<'_>) -> Failure {
    match argument {
        Arg::Long("help") | Arg::Short('h') => Failure::Help,
        argument => argument.unexpected().into(),
    }
}

/// Stores an argument that may be given once.
///
/// # Errors
///
/// Fails if the argument was given before.
pub fn once(place: &mut Option<OsString>, value: OsString) -> Result<(), Failure> {
    match place {
        None => *place = Some(value),
        Some(_) => return Err(other(Arg::Value(value))),
    }
    Ok(())
}

/// Returns the given address, or `default`.
///
/// # Errors
///
/// Fails if the address is not UTF-8.
pub fn address(given: Option<OsString>, default: &str) -> Result<String, lexopt::Error> {
    given.map_or_else(|| Ok(default.to_owned()), ValueExt::string)
}

/// Returns an address at which clients on this machine reach a server that listens at `address`. A client cannot
/// connect to 0.0.0.0, which stands for all addresses of the machine.
pub fn reachable(address: &Address) -> String {
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

/// Reads the value of `--reactors`.
///
/// # Errors
///
/// Fails if it is no number, 0, or too large.
pub fn reactors(arguments: &mut Parser) -> Result<usize, Failure> {
    Ok(up_to(MOST_REACTORS, "reactors", arguments)? as usize)
}

/// Reads a number from 1 to `most`.
///
/// # Errors
///
/// Fails if it is no such number. `what` names the counted things in the message.
pub fn up_to(most: u32, what: &str, arguments: &mut Parser) -> Result<u32, Failure> {
    match at_least_one(arguments)? {
        count if count > most => {
            Err(Failure::Usage(format!("{count} {what} are more than {most}")))
        }
        count => Ok(count),
    }
}

/// Reads a number that is not 0.
///
/// # Errors
///
/// Fails if it is no number, or 0.
pub fn at_least_one(arguments: &mut Parser) -> Result<u32, lexopt::Error> {
    arguments.value()?.parse_with(|text| match text.parse::<u32>() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        number => number.map_err(|error| error.to_string()),
    })
}
