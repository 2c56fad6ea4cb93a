//! Support for the example programs: arguments, `--help`, output, logs, signals and exit codes.

mod arguments;
mod demo;
mod failure;
mod files;
mod journal;
mod output;
mod printer;
mod queue;
mod running;
mod tape;
#[cfg(unix)]
pub mod unix;

pub use arguments::{address, at_least_one, once, other, reachable, reactors, up_to};
pub use demo::DemoClient;
pub use failure::Failure;
pub use files::open;
pub use journal::{write_journal, write_journals};
pub use output::{complain, copy, finish, log_from, say, show};
pub use printer::Printer;
pub use running::{group, reactor};
pub use tape::{Taped, record, replay};

use lexopt::Parser;
use std::process::ExitCode;

/// Runs `program` and returns the process's exit code. `--help` prints the head of `source`, which is the program's
/// source file.
pub fn main(source: &str, program: impl FnOnce(Parser) -> Result<(), Failure>) -> ExitCode {
    let ended = match program(Parser::from_env()) {
        Err(Failure::Help) => show(format_args!("{}", header(source))),
        ended => ended,
    };
    // A failure of stdout is reported first: it can be the cause of the other failure.
    let code = finish().and(ended).map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS);
    output::finish_log();
    code
}

fn header(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}
