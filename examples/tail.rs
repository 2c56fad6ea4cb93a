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
//! programs that rotate logs want it. A pull producer for each onlooker reads the file at that onlooker's pace:
//! data for a slow one stays in the file, not in memory. One that is two files behind is disconnected.
//!
//! Options:
//!
//!     FILE       the file; it may come into being later
//!     HOST:PORT  where to listen (127.0.0.1:7015; port 0 lets the system choose)
//!     --demo     follows a file that it writes and rotates itself, and looks on; ends by itself
//!     --help     this text

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
    use lexopt::{Parser, prelude::*};
    use ropewalk::{Context, Id, Interest, Producer, Protocol, Reason, Transport, Watcher};
    use rustix::fs::inotify::{self, WatchFlags};
    use rustix::io::Errno;
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::{self, Write};
    use std::mem::MaybeUninit;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::os::unix::fs::{FileExt, MetadataExt};
    use std::path::{Path, PathBuf};
    use std::time::Duration;
    use std::{cell::RefCell, rc::Rc};
    use support::{Failure, say};

    /// How much an onlooker is sent at a time, in bytes; the others have their turn between.
    const PIECE: usize = 64 * 1024;

    /// The file as it was when it was opened: another may have its name by now.
    struct Version {
        file: File,
        inode: u64,
        /// The one that has taken its place.
        next: RefCell<Option<Rc<Self>>>,
    }

    impl Version {
        /// What has the name now. `None` if nothing has.
        fn open(path: &Path) -> io::Result<Option<Rc<Self>>> {
            let file = match support::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened?,
            };
            let inode = file.metadata()?.ino();
            Ok(Some(Rc::new(Self { file, inode, next: RefCell::default() })))
        }
    }

    /// How far an onlooker has come. Data for a slow onlooker stays in the file: no onlooker waits for
    /// another, and each has no more than a piece in memory.
    #[derive(Clone, Default)]
    struct Place {
        /// `None` before there is a file.
        version: Option<Rc<Version>>,
        offset: u64,
        /// Whether a producer reads from here on. If not, all has been read.
        reads: bool,
    }

    impl Place {
        /// The next piece; an empty one if all has been read.
        fn read(&mut self) -> io::Result<Vec<u8>> {
            let mut piece = vec![0; PIECE];
            while let Some(version) = &self.version {
                if version.file.metadata()?.len() < self.offset {
                    self.offset = 0; // It was cut off.
                }
                let length = version.file.read_at(&mut piece, self.offset)?;
                self.offset += length as u64;
                let next = version.next.borrow().clone();
                if length > 0 || next.is_none() {
                    piece.truncate(length);
                    return Ok(piece);
                }
                *self = Self { version: next, offset: 0, reads: true };
            }
            Ok(Vec::new())
        }

        /// Moves to the end of the file.
        fn move_to_end(&mut self) -> io::Result<()> {
            if let Some(version) = &self.version {
                let length = version.file.metadata()?.len();
                if length < self.offset {
                    say(format_args!("the file was cut off; from its beginning again"));
                }
                self.offset = length;
            }
            Ok(())
        }
    }

    /// The onlookers, and where the file ended when it was last looked at.
    #[derive(Default)]
    struct Audience {
        places: BTreeMap<Id, Place>,
        end: Place,
    }

    /// An onlooker. What it sends is of no interest.
    struct Onlooker(Rc<RefCell<Audience>>);

    impl Protocol for Onlooker {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            say(format_args!("{} {} looks on", transport.id(), transport.peer()));
            let Audience { places, end } = &mut *self.0.borrow_mut();
            places.insert(transport.id(), end.clone());
        }

        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

        fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
            say(format_args!("{} {reason}", transport.id()));
            self.0.borrow_mut().places.remove(&transport.id());
        }
    }

    /// Reads on for an onlooker, until all has been read.
    struct Reading(Rc<RefCell<Audience>>);

    impl Producer for Reading {
        fn resume_producing(&mut self, transport: &mut Transport<'_>) {
            let mut audience = self.0.borrow_mut();
            let Some(place) = audience.places.get_mut(&transport.id()) else {
                return;
            };
            match place.read() {
                Ok(piece) if !piece.is_empty() => transport.write(&piece),
                Ok(_) => {
                    place.reads = false;
                    transport.unregister_producer();
                }
                Err(error) => {
                    say(format_args!("{}: {error}", transport.id()));
                    transport.abort();
                }
            }
        }

        fn stop_producing(&mut self, _context: &mut Context) {}
    }

    /// Follows a file by what happens in its folder.
    struct Follower {
        folder: OwnedFd,
        path: PathBuf,
        audience: Rc<RefCell<Audience>>,
    }

    impl Follower {
        fn new(path: PathBuf, audience: &Rc<RefCell<Audience>>) -> io::Result<Self> {
            let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
            let folder = inotify::init(flags)?;
            let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
            let parent = match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            inotify::add_watch(&folder, parent, changes)?;
            let follower = Self { folder, path, audience: Rc::clone(audience) };
            let end = &mut audience.borrow_mut().end;
            end.version = Version::open(&follower.path)?;
            end.move_to_end()?; // What is there already is not news.
            Ok(follower)
        }

        /// Takes a buffer of events from inotify, which say only that it is worth a look. If there are
        /// more, the descriptor stays readable.
        fn hear(&self) -> io::Result<()> {
            let mut buffer = [MaybeUninit::uninit(); 4096];
            match inotify::Reader::new(&self.folder, &mut buffer).next() {
                Ok(_) | Err(Errno::AGAIN) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }

        /// Has the file that has the name now follow upon the one that had it, if it is another.
        fn take_next(&self, context: &mut Context) -> io::Result<()> {
            let Audience { places, end } = &mut *self.audience.borrow_mut();
            let found = Version::open(&self.path)?;
            let inode = |version: &Option<Rc<Version>>| version.as_ref().map(|of| of.inode);
            if found.is_none() || inode(&found) == inode(&end.version) {
                return Ok(());
            }
            for (id, place) in places {
                if place.version.is_none() {
                    place.version = found.clone();
                } else if inode(&place.version) != inode(&end.version) {
                    // Two files behind: a file stays open, and on the disk, while an onlooker reads it.
                    say(format_args!("{id} is too slow"));
                    context.abort(*id);
                }
            }
            if let Some(before) = &end.version {
                say(format_args!("a new file has taken its place"));
                before.next.replace(found.clone());
            }
            *end = Place { version: found, ..Place::default() };
            Ok(())
        }

        /// Has those onlookers read on that have read all that there was.
        fn pass_on(&self, context: &mut Context) -> io::Result<()> {
            let Audience { places, end } = &mut *self.audience.borrow_mut();
            end.move_to_end()?;
            for (id, place) in places.iter_mut().filter(|(_, place)| !place.reads) {
                place.reads = true;
                let reading = Reading(Rc::clone(&self.audience));
                context.register_pull_producer(*id, reading).expect("it has no producer");
            }
            Ok(())
        }
    }

    impl Watcher for Follower {
        fn descriptor(&self) -> BorrowedFd<'_> {
            self.folder.as_fd()
        }

        fn readable(&mut self, context: &mut Context, id: Id) {
            let heard = self.hear().and_then(|()| self.take_next(context));
            if let Err(error) = heard.and_then(|()| self.pass_on(context)) {
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
    fn begin(context: &mut Context, audience: Rc<RefCell<Audience>>, log: PathBuf) {
        if audience.borrow().places.is_empty() {
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
        let (audience, name) = (Rc::default(), path.display().to_string());
        let follower = Follower::new(path.clone(), &audience);
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
