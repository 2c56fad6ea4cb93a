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
//!     --demo     a command that fails three times; ends by itself
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
    use ropewalk::{
        Context, Error, ProcessExit, ProcessOptions, ProcessProtocol, ProcessTransport,
    };
    use ropewalk_protocols::{MonitorHandler, MonitorOptions, NextRun};
    use std::process::Stdio;
    use std::time::Duration;
    use support::{Failure, say};

    /// A command that is kept running.
    struct Command {
        number: usize,
        text: String,
        /// The demo ends with the monitor.
        demo: bool,
    }

    impl MonitorHandler for Command {
        fn next_run(&mut self) -> (ProcessOptions, Box<dyn ProcessProtocol>) {
            let options = ProcessOptions::new("sh")
                .arg("-c")
                .arg(&self.text)
                .stdin(Stdio::null())
                .stderr(Stdio::inherit())
                .own_process_group();
            (options, Box::new(Run { number: self.number, line: Vec::new() }))
        }

        fn run_ended(
            &mut self,
            context: &mut Context,
            end: Result<ProcessExit, Error>,
            next: NextRun,
        ) {
            let end = end.map_or_else(|error| error.to_string(), |exit| exit.to_string());
            let number = self.number;
            match next {
                NextRun::After(pause) => say(format_args!("{number}: {end}; again in {pause:?}")),
                NextRun::GivenUp => say(format_args!("{number}: {end}; not started again")),
                _ => say(format_args!("{number}: {end}")),
            }
            if self.demo && next == NextRun::GivenUp {
                context.stop();
            }
        }
    }

    /// A run of a command.
    struct Run {
        number: usize,
        /// The last line, which is not complete yet.
        line: Vec<u8>,
    }

    impl Run {
        fn print(&mut self, end: usize) {
            let line: Vec<u8> = self.line.drain(..end).collect();
            say(format_args!("{}: {}", self.number, String::from_utf8_lossy(&line)));
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

        fn process_ended(&mut self, _process: &mut ProcessTransport<'_>, _exit: ProcessExit) {
            if !self.line.is_empty() {
                self.print(self.line.len());
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
        let options = match demo {
            false => MonitorOptions::new(),
            true => MonitorOptions::new().initial_pause(Duration::from_millis(10)).max_failures(3),
        };
        for (index, text) in commands.into_iter().enumerate() {
            let command = Command { number: index + 1, text, demo };
            options.start(reactor.context(), command);
        }
        Ok(reactor.run()?)
    }
}
