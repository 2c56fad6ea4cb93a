//! A spin when there are no descriptors left.
//!
//! What one sees: at the limit of open files the server takes a whole processor, and its log grows by megabytes. It has
//! nothing to do: no client can be accepted.
//!
//! Why: accept(2) fails with EMFILE and leaves the client in the backlog. So the listener is still readable, and a loop
//! that only tries again, tries again at once.
//!
//! The cure: wait before the next attempt, and log once. Ropewalk waits 100 ms, with a timer, and serves the others.
//!
//! The issue: sustrik/libmill#182, "Wait for any event in event loop"; joyent/libuv#690, "Endless loop in EMFILE".

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::{SmallLoop, listener};
use crate::{Exhibit, Result, Shown};
use ropewalk::{Protocol, Reactor, Transport};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "emfile_spin",
    about: "At the limit of open files the loop accepts in vain, again and again.",
    issue: "sustrik/libmill#182: Wait for any event in event loop",
    broken,
    cured,
};

/// Attempts after which the broken loop is stopped.
const MANY: usize = 1000;
/// Attempts that are few, in the time of three pauses.
const FEW: usize = 10;

/// The lowered limit of open files. The former one is restored when it is dropped.
struct NoMoreFiles(Rlimit);

impl NoMoreFiles {
    fn begin() -> io::Result<Self> {
        let former = getrlimit(Resource::Nofile);
        // A new descriptor has the lowest free number, so that one is the limit.
        let lowest = File::open("/dev/null")?.as_raw_fd();
        setrlimit(Resource::Nofile, Rlimit { current: Some(lowest as u64), ..former })?;
        Ok(Self(former))
    }
}

impl Drop for NoMoreFiles {
    fn drop(&mut self) {
        let _: rustix::io::Result<()> = setrlimit(Resource::Nofile, self.0);
    }
}

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let (mut listener, address) = listener()?;
    small.add(&mut listener, 0)?;
    let _client = TcpStream::connect(address)?;
    let limit = NoMoreFiles::begin()?;
    small.wait_patiently()?;
    // The fault: after an error it tries again, without a wait.
    let attempts = (0..MANY).take_while(|_| small.accept(0, &listener).is_err()).count();
    drop(limit);
    let shown = Shown::new(small.into_lines()).mark("accept failed");
    Ok(shown.judge(attempts > FEW, format!("{attempts} attempts without a wait, then stopped")))
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

fn cured() -> Result<Shown> {
    let mut reactor = Reactor::new()?;
    let port = reactor.listen_tcp("127.0.0.1:0", || Quiet)?;
    let _client = TcpStream::connect(port.address())?;
    let limit = NoMoreFiles::begin()?;
    turn_until(&mut reactor, |context| {
        context.journal().records().filter(|record| failed(&record.to_string())).count() == 3
    })?;
    drop(limit);
    turn_until(&mut reactor, |context| context.statistics().made == 1)?;
    let lines = lines(&mut reactor);
    let attempts = lines.iter().filter(|line| failed(line)).count();
    let verdict =
        format!("{attempts} attempts, with a pause after each, then the client is served");
    let shown = Shown::new(lines).mark("accept").mark("a backoff ends");
    Ok(shown.judge(attempts > FEW, verdict))
}

fn failed(line: &str) -> bool {
    line.contains("accept failed")
}
