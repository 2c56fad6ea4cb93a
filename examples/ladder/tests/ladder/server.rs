//! Server under test: a step's program, as a child process on a port of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

/// The programs, in order.
pub(crate) const STEPS: &[&str] = &[
    env!("CARGO_BIN_EXE_step01_blocking"),
    env!("CARGO_BIN_EXE_step02_threads"),
    env!("CARGO_BIN_EXE_step03_polling"),
    env!("CARGO_BIN_EXE_step04_epoll"),
    env!("CARGO_BIN_EXE_step05_table"),
    env!("CARGO_BIN_EXE_step06_protocols"),
    env!("CARGO_BIN_EXE_step07_two_halves"),
    env!("CARGO_BIN_EXE_step08_buffers"),
    env!("CARGO_BIN_EXE_step09_timers"),
    env!("CARGO_BIN_EXE_step10_budgets"),
    env!("CARGO_BIN_EXE_step11_closing"),
    env!("CARGO_BIN_EXE_step12_stop"),
];

/// How long a client may be silent, in milliseconds, in the steps that have timers.
pub(crate) const DEFAULT_IDLE: u64 = 60_000;

pub(crate) struct Server {
    pub(crate) address: String,
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(program: &str) -> Self {
        Self::start_with(program, DEFAULT_IDLE, 1024)
    }

    /// Starts a program that ends silent clients after `idle` milliseconds, and may open `descriptors` files.
    pub(crate) fn start_with(program: &str, idle: u64, descriptors: u32) -> Self {
        let script = format!("ulimit -n {descriptors}; exec \"$0\" 127.0.0.1:0 {idle}");
        let mut child = Command::new("sh")
            .args(["-c", &script, program])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { address, child, _output: output }
    }

    /// Returns a number from `/proc/PID/status`.
    pub(crate) fn status(&self, field: &str) -> u64 {
        self.status_text(field).split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Returns how many descriptors below a number are in use. Those above a limit are inherited. A program
    /// that has ended has none.
    pub(crate) fn descriptors_below(&self, limit: u32) -> usize {
        let Ok(open) = fs::read_dir(format!("/proc/{}/fd", self.child.id())) else { return 0 };
        let numbers = open.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        numbers.filter(|number| number.parse::<u32>().unwrap() < limit).count()
    }

    /// Returns the processor time that the program has spent, in ticks of 10 ms.
    pub(crate) fn processor_time(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    fn status_text(&self, field: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(&format!("{field}:"))).unwrap();
        line[field.len() + 1..].trim().to_owned()
    }

    /// Stops the process until `resume`. What clients send meanwhile waits in the kernel.
    pub(crate) fn suspend(&self) {
        self.signal("-STOP");
        while !self.status_text("State").starts_with('T') {
            thread::yield_now();
        }
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    /// Returns true if the program has ended by itself, without an error.
    pub(crate) fn ends(mut self) -> bool {
        self.child.wait().unwrap().success()
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
