//! Output: lines on stdout, and logs on stderr.

use crate::Failure;
use crate::queue::Queue;
use env_logger::{Builder, Env, Target};
use log::Level;
use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

static STDOUT: LazyLock<Arc<Queue>> = LazyLock::new(|| Queue::new(io::stdout()));
static STDERR: LazyLock<Arc<Queue>> = LazyLock::new(|| Queue::new(io::stderr()));

/// How long a program waits at its end for its log to be written. A terminal that was stopped (Ctrl-S) does not hold up
/// the program for longer.
const LOG_TIMEOUT: Duration = Duration::from_secs(1);

/// Queues a line for stdout. It never blocks, so it may be called on the reactor's thread. The program ends if writing
/// to stdout fails.
pub fn say(line: fmt::Arguments<'_>) {
    STDOUT.add(format!("{line}\n").into_bytes());
}

/// Prints text on stdout and waits until it is written. For results, of which no line may be dropped. It blocks, so it
/// must not be called on the reactor's thread.
///
/// # Errors
///
/// Fails if writing to stdout fails.
pub fn show(text: fmt::Arguments<'_>) -> Result<(), Failure> {
    finish()?;
    let mut stdout = io::stdout();
    stdout.write_fmt(text).and_then(|()| stdout.flush()).map_err(Failure::output)
}

/// Copies `input` to stdout. It blocks, like [`show`].
///
/// # Errors
///
/// Fails if reading or writing fails.
pub fn copy(mut input: impl Read) -> Result<(), Failure> {
    finish()?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return io::stdout().flush().map_err(Failure::output),
            Ok(length) => io::stdout().write_all(&buffer[..length]).map_err(Failure::output)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Run(format!("cannot read the file: {error}"))),
        }
    }
}

/// Waits until the queued lines are written to stdout.
///
/// # Errors
///
/// Fails if writing to stdout fails.
pub fn finish() -> Result<(), Failure> {
    STDOUT.drain(None).map_or(Ok(()), |error| Err(Failure::Output(error)))
}

/// Calls `act` once if writing to stdout fails.
pub(crate) fn on_failure(act: impl FnOnce() + Send + 'static) {
    STDOUT.on_failure(act);
}

/// Queues a line for stderr. It never blocks. A failure of stderr is ignored.
pub fn complain(line: fmt::Arguments<'_>) {
    STDERR.add(format!("{line}\n").into_bytes());
}

/// Waits until the queued lines are written to stderr, for at most [`LOG_TIMEOUT`].
pub(crate) fn finish_log() {
    STDERR.drain(Some(LOG_TIMEOUT));
}

/// Starts logging to stderr, from `level` up. `RUST_LOG` overrides the level.
pub fn log_from(level: &str) {
    let mut builder = Builder::from_env(Env::default().default_filter_or(level));
    let coloured = is_coloured();
    builder.format(move |line, record| {
        let (begin, end) = if coloured { (colour(record.level()), "\x1b[0m") } else { ("", "") };
        // Each reactor of a group has ids of its own; the thread's name identifies the reactor.
        let thread = thread::current();
        let thread = thread.name().filter(|name| name.starts_with("ropewalk-"));
        let (space, thread) = thread.map_or(("", ""), |name| (" ", name));
        let (level, target, text) = (record.level(), record.target(), record.args());
        writeln!(line, "[{begin}{level:<5}{end} {target}{space}{thread}] {text}")
    });
    builder.target(Target::Pipe(Box::new(Log))).init();
}

/// Returns true if log levels are coloured: on a terminal without `NO_COLOR`, or as `RUST_LOG_STYLE` requires.
fn is_coloured() -> bool {
    match env::var("RUST_LOG_STYLE").as_deref() {
        Ok("always") => true,
        Ok("never") => false,
        _ => io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none(),
    }
}

/// Returns the ANSI sequence for a level's colour, the same as env_logger's.
fn colour(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[1m\x1b[31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug => "\x1b[34m",
        Level::Trace => "\x1b[36m",
    }
}

/// The logger's target. The logger writes one line per call.
struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        STDERR.add(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
