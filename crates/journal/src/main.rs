//! Reads a journal file of a reactor.
//!
//!     ropewalk-journal [FORM] [SELECTION] FILE
//!
//! Forms:
//!
//!     --text               one line a record, the default
//!     --explain            one sentence a record, with arrows between what follows from what
//!     --chrome             a trace for chrome://tracing and https://ui.perfetto.dev
//!     --pcapng             the TCP connections as packets without payload, for tshark
//!     --statistics         turns, waits, callbacks, bytes and connections in numbers
//!
//! Selection, for text and sentences:
//!
//!     --connection ID      records of this socket, such as '#1.1'
//!     --callback NAME      calls of this callback: data_received, or Echo::data_received
//!     --from SECONDS       records from this time on
//!     --to SECONDS         records up to this time
//!
//! Output goes to stdout. FILE is a name, or - for stdin. If the file is malformed, as when its program was killed,
//! the records before that place are shown, and the exit code is 1.

use lexopt::Parser;
use lexopt::prelude::*;
use ropewalk_journal::reading::{self, Failure, Filter};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

/// The form of the output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Explain,
    Chrome,
    Pcapng,
    Statistics,
}

struct Options {
    form: Form,
    filter: Filter,
    file: OsString,
}

fn main() -> ExitCode {
    let options = match options(Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}; --help lists the options");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the pipe has ended, as in `| head -1`. This is not a failure.
        Err(Failure::Write(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error}", options.file.display());
            ExitCode::FAILURE
        }
    }
}

/// Reads the arguments. Returns `None` after `--help`.
fn options(mut arguments: Parser) -> Result<Option<Options>, lexopt::Error> {
    let (mut form, mut filter, mut file) = (None, Filter::default(), None);
    while let Some(argument) = arguments.next()? {
        let chosen = match argument {
            Long("text") => Form::Text,
            Long("explain") => Form::Explain,
            Long("chrome") => Form::Chrome,
            Long("pcapng") => Form::Pcapng,
            Long("statistics") => Form::Statistics,
            Long("connection") => {
                filter.connection = Some(arguments.value()?.string()?);
                continue;
            }
            Long("callback") => {
                filter.callback = Some(arguments.value()?.string()?);
                continue;
            }
            Long("from") => {
                filter.from = Some(seconds(&mut arguments)?);
                continue;
            }
            Long("to") => {
                filter.to = Some(seconds(&mut arguments)?);
                continue;
            }
            Long("help") | Short('h') => {
                help();
                return Ok(None);
            }
            Value(name) if file.is_none() => {
                file = Some(name);
                continue;
            }
            argument => return Err(argument.unexpected()),
        };
        if form.replace(chosen).is_some() {
            return Err("only one form can be chosen".into());
        }
    }
    let file = file.ok_or("the FILE is missing")?;
    Ok(Some(Options { form: form.unwrap_or(Form::Text), filter, file }))
}

fn seconds(arguments: &mut Parser) -> Result<Duration, lexopt::Error> {
    let parse = |text: &str| {
        let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
        Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
    };
    arguments.value()?.parse_with(parse)
}

fn help() {
    let lines = include_str!("main.rs").lines().map_while(|line| line.strip_prefix("//!"));
    let mut out = io::stdout().lock();
    for line in lines {
        let _ = writeln!(out, "{}", line.strip_prefix(' ').unwrap_or(line));
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let read = match options.file.to_str() {
        Some("-") => convert(options, io::stdin().lock(), &mut out),
        _ => {
            let file = File::open(&options.file).map_err(Failure::Read)?;
            convert(options, file, &mut out)
        }
    };
    out.flush().map_err(Failure::Write)?;
    read.map(drop)
}

fn convert(options: &Options, file: impl Read, out: &mut impl Write) -> Result<u64, Failure> {
    let file = BufReader::new(file);
    match options.form {
        Form::Text => reading::write_text(file, &options.filter, out),
        Form::Explain => reading::write_explanation(file, &options.filter, out),
        Form::Chrome => reading::write_chrome(file, out),
        Form::Pcapng => reading::write_pcapng(file, out),
        Form::Statistics => reading::write_statistics(file, out),
    }
}
