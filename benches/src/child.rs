//! A server in a child process, on a processor of its own.

use crate::servers::{Server, Work};
use crate::system::{SERVER_PROCESSOR, processors};
use nix::time::{ClockId, clock_getcpuclockid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{self, ChildStdout, Command, Stdio};
use std::time::Duration;

/// How long a server may take to start. Python from a cold disk takes a second or two.
const START_LIMIT: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    address: SocketAddr,
    process: process::Child,
    clock: ClockId,
    /// Kept open, since a server that prints more must not be killed by a broken pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Child {
    /// Starts `server` on the server's processor, and waits until it listens.
    pub(crate) fn start(server: &Server, work: Work) -> io::Result<Self> {
        let alone: &[_] = if processors() > 1 { &[SERVER_PROCESSOR] } else { &[] };
        Self::start_on(server, work, alone)
    }

    /// Starts `server` on these processors, or without pinning if there are none, and waits until
    /// it listens.
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

    /// Returns the address that it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the processor time of all its threads so far, in nanoseconds.
    ///
    /// It reads the process's CPU clock. `/proc/PID/schedstat` is up to a tick of 4 ms old while a
    /// thread runs, which is too much for a measurement of 100 ms.
    pub(crate) fn processor_time(&self) -> io::Result<Duration> {
        Ok(Duration::from(self.clock.now()?))
    }

    /// Returns its resident memory in bytes, in whole pages.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        resident(&self.process.id().to_string())
    }

    /// Returns the number of its open descriptors.
    pub(crate) fn descriptors(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.process.id()))?.count())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Kills the process and waits for it. Both fail only if it has ended already.
fn end(process: &mut process::Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// Reads the line in which a server prints its address.
fn await_address(process: &mut process::Child) -> io::Result<(SocketAddr, BufReader<ChildStdout>)> {
    let stdout =
        process.stdout.take().ok_or_else(|| io::Error::other("the server has no stdout"))?;
    let mut watched = [PollFd::new(&stdout, PollFlags::IN)];
    if poll(&mut watched, Some(&START_LIMIT))? == 0 {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the server does not listen after 30 seconds",
        ));
    }
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    if stdout.read_line(&mut line)? == 0 {
        return Err(io::Error::other("the server ended before it listened"));
    }
    let address = line.trim_end().strip_prefix("listening on ").and_then(|text| text.parse().ok());
    match address {
        Some(address) => Ok((address, stdout)),
        None => Err(io::Error::other(format!("the server printed no address, but: {line}"))),
    }
}

/// Returns the CPU clock of a process.
fn clock_of(process: &process::Child) -> io::Result<ClockId> {
    let id = i32::try_from(process.id()).map_err(io::Error::other)?;
    Ok(clock_getcpuclockid(nix::unistd::Pid::from_raw(id))?)
}

/// Returns the resident bytes of a process; `self` is this process.
pub(crate) fn resident(process: &str) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse::<u64>().ok());
    kilobytes.map(|count| count * 1024).ok_or_else(|| io::Error::other("no Rss in smaps_rollup"))
}
