//! The Python servers, in a virtual environment beside the build, which is made once.
//!
//! | Program | What |
//! |---|---|
//! | `asyncio_server.py` | asyncio's protocols, on its own loop and on uvloop |
//! | `twisted_server.py` | Twisted, the model of Ropewalk, on its epoll reactor |

use super::{Served, Work};
use rustix::fs::FlockOperation;
use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const TWISTED: &str = include_str!("python/twisted_server.py");
const ASYNCIO: &str = include_str!("python/asyncio_server.py");

pub(super) fn serve_twisted(work: Work, address: SocketAddr) -> Served {
    serve(environment()?, TWISTED, &["lines"], work, address)
}

pub(super) fn serve_twisted_chunks(work: Work, address: SocketAddr) -> Served {
    serve(environment()?, TWISTED, &["chunks"], work, address)
}

/// Needs no package, so it runs wherever Python is installed.
pub(super) fn serve_asyncio(work: Work, address: SocketAddr) -> Served {
    let python = environment().unwrap_or_else(|_| PathBuf::from("python3"));
    serve(python, ASYNCIO, &["asyncio"], work, address)
}

pub(super) fn serve_uvloop(work: Work, address: SocketAddr) -> Served {
    serve(environment()?, ASYNCIO, &["uvloop"], work, address)
}

/// Replaces this process by the interpreter, so that the process id stays the same.
fn serve(
    python: PathBuf,
    program: &str,
    first: &[&str],
    work: Work,
    address: SocketAddr,
) -> Served {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let mut interpreter = Command::new(python);
    interpreter.args(["-c", program]).args(first).args([work.word(), &host, &port]);
    Err(interpreter.exec().into())
}

/// Returns the interpreter of an environment that has Twisted and uvloop. Making it the first time
/// takes some seconds and the network; the error says in a few words what is missing.
pub(crate) fn environment() -> Result<PathBuf, String> {
    let target = target_directory()?;
    let environment = target.join("python");
    let interpreter = environment.join("bin/python");
    // Waits while another process makes it.
    let lock = File::create(target.join("python.lock")).map_err(|error| error.to_string())?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|error| error.to_string())?;
    let ready = environment.join("ready");
    if !ready.exists() {
        make(&environment, &interpreter)?;
        fs::write(&ready, "").map_err(|error| error.to_string())?;
    }
    Ok(interpreter)
}

fn make(environment: &Path, interpreter: &Path) -> Result<(), String> {
    run("no venv", Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let patience = ["--retries", "1", "--timeout", "20"];
    let packages = ["twisted", "uvloop"];
    let mut install = Command::new(interpreter);
    run("no packages", install.args(pip).args(patience).args(packages))
}

/// Returns Cargo's directory for this build, in which this program is `measured/ropewalk-bench`.
pub(super) fn target_directory() -> Result<PathBuf, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let target = program.ancestors().nth(2).ok_or("no directory for the environment")?;
    Ok(target.to_owned())
}

/// Runs `command`. If it fails, the last word of its output is the reason.
pub(super) fn run(failure: &str, command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(format!("{failure}: {}", said.trim().lines().last().unwrap_or("no reason given")))
}
