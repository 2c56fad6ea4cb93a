//! The reasons for which a program ends early, and their exit codes.

use crate::output::complain;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

/// The reason for which a program ends early.
#[derive(Debug)]
pub enum Failure {
    /// `--help` was given. This is a success.
    Help,
    /// Writing to stdout failed.
    Output(Arc<io::Error>),
    /// An operation failed.
    Run(String),
    /// The arguments are wrong.
    Usage(String),
}

impl Failure {
    pub(crate) fn output(error: io::Error) -> Self {
        Self::Output(Arc::new(error))
    }

    /// Prints the failure on stderr and returns the exit code: 2 for wrong arguments, otherwise 1.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Help => return ExitCode::SUCCESS,
            // The reader of the pipe has ended, as in `| head -1`. This is not a failure.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Self::Output(error) => {
                complain(format_args!("error: cannot write to the output: {error}"));
            }
            Self::Run(message) => complain(format_args!("error: {message}")),
            Self::Usage(message) => {
                complain(format_args!("error: {message}; --help lists the options"));
                return ExitCode::from(2);
            }
        }
        ExitCode::FAILURE
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
