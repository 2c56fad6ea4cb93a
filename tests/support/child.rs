//! Tests that run in a child process of their own.

use super::PATIENCE;
use std::fmt::Debug;
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A wrapper for [`in_child`] that raises the limit on descriptors to the hard limit.
pub(crate) const MANY_FILES: [&str; 3] =
    ["sh", "-c", "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\""];

const CHILD: &str = "ROPEWALK_TEST_CHILD";

/// The name of the test function that uses it, as libtest's `--exact` takes it. Not for use in closures.
#[allow(unused_macros)] // Not every test program runs children.
macro_rules! this_test {
    () => {{
        fn here() {}
        let path = std::any::type_name_of_val(&here);
        let name = path.strip_suffix("::here").and_then(|path| path.split_once("::"));
        name.expect("the path of a function").1
    }};
}
#[allow(unused_imports)]
pub(crate) use this_test;

/// Returns true if this process was started by [`child`].
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Returns the command that runs only the test `name` of this program, as a child. `wrapper` precedes it, for
/// example `["prlimit", "--nofile=40"]`.
pub(crate) fn child(name: &str, wrapper: &[&str]) -> Command {
    let mut command = Command::new("env");
    // A shell starts background commands with SIGINT ignored, and children inherit that.
    command.arg("--default-signal=INT").args(wrapper);
    command.arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(CHILD, "1").stdin(Stdio::null());
    command
}

/// Returns true if strace exists and may trace. Otherwise prints that the test is skipped.
pub(crate) fn strace_works() -> bool {
    let mut command = Command::new("strace");
    command.args(["-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    let works = command.status().is_ok_and(|status| status.success());
    if !works {
        println!("skipped: strace(1) does not exist here, or may not trace");
    }
    works
}

/// Runs the test `name` in a child, and asserts that it passes and that it ran.
pub(crate) fn in_child(name: &str, wrapper: &[&str]) -> Output {
    let output = child(name, wrapper).output().expect("the child starts");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "child {name}: {}\n{stdout}\n{stderr}", output.status);
    assert!(stdout.contains("1 passed"), "child {name} ran no test:\n{stdout}");
    output
}

/// Runs the test `name` in a child with namespaces of its own, by unshare(1) with these `flags`, after the commands of
/// `setup`. Where one of them is missing or forbidden, prints that the test is skipped.
#[cfg(target_os = "linux")]
pub(crate) fn in_namespaces(name: &str, flags: &[&str], setup: &str) {
    let setup = format!("{setup} && exec \"$0\" \"$@\"");
    let wrapper = [&["unshare"], flags, &["sh", "-c", &setup]].concat();
    let mut works = Command::new(wrapper[0]);
    works.args(&wrapper[1..]).arg("true").stderr(Stdio::null());
    if works.status().is_ok_and(|status| status.success()) {
        in_child(name, &wrapper);
    } else {
        println!("skipped: no such namespace can be made here, or a program is missing");
    }
}

/// Waits for the end of a child. Kills it and panics if that takes longer than `limit`.
pub(crate) fn end_of(child: &mut Child, limit: Duration) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if begin.elapsed() > limit {
            child.kill().expect("a child");
            child.wait().expect("a child");
            panic!("the child does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns how many descriptors this process has open.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// Repeats `attempt` until it succeeds. A child that another test of this process starts has copies of all
/// descriptors until it executes its program (fork(2), FD_CLOEXEC), so a port that was closed here may remain
/// in use for a moment.
pub(crate) fn once_free<T, E: Debug>(mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let begin = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) => assert!(begin.elapsed() < PATIENCE, "still in use: {error:?}"),
        }
        thread::yield_now();
    }
}

/// Asserts that `address` refuses connections. A copy in a child may accept them for a moment (see [`once_free`]).
pub(crate) fn is_refused(address: impl ToSocketAddrs + Debug) {
    let error = once_free(|| match TcpStream::connect(&address) {
        Ok(_) => Err(&address),
        Err(error) => Ok(error),
    });
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
