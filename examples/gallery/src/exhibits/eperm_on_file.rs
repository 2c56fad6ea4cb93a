//! A file that cannot be polled.
//!
//! What one sees: `program < file` fails with "operation not permitted", though the file may be read. `cat file | program`
//! works.
//!
//! Why: epoll_ctl(2) refuses regular files and directories with EPERM, since they are always ready. Only pipes, sockets,
//! terminals and some devices can be polled.
//!
//! The cure: treat EPERM as "always ready", and read such a descriptor within a budget of each turn; or read it on a
//! thread. Ropewalk's `Pipes` do the first, and `Context::watch` returns an error that says what to do.
//!
//! The issue: clustershell/clustershell#56, "Broken epoll.register() when stdin is a plain file".

use crate::on_ropewalk::{lines, turn_until};
use crate::small_loop::SmallLoop;
use crate::{Exhibit, Result, Shown};
use mio::unix::SourceFd;
use ropewalk::{Pipes, Protocol, Reactor, Transport};
use std::env;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;

pub(crate) const EXHIBIT: Exhibit = Exhibit {
    name: "eperm_on_file",
    about: "Standard input is a file, and the poll refuses it.",
    issue: "clustershell/clustershell#56: Broken epoll.register() when stdin is a plain file",
    broken,
    cured,
};

/// Returns a regular file, which stands for standard input: the program itself.
fn input() -> Result<File> {
    Ok(File::open(env::current_exe()?)?)
}

fn broken() -> Result<Shown> {
    let mut small = SmallLoop::new()?;
    let mut file = input()?;
    let length = file.metadata()?.len();
    let mut read = 0;
    // The fault: a descriptor that cannot be polled is taken for one that cannot be read.
    match small.add(&mut SourceFd(&file.as_raw_fd()), 1) {
        Ok(()) => read = file.read(&mut [0; 4096])?,
        Err(error) => small.say(Some(1), &format!("epoll_ctl failed: {error}")),
    }
    let shown = Shown::new(small.into_lines()).mark("epoll_ctl");
    Ok(shown.judge(read == 0, format!("{read} of {length} bytes were read")))
}

struct Reader;

impl Protocol for Reader {
    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

fn cured() -> Result<Shown> {
    let file = input()?;
    let length = file.metadata()?.len();
    let mut reactor = Reactor::new()?;
    Pipes::new().input(file).adopt(reactor.context(), Reader)?;
    turn_until(&mut reactor, |context| context.statistics().lost() == 1)?;
    let read = reactor.context().statistics().received;
    let shown = Shown::new(lines(&mut reactor)).mark("recv").mark("eof_received");
    Ok(shown.judge(read < length, format!("{read} of {length} bytes were read")))
}
