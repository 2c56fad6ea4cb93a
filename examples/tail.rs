//! `tail -f` for the network: each connection receives the data that is appended to a file.
//!
//!     cargo run --example tail --features inotify /var/log/syslog 127.0.0.1:7015
//!
//! Connect in another terminal, with any TCP client:
//!
//!     nc 127.0.0.1 7015
//!
//! The reactor watches a foreign descriptor: inotify(7) reports changes of the file, and the program is idle
//! otherwise. A truncated file is read from its beginning again. A new file of the same name is followed, as log
//! rotation requires. A pull producer for each connection reads the file at the connection's pace: data for a slow
//! connection stays in the file, not in memory. A connection that is two files behind is disconnected.
//!
//! Options:
//!
//!     FILE       the file; it may be created later
//!     HOST:PORT  where to listen (127.0.0.1:7015; port 0 lets the system choose)
//!     --demo     follows a file that it writes and rotates itself, with a client; ends by itself
//!     --help     this text

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("error: inotify needs Linux");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    support::main(include_str!("tail.rs"), program::run)
}

#[cfg(target_os = "linux")]
mod program {
    use lexopt::{Parser, prelude::*};
    use nix::errno::Errno;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use ropewalk::{Context, Id, Interest, Producer, Protocol, Reason, Transport, Watcher};
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::fs::{FileExt, MetadataExt};
    use std::path::{Path, PathBuf};
    use std::time::Duration;
    use std::{cell::RefCell, rc::Rc};
    use support::{Failure, say};

    /// The number of bytes that a connection is sent at a time. It bounds the delay of the other connections.
    const CHUNK: usize = 64 * 1024;

    /// An open file. Another file can have its name in the meantime.
    struct Version {
        file: File,
        inode: u64,
        /// The file that has replaced it.
        next: RefCell<Option<Rc<Self>>>,
    }

