//! Keeps programs running: each that ends is started again, after a pause that grows while it keeps failing.
//!
//!     cargo run -p ropewalk-process-examples --example supervise -- 'sleep 3' 'echo hello; sleep 1'
//!
//! Each argument is a command for sh(1). Its output is printed line by line with its number. Ctrl-C ends all commands:
//! SIGTERM, and SIGKILL ten seconds later. A command is started again after a second; the pause doubles up to a minute if the
//! command has run for less than ten seconds.
//!
//! Options:
//!
//!     COMMAND…   the commands
//!     --demo     a command that fails twice; ends by itself
//!     --help     this text

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("error: processes are supported on Linux only");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    support::main(include_str!("supervise.rs"), program::run)
}

#[cfg(target_os = "linux")]
mod program {
    use lexopt::{Parser, prelude::*};
    use ropewalk::{Context, ProcessExit, ProcessOptions, ProcessProtocol, ProcessTransport};
    use std::process::Stdio;
    use std::rc::Rc;
    use std::time::{Duration, Instant};
    use support::{Failure, say};

    /// A command that is kept running.
    struct Command {
        number: usize,
        text: String,
        pauses: Pauses,
        /// The demo ends after this many runs.
        runs: Option<u32>,
    }

    /// The pauses before a command is started again.
    #[derive(Clone, Copy)]
    struct Pauses {
        first: Duration,
        most: Duration,
        /// A command that has run for this long has not failed.
        settled: Duration,
    }

    /// A run of a command.
    struct Run {
        command: Rc<Command>,
        started: Instant,
        pause: Duration,
        count: u32,
        /// The last line, which is not complete yet.
        line: Vec<u8>,
    }

    fn start(context: &mut Context, command: Rc<Command>, pause: Duration, count: u32) {
        let started = context.now();
        let mut options = ProcessOptions::new("sh")
            .arg("-c")
            .arg(&command.text)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .own_process_group();
        let again = Rc::clone(&command);
        let run = Run { command, started, pause, count, line: Vec::new() };
        if let Err(error) = options.spawn(context, run) {
            say(format_args!("{}: {error}", again.number));
            // After a stop nothing is started.
            if !context.is_stopping() {
                context.call_later(pause, move |context| start(context, again, pause, count));
            }
        }
    }

    impl Run {
        fn print(&mut self, end: usize) {
            let line: Vec<u8> = self.line.drain(..end).collect();
            say(format_args!("{}: {}", self.command.number, String::from_utf8_lossy(&line)));
        }
    }

    /// The longest line that is printed in one piece, in bytes.
    const LONGEST: usize = 4096;

    impl ProcessProtocol for Run {
        fn out_received(&mut self, _process: &mut ProcessTransport<'_>, data: &[u8]) {
            for byte in data {
                match byte {
                    b'\n' => self.print(self.line.len()),
                    byte => self.line.push(*byte),
                }
                if self.line.len() == LONGEST {
                    self.print(LONGEST);
                }
            }
        }

        fn process_ended(&mut self, process: &mut ProcessTransport<'_>, exit: ProcessExit) {
            if !self.line.is_empty() {
                self.print(self.line.len());
            }
            let (context, command) = (process.context(), Rc::clone(&self.command));
            let lasted = context.now().saturating_duration_since(self.started);
            let Pauses { first, most, settled } = command.pauses;
            let pause = if lasted >= settled { first } else { self.pause };
            let count = self.count + 1;
            if context.is_stopping() {
                say(format_args!("{}: {exit}", command.number));
            } else if command.runs == Some(count) {
                say(format_args!("{}: {exit}; the demo ends", command.number));
                context.stop();
            } else {
                say(format_args!("{}: {exit}; again in {pause:?}", command.number));
                let next = (2 * pause).min(most);
                context.call_later(pause, move |context| start(context, command, next, count));
            }
        }
    }

    pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
        let (mut commands, mut demo) = (Vec::new(), false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("demo") => demo = true,
                Value(value) => commands.push(value.string()?),
                argument => return Err(support::other(argument)),
            }
        }
        if demo {
            commands = vec!["echo working; exit 1".to_owned()];
        } else if commands.is_empty() {
            return Err(Failure::Usage("a COMMAND is missing".to_owned()));
        }
        support::log_from("warn");
        let mut reactor = support::reactor()?;
        let unit = if demo { Duration::from_millis(10) } else { Duration::from_secs(1) };
        let pauses = Pauses { first: unit, most: 60 * unit, settled: 10 * unit };
        for (index, text) in commands.into_iter().enumerate() {
            let command = Command { number: index + 1, text, pauses, runs: demo.then_some(3) };
            start(reactor.context(), Rc::new(command), pauses.first, 0);
        }
        Ok(reactor.run()?)
    }
}
