//! A server in a process of its own, on a processor of its own.

use crate::servers::{Server, Work};
use crate::system::{SERVER_PROCESSOR, processors};
use nix::time::{ClockId, clock_getcpuclockid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{self, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A Python that starts from a cold disk takes a second or two.
const START_LIMIT: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    address: SocketAddr,
    process: process::Child,
    clock: ClockId,
    /// Kept open: a server that says more must not be killed by the broken pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Child {
    /// Starts `server` on the server's processor, and waits until it listens.
    pub(crate) fn start(server: &Server, work: Work) -> io::Result<Self> {
        let alone: &[_] = if processors() > 1 { &[SERVER_PROCESSOR] } else { &[] };
        Self::start_on(server, work, alone)
    }

    /// Starts `server` on these processors, or where we are if none are named, and waits until it
    /// listens.
    pub(crate) fn start_on(server: &Server, work: Work, processors: &[usize]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", work.word(), "127.0.0.1:0", "--with", server.name, "--attached"]);
        if !processors.is_empty() {
            let numbers: Vec<_> = processors.iter().map(ToString::to_string).collect();
            command.args(["--on", &numbers.join(",")]);
        }
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        match await_address(&mut process).and_then(|found| Ok((found, clock_of(&process)?))) {
            Ok(((address, stdout), clock)) => Ok(Self { address, process, clock, _stdout: stdout }),
            Err(error) => {
                end(&mut process);
                Err(error)
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The processor time that all of its threads have taken so far, to the nanosecond.
    ///
    /// It is the process's own clock. What `/proc/PID/schedstat` says of a thread that is running is
    /// as old as the last tick, 4 ms, which is too much where a measurement lasts 100.
    pub(crate) fn processor_time(&self) -> io::Result<Duration> {
        Ok(Duration::from(self.clock.now()?))
    }

    /// Its resident memory, in bytes, to the page.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        resident(&self.process.id().to_string())
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.process.id()))?.count())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Kills and buries it; it is ours, so neither can fail but when it is dead.
fn end(process: &mut process::Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// Reads the line in which a server says where it listens.
fn await_address(process: &mut process::Child) -> io::Result<(SocketAddr, BufReader<ChildStdout>)> {
    let stdout = process.stdout.take().ok_or_else(|| io::Error::other("it has no stdout"))?;
    let mut watched = [PollFd::new(&stdout, PollFlags::IN)];
    if poll(&mut watched, Some(&START_LIMIT))? == 0 {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not listen after 30 seconds"));
    }
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    if stdout.read_line(&mut line)? == 0 {
        return Err(io::Error::other("it ended before it listened"));
    }
    let address = line.trim_end().strip_prefix("listening on ").and_then(|text| text.parse().ok());
    match address {
        Some(address) => Ok((address, stdout)),
        None => Err(io::Error::other(format!("it does not say where it listens, but: {line}"))),
    }
}

/// The clock of the processor time that a process takes.
fn clock_of(process: &process::Child) -> io::Result<ClockId> {
    let id = i32::try_from(process.id()).map_err(io::Error::other)?;
    Ok(clock_getcpuclockid(nix::unistd::Pid::from_raw(id))?)
}

/// The bytes of memory that a process really has; `self` is this one.
pub(crate) fn resident(process: &str) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse::<u64>().ok());
    kilobytes.map(|count| count * 1024).ok_or_else(|| io::Error::other("no Rss in smaps_rollup"))
}
