//! What the programs print: lines on stdout, and their logs on stderr.

use super::Failure;
use super::queue::Queue;
use env_logger::{Builder, Env, Target, WriteStyle};
use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

static STDOUT: LazyLock<Arc<Queue>> = LazyLock::new(|| Queue::new(io::stdout()));
static STDERR: LazyLock<Arc<Queue>> = LazyLock::new(|| Queue::new(io::stderr()));

/// How long a program that ends waits for its log to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints a line on stdout. It never waits, so it may be called on the reactor's thread. If stdout
/// takes no more the program ends.
#[allow(dead_code)] // Not every program prints while it runs.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    STDOUT.add(format!("{line}\n").into_bytes());
}

/// Prints text on stdout and waits until that is done: for results, of which no line may be missing.
/// It is not for the reactor's thread.
pub(crate) fn show(text: fmt::Arguments<'_>) -> Result<(), Failure> {
    finish()?;
    let mut stdout = io::stdout();
    stdout.write_fmt(text).and_then(|()| stdout.flush()).map_err(Failure::output)
}

/// Prints what `input` has, like [`show`].
#[allow(dead_code)] // Not every program prints a file.
pub(crate) fn copy(mut input: impl Read) -> Result<(), Failure> {
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

/// Waits until all that was said is printed. Fails if it cannot be.
pub(crate) fn finish() -> Result<(), Failure> {
    STDOUT.drain(None).map_or(Ok(()), |error| Err(Failure::Output(error)))
}

/// Calls `act` if stdout takes no more.
#[allow(dead_code)] // Programs without a reactor look at what `show` returns.
pub(crate) fn on_failure(act: impl FnOnce() + Send + 'static) {
    STDOUT.on_failure(act);
}

/// Prints a line on stderr. It never waits, and a stderr that takes nothing is no failure.
pub(crate) fn complain(line: fmt::Arguments<'_>) {
    STDERR.add(format!("{line}\n").into_bytes());
}

/// Waits for stderr, a while.
pub(crate) fn finish_log() {
    STDERR.drain(Some(PATIENCE));
}

/// Logs go to stderr: those from `level` on, unless `RUST_LOG` says otherwise.
pub(crate) fn log_from(level: &str) {
    let mut builder = Builder::from_env(Env::default().default_filter_or(level));
    if env::var_os("RUST_LOG_STYLE").is_none() {
        let coloured = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
        builder.write_style(if coloured { WriteStyle::Always } else { WriteStyle::Never });
    }
    builder.format(|line, record| {
        let (level, style) = (record.level(), line.default_level_style(record.level()));
        // Ids are a reactor's own; the name of its thread tells those of a group apart.
        let thread = thread::current();
        let thread = thread.name().filter(|name| name.starts_with("ropewalk-"));
        let (space, thread) = thread.map_or(("", ""), |name| (" ", name));
        let (target, text) = (record.target(), record.args());
        writeln!(line, "[{style}{level:<5}{style:#} {target}{space}{thread}] {text}")
    });
    builder.target(Target::Pipe(Box::new(Log))).init();
}

/// The logger writes each line at once.
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
