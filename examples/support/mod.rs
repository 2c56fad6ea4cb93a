//! What these programs share: how they begin, what they answer to `--help`, and how they fail.

use env_logger::Env;
use lexopt::{Arg, Parser, ValueExt};
use std::io::{self, Write};
use std::num::NonZero;
use std::process::ExitCode;

/// Why a program ends before its work is done.
pub(crate) enum Failure {
    /// It was only asked for help.
    Help,
    /// It was called in a way it does not understand.
    Usage(String),
    /// Something went wrong.
    Run(String),
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<ropewalk::Error> for Failure {
    fn from(error: ropewalk::Error) -> Self {
        Self::Run(error.to_string())
    }
}

/// Runs `program`; the header of its `source` is what `--help` prints.
pub(crate) fn main(source: &str, program: impl FnOnce(Parser) -> Result<(), Failure>) -> ExitCode {
    match program(Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Help) => {
            // Who has closed our stdout has seen enough.
            let _ = io::stdout().write_all(header(source).as_bytes());
            ExitCode::SUCCESS
        }
        Err(Failure::Usage(message)) => {
            eprintln!("error: {message}; --help tells what there is");
            ExitCode::from(2)
        }
        Err(Failure::Run(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// For every argument that a program has no use for: `--help`, and those that are wrong.
pub(crate) fn other(argument: Arg<'_>) -> Failure {
    match argument {
        Arg::Long("help") | Arg::Short('h') => Failure::Help,
        argument => argument.unexpected().into(),
    }
}

/// A number that must not be 0.
#[allow(dead_code)] // Not every program takes one.
pub(crate) fn at_least_one(arguments: &mut Parser) -> Result<u32, lexopt::Error> {
    arguments.value()?.parse().map(NonZero::get)
}

/// Logs go to stderr: those from `level` on, unless `RUST_LOG` says otherwise.
pub(crate) fn log_from(level: &str) {
    env_logger::Builder::from_env(Env::default().default_filter_or(level)).init();
}

fn header(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}
