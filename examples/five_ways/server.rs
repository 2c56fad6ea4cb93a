//! A server that is measured: a child process.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use support::Failure;

/// A server that runs. It is killed when this is dropped.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) address: String,
    child: Child,
}

/// What a server uses.
pub(crate) struct Use {
    /// In bytes.
    pub(crate) memory: u64,
    pub(crate) threads: usize,
    pub(crate) processes: usize,
}

impl Server {
    pub(crate) fn start(name: &str) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::Run(format!("{name} cannot be started: {error}"));
        let program = std::env::current_exe().map_err(failed)?.with_file_name(name);
        if !program.exists() {
            let text = "is not built: cargo build --release -p ropewalk-five-ways";
            return Err(Failure::Run(format!("{name} {text}")));
        }
        let mut command = match pin("1") {
            true => {
                let mut pinned = Command::new("taskset");
                pinned.args(["-c", "0"]).arg(program);
                pinned
            }
            false => Command::new(program),
        };
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let mut address = String::new();
        let output = child.stdout.take().expect("it is a pipe");
        BufReader::new(output).read_line(&mut address).map_err(failed)?;
        Ok(Self { name: name.to_owned(), address: address.trim().to_owned(), child })
    }

    /// Returns the processes of the server: itself and its children.
    fn processes(&self) -> Vec<u32> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        [id].into_iter().chain(children).collect()
    }

    /// Returns what the server uses now (proc(5)).
    pub(crate) fn use_now(&self) -> Use {
        let processes = self.processes();
        let threads =
            |id: &u32| fs::read_dir(format!("/proc/{id}/task")).map_or(0, Iterator::count);
        Use {
            memory: processes.iter().map(|id| memory(*id)).sum(),
            threads: processes.iter().map(threads).sum(),
            processes: processes.len(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its own processes end with their connections, which the clients have closed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pins this process to a processor. Returns true if that worked.
fn pin(processor: &str) -> bool {
    let mut command = Command::new("taskset");
    command.args(["-a", "-c", "-p", processor, &std::process::id().to_string()]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn memory(id: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    1024 * kilobytes.unwrap_or(0)
}
