//! `tail -f` for the network: whoever connects gets the lines that are added to a file, as they are.
//!
//!     cargo run --example tail /var/log/syslog 127.0.0.1:7015
//!
//! Look on in another terminal, with whatever speaks TCP:
//!
//!     nc 127.0.0.1 7015
//!
//! It shows how the reactor watches a descriptor that is not a socket of its own: Linux tells by
//! inotify(7) what happens to a file, so nothing is done while nothing is added. A file that is cut
//! off is read from its beginning again, and a new one in its place is followed from there on, as
//! programs that rotate logs want it.
//!
//! Options:
//!
//!     FILE       the file; it may come into being later
//!     HOST:PORT  where to listen (127.0.0.1:7015; port 0 lets the system choose)
//!     --demo     follows a file that it writes and rotates itself, and looks on; ends by itself
//!     --help     this text

#[cfg(target_os = "linux")]
mod support;

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("error: there is no inotify here; it is Linux that has it");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    support::main(include_str!("tail.rs"), program::run)
}

#[cfg(target_os = "linux")]
mod program {
    use crate::support::{self, Failure, say};
    use lexopt::{Parser, prelude::*};
    use ropewalk::{Context, Id, Interest, Protocol, Reason, Transport, Watcher};
    use rustix::fs::inotify;
    use rustix::io::Errno;
    use std::collections::BTreeSet;
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::mem::MaybeUninit;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};
    use std::time::Duration;
    use std::{cell::RefCell, rc::Rc};

    /// How much is read at a time, in bytes; the others have their turn between.
    const PIECE: u64 = 64 * 1024;

    /// Who looks on.
    type Audience = Rc<RefCell<BTreeSet<Id>>>;

    /// One who looks on. What he says is of no interest.
    struct Onlooker(Audience);

    impl Protocol for Onlooker {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            say(format_args!("{} {} looks on", transport.id(), transport.peer()));
            self.0.borrow_mut().insert(transport.id());
        }

        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

        fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
            say(format_args!("{} {reason}", transport.id()));
            self.0.borrow_mut().remove(&transport.id());
        }
    }

    /// Follows a file by what happens in its folder.
    struct Follower {
        folder: OwnedFd,
        path: PathBuf,
        /// Where it has come to.
        open: Option<Open>,
        audience: Audience,
    }

    /// The file as it was when it was opened: another may have its name by now.
    struct Open {
        file: File,
        inode: u64,
        offset: u64,
    }

    impl Follower {
        fn new(path: PathBuf, audience: Audience) -> io::Result<Self> {
            let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
            let folder = inotify::init(flags)?;
            let changes = inotify::WatchFlags::MODIFY
                | inotify::WatchFlags::CREATE
                | inotify::WatchFlags::MOVED_TO;
            let parent = match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            inotify::add_watch(&folder, parent, changes)?;
            let mut open = Self::open(&path)?;
            if let Some(open) = &mut open {
                open.offset = open.file.metadata()?.len(); // What is there already is not news.
            }
            Ok(Self { folder, path, open, audience })
        }

        fn open(path: &Path) -> io::Result<Option<Open>> {
            match support::open(path) {
                Ok(file) => {
                    let inode = file.metadata()?.ino();
                    Ok(Some(Open { file, inode, offset: 0 }))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        }

        /// Reads all that inotify has to tell, which is only that it is worth a look.
        fn hear(&self) -> io::Result<()> {
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut events = inotify::Reader::new(&self.folder, &mut buffer);
            loop {
                match events.next() {
                    Ok(_) => {}
                    Err(Errno::AGAIN) => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
            }
        }

        /// Passes on the next piece of what was added. Returns whether there may be more.
        fn pass_on(&mut self, context: &mut Context) -> io::Result<bool> {
            let Some(open) = &mut self.open else {
                self.open = Self::open(&self.path)?;
                return Ok(self.open.is_some());
            };
            if open.file.metadata()?.len() < open.offset {
                say(format_args!("the file was cut off; from its beginning again"));
                io::Seek::rewind(&mut open.file)?;
                open.offset = 0;
            } else {
                io::Seek::seek(&mut open.file, io::SeekFrom::Start(open.offset))?;
            }
            let mut piece = Vec::new();
            (&open.file).take(PIECE).read_to_end(&mut piece)?;
            open.offset += piece.len() as u64;
            if !piece.is_empty() {
                self.audience.borrow().iter().for_each(|id| context.write(*id, &piece));
                return Ok(true);
            }
            // The old one is read to its end; is there a new one in its place?
            match Self::open(&self.path)? {
                Some(new) if new.inode != open.inode => {
                    say(format_args!("a new file has taken its place"));
                    self.open = Some(new);
                    Ok(true)
                }
                _ => Ok(false),
            }
        }
    }

    impl Watcher for Follower {
        fn descriptor(&self) -> BorrowedFd<'_> {
            self.folder.as_fd()
        }

        fn readable(&mut self, context: &mut Context, id: Id) {
            let done = self.pass_on(context).and_then(|more| {
                if more {
                    return Ok(()); // Nothing was heard yet, so this comes again, after the others.
                }
                self.hear()?;
                while self.pass_on(context)? {} // What was added since we looked.
                Ok(())
            });
            if let Err(error) = done {
                say(format_args!("{}: {error}", self.path.display()));
                context.close(id);
            }
        }

        fn lost(&mut self, context: &mut Context, _id: Id, _reason: Reason) {
            context.stop();
        }
    }

    /// The demo's onlooker: prints what comes, and knows when it has seen enough.
    struct Screen {
        seen: String,
        folder: PathBuf,
    }

    impl Protocol for Screen {
        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            let text = String::from_utf8_lossy(data);
            say(format_args!("onlooker: {}", text.trim_end()));
            self.seen.push_str(&text);
            let path = self.folder.join("log");
            match self.seen.lines().count() {
                1 => {
                    say(format_args!("(the log is rotated)"));
                    let rotated = std::fs::rename(&path, self.folder.join("log.1"));
                    rotated.expect("the file was there");
                    add(&path, "a line of the new file\n");
                }
                2 => {
                    say(format_args!("(the log is cut off)"));
                    std::fs::write(&path, "short\n").expect("it can be written");
                }
                _ => transport.context().stop(),
            }
        }
    }

    /// Begins the demo once there is somebody who looks on.
    fn begin(context: &mut Context, audience: Audience, log: PathBuf) {
        if audience.borrow().is_empty() {
            context.call_later(Duration::from_millis(10), |context| begin(context, audience, log));
        } else {
            add(&log, "a first line\n");
        }
    }

    fn add(path: &Path, line: &str) {
        let file = File::options().append(true).create(true).open(path);
        let added = file.and_then(|mut file| file.write_all(line.as_bytes()));
        added.expect("the demo can write into its own folder");
    }

    pub(super) fn run(mut arguments: Parser) -> Result<(), Failure> {
        let (mut values, mut demo) = (Vec::new(), false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("demo") => demo = true,
                Value(value) if values.len() < 2 => values.push(value),
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        if demo {
            let folder = std::env::temp_dir().join(format!("tail-demo-{}", std::process::id()));
            let trouble = |error| Failure::Run(format!("{}: {error}", folder.display()));
            std::fs::create_dir(&folder).map_err(trouble)?;
            let shown = follow(folder.join("log"), "127.0.0.1:0", Some(folder.clone()));
            std::fs::remove_dir_all(&folder).map_err(trouble)?;
            return shown;
        }
        let mut values = values.into_iter();
        let Some(path) = values.next() else {
            return Err(Failure::Usage("there is no FILE to follow".to_owned()));
        };
        let listen =
            values.next().map_or(Ok("127.0.0.1:7015".to_owned()), |value| value.string())?;
        follow(path.into(), &listen, None)
    }

    fn follow(path: PathBuf, listen: &str, demo: Option<PathBuf>) -> Result<(), Failure> {
        let (audience, name) = (Audience::default(), path.display().to_string());
        let follower = Follower::new(path.clone(), Rc::clone(&audience));
        let follower = follower.map_err(|error| Failure::Run(format!("{name}: {error}")))?;
        let mut reactor = support::reactor()?;
        let onlookers = Rc::clone(&audience);
        let port = reactor.listen_tcp(listen, move || Onlooker(Rc::clone(&onlookers)))?;
        reactor.context().watch(follower, Interest::Readable)?;
        say(format_args!("listening on {}", port.address()));
        say(format_args!("following {name}"));
        if let Some(folder) = demo {
            let screen = move || Screen { seen: String::new(), folder: folder.clone() };
            reactor.context().connect_tcp(port.address(), screen)?;
            begin(reactor.context(), audience, path);
        } else {
            let address = support::reachable(port.address());
            say(format_args!("look on with: socat -u TCP:{address} - (Ctrl-C ends it)"));
        }
        Ok(reactor.run()?)
    }
}
