//! Programs that are recorded into a file, or replayed from one.

use crate::output::{on_failure, say};
use crate::{Failure, complain};
use ropewalk::Reactor;
use ropewalk::backend::System;
use ropewalk_replay::{Ending, Recorder, Replayer, Summary, Tape};
use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A reactor that is recorded or replayed.
#[derive(Debug)]
pub struct Taped {
    /// It stops on SIGINT and SIGTERM, and when stdout fails.
    reactor: Reactor,
    tape: Tape,
    path: PathBuf,
}

/// Returns a reactor that is recorded into a file, with the arguments of this program.
///
/// # Errors
///
/// Fails if the file cannot be written, or the system provides no poll or no signal handler.
pub fn record(path: &Path) -> Result<Taped, Failure> {
    let system = System::new()?;
    let recorder = Recorder::to_file(system, path, &arguments_without("--record"))
        .map_err(|error| failed("record into", path, &error))?;
    let tape = recorder.tape();
    Taped::new(Reactor::with_backend(recorder), tape, path)
}

/// Returns a reactor that replays a file, and the arguments of the program that was recorded.
///
/// # Errors
///
/// Fails if the file is no recording, or has another version.
pub fn replay(path: &Path) -> Result<(Taped, Vec<String>), Failure> {
    let replayer = Replayer::open(path).map_err(|error| failed("replay", path, &error))?;
    let (tape, note) = (replayer.tape(), replayer.note().to_owned());
    if replayer.is_redacted() {
        complain(format_args!("the recording is redacted: a difference is likely"));
    }
    let taped = Taped::new(Reactor::with_backend(replayer), tape, path)?;
    Ok((taped, note.lines().map(str::to_owned).collect()))
}

impl Taped {
    fn new(mut reactor: Reactor, tape: Tape, path: &Path) -> Result<Self, Failure> {
        reactor.stop_on_signals()?;
        let handle = reactor.handle();
        // The call fails if the reactor has ended.
        on_failure(move || {
            let _ = handle.stop();
        });
        Ok(Self { reactor, tape, path: path.to_owned() })
    }

    /// Prepares the reactor, runs it to the end, and prints what was recorded or replayed.
    ///
    /// # Errors
    ///
    /// Fails if the run fails, if something could not be recorded, or if the replay differs from the recording.
    pub fn run(
        self,
        prepare: impl FnOnce(&mut Reactor) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self { mut reactor, tape, path } = self;
        let begin = Instant::now();
        let ran = prepare(&mut reactor).and_then(|()| Ok(reactor.run()?));
        drop(reactor);
        let (summary, took) = (tape.summary(), begin.elapsed().as_secs_f64());
        let Summary { records, bytes, hash, .. } = summary;
        let span = summary.span.as_secs_f64();
        if tape.is_replay() {
            let times = span / took.max(1e-9);
            say(format_args!(
                "replayed {records} records of {span:.3} s in {took:.3} s, {times:.1} times as fast; hash {hash:016x}"
            ));
        } else {
            let path = path.display();
            say(format_args!(
                "recorded {records} records of {span:.3} s, {bytes} bytes, into {path}; hash {hash:016x}"
            ));
        }
        match summary.ending {
            Ending::Complete if tape.is_replay() => say(format_args!("no difference")),
            // A failure of the recorded run was replayed as well.
            Ending::Complete => return ran,
            ending => return Err(Failure::Run(ending.to_string())),
        }
        Ok(())
    }
}

/// Returns the arguments of this program, one in a line, without an option and its value.
fn arguments_without(option: &str) -> String {
    let mut arguments = env::args().skip(1);
    let mut kept = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == option {
            arguments.next();
        } else if !argument.starts_with(&format!("{option}=")) {
            kept.push(argument);
        }
    }
    kept.join("\n")
}

fn failed(action: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Run(format!("cannot {action} {}: {error}", path.display()))
}
