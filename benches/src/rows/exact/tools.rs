//! Servers under callgrind, which counts instructions, or under strace, which counts system calls.

use super::load::{Task, Watched};
use crate::servers::Server;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::gettid;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

/// The tool that watches a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Callgrind,
    Strace,
}

/// System calls, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) receive: u64,
    pub(super) send: u64,
    pub(super) wait: u64,
    pub(super) other: u64,
}

/// How long strace may take to write its counts after the server has ended.
const PATIENCE: Duration = Duration::from_secs(10);

impl Tool {
    /// Returns the tool's program name, which is also its package's name.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Callgrind => "valgrind",
            Self::Strace => "strace",
        }
    }

    pub(super) fn is_there(self) -> bool {
        is_there(self.program())
    }

    /// Returns the path for the tool's counts. Callgrind's file is kept, since it shows where the
    /// instructions were spent.
    pub(super) fn output(self, server: &Server, task: Task) -> PathBuf {
        let work = task.work().word();
        let unique = match self {
            Self::Callgrind => "callgrind".to_owned(),
            Self::Strace => format!("{}.strace", process::id()),
        };
        let connections = task.connections();
        env::temp_dir()
            .join(format!("ropewalk-bench.{}.{work}-{connections}.{unique}", server.name))
    }

    fn arguments(self, output: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = match self {
            Self::Callgrind => vec!["--tool=callgrind".into(), "--callgrind-out-file=".into()],
            // As a grandchild, so that the started process is the server and not strace.
            Self::Strace => ["-D", "-f", "-c", "-o", ""].map(OsString::from).to_vec(),
        };
        arguments.last_mut().expect("some calls").push(output);
        arguments
    }
}

/// Returns the user-space instructions of `server` for `rounds` rounds, including its start and
/// end.
pub(super) fn instructions(server: &Server, task: Task, rounds: u64) -> io::Result<u64> {
    let output = watched(Tool::Callgrind, server, task, rounds)?;
    let text = fs::read_to_string(&output)?;
    let total = text.lines().find_map(|line| line.strip_prefix("summary:"));
    let total = total.and_then(|number| number.trim().parse().ok());
    total.ok_or_else(|| io::Error::other(format!("{} has no summary", output.display())))
}

/// Returns the system calls of `server` for `rounds` rounds, including its start and end.
pub(super) fn system_calls(server: &Server, task: Task, rounds: u64) -> io::Result<Calls> {
    let output = watched(Tool::Strace, server, task, rounds)?;
    let begin = Instant::now();
    loop {
        let text = fs::read_to_string(&output).unwrap_or_default();
        if let Some(calls) = parsed(&text) {
            fs::remove_file(&output)?;
            return Ok(calls);
        }
        if begin.elapsed() > PATIENCE {
            return Err(io::Error::other(
                "strace has written no summary; it may not be permitted to trace",
            ));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Parses the complete output of `strace -c`: `% time, seconds, usecs/call, calls, errors (or
/// nothing), syscall`, one line for each call, and the total.
fn parsed(text: &str) -> Option<Calls> {
    let mut calls = Calls::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(&name), Some(count)) = (words.last(), words.get(3)) else { continue };
        let Ok(count) = count.parse::<u64>() else { continue };
        match name {
            "total" => return Some(calls),
            "read" | "readv" | "recvfrom" | "recvmsg" => calls.receive += count,
            "sendmsg" | "sendto" | "write" | "writev" => calls.send += count,
            "epoll_pwait" | "epoll_pwait2" | "epoll_wait" => calls.wait += count,
            _ => calls.other += count,
        }
    }
    None
}

/// Lets this thread run before all others (SCHED_FIFO). Returns true if that is permitted.
pub(super) fn go_first() -> bool {
    let this = gettid().as_raw_nonzero().to_string();
    let mut command = Command::new("chrt");
    command.args(["--fifo", "--pid", "1", &this]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs the server under the tool, puts the load on it, and ends it. Returns the path of the
/// counts.
///
/// Both run on one processor, and the server never preempts another process (SCHED_BATCH). So the
/// load has sent a whole round before the server runs, and the counts do not depend on timing.
fn watched(tool: Tool, server: &Server, task: Task, rounds: u64) -> io::Result<PathBuf> {
    let output = tool.output(server, task);
    let mut command = match is_there("chrt") {
        true => {
            let mut command = Command::new("chrt");
            command.args(["--batch", "0", tool.program()]);
            command
        }
        false => Command::new(tool.program()),
    };
    command.args(tool.arguments(&output)).arg(env::current_exe()?);
    command.args(["serve", task.work().word(), "127.0.0.1:0", "--with", server.name, "--attached"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let outcome = put_load_on(&mut process, task, rounds);
    if outcome.is_err() {
        // It may have ended already.
        let _ = process.kill();
    }
    let end = process.wait_with_output()?;
    // Its output matters only after a failure.
    outcome.map_err(|error| {
        let said = String::from_utf8_lossy(&end.stderr);
        io::Error::other(format!("{error}; output of {}: {}", tool.program(), said.trim_end()))
    })?;
    Ok(output)
}

fn put_load_on(process: &mut Child, task: Task, rounds: u64) -> io::Result<()> {
    let id = process.id();
    let clients = task.run(rounds, address(process)?, &Watched(id))?;
    // The signal's default action ends the process, and both tools write their counts.
    let pid = Pid::from_raw(id.cast_signed()).ok_or_else(|| io::Error::other("no such process"))?;
    kill_process(pid, Signal::TERM)?;
    process.wait()?;
    drop(clients);
    Ok(())
}

/// Reads the line in which a server prints its address.
fn address(process: &mut Child) -> io::Result<SocketAddr> {
    let stdout =
        process.stdout.take().ok_or_else(|| io::Error::other("the server has no stdout"))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line.trim_end().strip_prefix("listening on ").and_then(|text| text.parse().ok());
    address.ok_or_else(|| io::Error::other("the server does not listen"))
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strace_summary_is_parsed_by_kind() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n \
                    60.00    0.000100           1       100         2 recvfrom\n \
                    30.00    0.000050           1        98           sendto\n  \
                    5.00    0.000010           5         2           epoll_wait\n  \
                    5.00    0.000010          10         1           socket\n\
                    ------ ----------- ----------- --------- --------- ----------------\n";
        assert!(parsed(text).is_none(), "a part was parsed as the whole");
        let calls =
            parsed(&format!("{text}100.00    0.000170           0       201         2 total\n"));
        let Calls { receive, send, wait, other } = calls.unwrap();
        assert_eq!([receive, send, wait, other], [100, 98, 2, 1]);
    }
}
