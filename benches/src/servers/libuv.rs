//! An echo on libuv: a C program that the system's compiler builds once, beside this build. It
//! needs libuv's header and library (Debian: `libuv1-dev`).

use super::python::{run, target_directory};
use super::{Served, Work};
use rustix::fs::FlockOperation;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = include_str!("libuv/echo.c");

/// Replaces this process by the program.
pub(super) fn serve(_echo: Work, address: SocketAddr) -> Served {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Err(Command::new(program()?).args([host, port]).exec().into())
}

/// Returns the program, compiled unless this source was compiled before.
fn program() -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("libuv: {error}");
    let directory = target_directory()?.join("libuv");
    fs::create_dir_all(&directory).map_err(failed)?;
    // Another process may be compiling it.
    let lock = File::create(directory.join("lock")).map_err(failed)?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)
        .map_err(|error| failed(error.into()))?;
    let [source, program] = ["echo.c", "echo"].map(|name| directory.join(name));
    let is_current = fs::read_to_string(&source).is_ok_and(|text| text == SOURCE);
    if !is_current || !program.exists() {
        fs::write(&source, SOURCE).map_err(failed)?;
        let mut compile = Command::new("cc");
        compile.args(["-O2", "-o"]).arg(&program).arg(&source).arg("-luv");
        if let Err(reason) = run("cc", &mut compile) {
            let _ = fs::remove_file(&source); // The next attempt compiles again.
            return Err(format!("no libuv: install libuv1-dev and a C compiler ({reason})"));
        }
    }
    Ok(program)
}
