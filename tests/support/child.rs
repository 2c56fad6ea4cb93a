//! Scenarios that are played in a process of their own.

use super::PATIENCE;
use std::fmt::Debug;
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Instant;

/// A wrapper for [`in_child`] that lets the child have as many descriptors as may be had.
pub(crate) const MANY_FILES: [&str; 3] =
    ["sh", "-c", "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\""];

const CHILD: &str = "ROPEWALK_TEST_CHILD";

/// Whether this process is the one that plays a scenario for [`in_child`].
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// The command that runs the test `name` of this very program, alone and as a child. `wrapper` is
/// put before it, for instance `["prlimit", "--nofile=40"]`.
pub(crate) fn child(name: &str, wrapper: &[&str]) -> Command {
    let mut command = Command::new("env");
    // A shell starts what runs in the background with SIGINT ignored, and children inherit it.
    command.arg("--default-signal=INT").args(wrapper);
    command.arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(CHILD, "1").stdin(Stdio::null());
    command
}

/// Whether strace is there and may trace; if not, the scenario is skipped, and says so.
pub(crate) fn strace_works() -> bool {
    let mut command = Command::new("strace");
    command.args(["-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    let works = command.status().is_ok_and(|status| status.success());
    if !works {
        println!("skipped: there is no strace(1) here, or it may not trace");
    }
    works
}

/// Runs the test `name` in a child, which has to succeed.
pub(crate) fn in_child(name: &str, wrapper: &[&str]) -> Output {
    let output = child(name, wrapper).output().expect("the child starts");
    assert!(
        output.status.success(),
        "child {name}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// How many descriptors this process has open.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// Tries until it succeeds. A child that another scenario of this process starts has copies of all descriptors
/// until it executes its program (fork(2), FD_CLOEXEC). So a port that was closed here may still be in use for a
/// moment.
pub(crate) fn once_free<T, E: Debug>(mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let begin = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) => assert!(begin.elapsed() < PATIENCE, "it is in use: {error:?}"),
        }
        thread::yield_now();
    }
}

/// Nothing listens there any more, nor does a child's copy (see [`once_free`]).
pub(crate) fn is_refused(address: impl ToSocketAddrs + Debug) {
    let error = once_free(|| match TcpStream::connect(&address) {
        Ok(_) => Err(&address),
        Err(error) => Ok(error),
    });
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