    impl Version {
        /// Opens the file that has the name now. Returns `None` if there is none.
        fn open(path: &Path) -> io::Result<Option<Rc<Self>>> {
            let file = match support::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened?,
            };
            let inode = file.metadata()?.ino();
            Ok(Some(Rc::new(Self { file, inode, next: RefCell::default() })))
        }
    }

    /// The position of a connection in the file. Data for a slow connection stays in the file; each connection has one
    /// chunk in memory at most.
    #[derive(Clone, Default)]
    struct Position {
        /// `None` before there is a file.
        version: Option<Rc<Version>>,
        offset: u64,
        /// True while a producer reads. If false, all data was read.
        reads: bool,
    }

    impl Position {
        /// Reads the next chunk, which is empty if all data was read.
        fn read(&mut self) -> io::Result<Vec<u8>> {
            let mut chunk = vec![0; CHUNK];
            while let Some(version) = &self.version {
                if version.file.metadata()?.len() < self.offset {
                    self.offset = 0; // The file was truncated.
                }
                let length = version.file.read_at(&mut chunk, self.offset)?;
                self.offset += length as u64;
                let next = version.next.borrow().clone();
                if length > 0 || next.is_none() {
                    chunk.truncate(length);
                    return Ok(chunk);
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
                    say(format_args!("the file was truncated; reading from its beginning"));
                }
                self.offset = length;
            }
            Ok(())
        }
    }

    /// The connections, and the end of the file at the last change.
    #[derive(Default)]
    struct Connections {
        positions: BTreeMap<Id, Position>,
        end: Position,
    }

    /// The protocol of a connection. Received data is ignored.
    struct Viewer(Rc<RefCell<Connections>>);

    impl Protocol for Viewer {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            say(format_args!("{} {} connected", transport.id(), transport.peer()));
            let Connections { positions, end } = &mut *self.0.borrow_mut();
            positions.insert(transport.id(), end.clone());
        }

        fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}

        fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
            say(format_args!("{} {reason}", transport.id()));
            self.0.borrow_mut().positions.remove(&transport.id());
        }
    }

    /// The producer of a connection's data, until all data was read.
    struct FileProducer(Rc<RefCell<Connections>>);

    impl Producer for FileProducer {
        fn resume_producing(&mut self, transport: &mut Transport<'_>) {
            let mut connections = self.0.borrow_mut();
            let Some(position) = connections.positions.get_mut(&transport.id()) else {
                return;
            };
            match position.read() {
                Ok(chunk) if !chunk.is_empty() => transport.write(&chunk),
                Ok(_) => {
                    position.reads = false;
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

    /// The watcher of the file's folder.
    struct Follower {
        folder: Inotify,
        path: PathBuf,
        connections: Rc<RefCell<Connections>>,
    }

    impl Follower {
        fn new(path: PathBuf, connections: &Rc<RefCell<Connections>>) -> io::Result<Self> {
            let folder = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
            let changes =
                AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
            let parent = match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            folder.add_watch(parent, changes)?;
            let follower = Self { folder, path, connections: Rc::clone(connections) };
            let end = &mut connections.borrow_mut().end;
            end.version = Version::open(&follower.path)?;
            end.move_to_end()?; // Only appended data is sent.
            Ok(follower)
        }

        /// Reads a buffer of inotify's events. Each event means that the file may have changed. If there are more
        /// events, the descriptor stays readable.
        fn read_events(&self) -> io::Result<()> {
            match self.folder.read_events() {
                Ok(_) | Err(Errno::EAGAIN) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }

        /// Follows the file that has the name now, if it was replaced.
        fn follow_replacement(&self, context: &mut Context) -> io::Result<()> {
            let Connections { positions, end } = &mut *self.connections.borrow_mut();
            let found = Version::open(&self.path)?;
            let inode = |version: &Option<Rc<Version>>| version.as_ref().map(|of| of.inode);
            if found.is_none() || inode(&found) == inode(&end.version) {
                return Ok(());
            }
            for (id, position) in positions {
                if position.version.is_none() {
                    position.version = found.clone();
                } else if inode(&position.version) != inode(&end.version) {
                    // It is two files behind. A file stays open, and on the disk, while a connection reads it.
                    say(format_args!("{id} is too slow"));
                    context.abort(*id);
                }
            }
            if let Some(before) = &end.version {
                say(format_args!("the file was replaced"));
                before.next.replace(found.clone());
            }
            *end = Position { version: found, ..Position::default() };
            Ok(())
        }

        /// Registers producers for the connections that had read all data.
        fn resume_connections(&self, context: &mut Context) -> io::Result<()> {
            let Connections { positions, end } = &mut *self.connections.borrow_mut();
            end.move_to_end()?;
            for (id, position) in positions.iter_mut().filter(|(_, position)| !position.reads) {
                position.reads = true;
                let producer = FileProducer(Rc::clone(&self.connections));
                context
                    .transport(*id)
                    .register_pull_producer(producer)
                    .expect("it has no producer");
            }
            Ok(())
        }
    }

    impl Watcher for Follower {
        fn descriptor(&self) -> BorrowedFd<'_> {
            self.folder.as_fd()
        }

        fn readable(&mut self, context: &mut Context, id: Id) {
            let followed = self.read_events().and_then(|()| self.follow_replacement(context));
            if let Err(error) = followed.and_then(|()| self.resume_connections(context)) {
                say(format_args!("{}: {error}", self.path.display()));
                context.close(id);
            }
        }

        fn lost(&mut self, context: &mut Context, _id: Id, _reason: Reason) {
            context.stop();
        }
    }

    /// The demo's client. It prints the received lines, and changes the file after each.
    struct DemoClient {
        received: String,
        folder: PathBuf,
    }

    impl Protocol for DemoClient {
        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            let text = String::from_utf8_lossy(data);
            say(format_args!("client: {}", text.trim_end()));
            self.received.push_str(&text);
            let path = self.folder.join("log");
            match self.received.lines().count() {
                1 => {
                    say(format_args!("(the log is rotated)"));
                    let rotated = std::fs::rename(&path, self.folder.join("log.1"));
                    rotated.expect("the file exists");
                    add(&path, "a line of the new file\n");
                }
                2 => {
                    say(format_args!("(the log is truncated)"));
                    std::fs::write(&path, "short\n").expect("it can be written");
                }
                _ => transport.context().stop(),
            }
        }
    }

    /// Writes the first line of the demo when the client is connected.
    fn begin(context: &mut Context, connections: Rc<RefCell<Connections>>, log: PathBuf) {
        if connections.borrow().positions.is_empty() {
            context
                .call_later(Duration::from_millis(10), |context| begin(context, connections, log));
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
            let failed = |error| Failure::Run(format!("{}: {error}", folder.display()));
            std::fs::create_dir(&folder).map_err(failed)?;
            let ended = follow(folder.join("log"), "127.0.0.1:0", Some(folder.clone()));
            std::fs::remove_dir_all(&folder).map_err(failed)?;
            return ended;
        }
        let mut values = values.into_iter();
        let Some(path) = values.next() else {
            return Err(Failure::Usage("FILE is missing".to_owned()));
        };
        let listen =
            values.next().map_or(Ok("127.0.0.1:7015".to_owned()), |value| value.string())?;
        follow(path.into(), &listen, None)
    }

    fn follow(path: PathBuf, listen: &str, demo: Option<PathBuf>) -> Result<(), Failure> {
        let (connections, name) = (Rc::default(), path.display().to_string());
        let follower = Follower::new(path.clone(), &connections);
        let follower = follower.map_err(|error| Failure::Run(format!("{name}: {error}")))?;
        let mut reactor = support::reactor()?;
        let viewers = Rc::clone(&connections);
        let port = reactor.listen_tcp(listen, move || Viewer(Rc::clone(&viewers)))?;
        reactor.context().watch(follower, Interest::Readable)?;
        say(format_args!("listening on {}", port.address()));
        say(format_args!("following {name}"));
        if let Some(folder) = demo {
            let client = move || DemoClient { received: String::new(), folder: folder.clone() };
            reactor.context().connect_tcp(port.address(), client)?;
            begin(reactor.context(), connections, path);
        } else {
            let address = support::reachable(port.address());
            say(format_args!("try it with: socat -u TCP:{address} - (Ctrl-C ends it)"));
        }
        Ok(reactor.run()?)
    }
}
