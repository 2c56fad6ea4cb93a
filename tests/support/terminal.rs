//! Pseudo-terminals, which socat(1) makes.

use super::PATIENCE;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Returns true if socat exists. Otherwise prints that the test is skipped.
pub(crate) fn terminals_work() -> bool {
    let mut command = Command::new("socat");
    let works = command.arg("-V").stdout(Stdio::null()).status().is_ok_and(|end| end.success());
    if !works {
        println!("skipped: socat(1) does not exist here");
    }
    works
}

/// A pseudo-terminal that echoes and edits lines. It ends when this is dropped.
pub(crate) struct Terminal {
    socat: Child,
    /// What the user types.
    pub(crate) keyboard: ChildStdin,
    /// What the user sees.
    pub(crate) screen: ChildStdout,
    path: PathBuf,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = format!("ropewalk-terminal-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(path);
        let mut command = Command::new("socat");
        command.arg(format!("PTY,link={}", path.display())).arg("-");
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut socat = piped.spawn().expect("socat");
        let (keyboard, screen) = (socat.stdin.take().unwrap(), socat.stdout.take().unwrap());
        let begin = Instant::now();
        while !path.exists() {
            assert!(begin.elapsed() < PATIENCE, "socat makes no terminal");
            std::thread::sleep(Duration::from_millis(1));
        }
        Self { socat, keyboard, screen, path }
    }

    /// Opens the terminal as a program's input or output. It becomes no controlling terminal.
    pub(crate) fn open(&self) -> File {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        options.open(&self.path).expect("the terminal")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.socat.kill();
        let _ = self.socat.wait();
        let _ = std::fs::remove_file(&self.path);
    }
}
