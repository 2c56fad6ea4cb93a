//! A file server that passes descriptors: clients receive open files over a Unix socket, also files that they could
//! not open themselves.
//!
//!     cargo run --example fd_passing -- --serve src /tmp/library.sock
//!
//! Request a file of that folder in another terminal:
//!
//!     cargo run --example fd_passing -- --get lib.rs /tmp/library.sock | head -3
//!
//! A request is a line with the file's name. The answer is a line that begins with `+`, with the file's
//! descriptor, opened for reading; or a line that begins with `-` and contains the reason. From Python:
//!
//!     python3 -c "import os, socket
//!     library = socket.socket(socket.AF_UNIX)
//!     library.connect('/tmp/library.sock')
//!     library.sendall(b'lib.rs\n')
//!     answer, files, _, _ = socket.recv_fds(library, 100, 1)
//!     print(answer, os.read(files[0], 50))"
//!
//! Options:
//!
//!     PATH            the socket; @NAME is an abstract name (Linux)
//!     --serve FOLDER  serve the files of this folder
//!     --get FILE      request this file and print it
//!     --demo          a server in this process, and clients in others; ends by itself
//!     --help          this text

#[cfg(not(unix))]
fn main() {
    eprintln!("error: this system has no Unix sockets");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    support::main(include_str!("fd_passing.rs"), program::run)
}

#[cfg(unix)]
mod program {
    use lexopt::{Parser, prelude::*};
    use ropewalk::{
        Address, ConnectOptions, Context, Error, Factory, Handle, Id, Protocol, Reactor, Reason,
        Transport, UnixAddress,
    };
    use ropewalk_protocols::{LineHandler, LineReceiver, LineTransport};
    use std::ffi::OsStr;
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::{Arc, OnceLock};
    use std::thread;
    use support::{Failure, say, unix};

    /// The server's protocol: each line is answered with the file of that name.
    struct FileServer {
        folder: PathBuf,
    }

    impl FileServer {
        /// Opens a file of the folder. Paths are refused.
        fn open(&self, name: &str) -> io::Result<File> {
            if Path::new(name).file_name() != Some(OsStr::new(name)) {
                return Err(io::Error::other("expected a file's name without a folder"));
            }
            support::open(&self.folder.join(name))
        }
    }

    impl LineHandler for FileServer {
        type Line = str;

        fn line_received(&mut self, lines: &mut LineTransport<'_>, name: &str) {
            let (id, answer) = (lines.id(), format!("+{name}\n"));
            let passed = self.open(name).map_err(|error| error.to_string()).and_then(|file| {
                lines.send_descriptors(answer.as_bytes(), [file]).map_err(|error| error.to_string())
            });
            match passed {
                Ok(()) => say(format_args!("{id}: received {name}")),
                Err(error) => {
                    say(format_args!("{id}: {name:?} was refused: {error}"));
                    lines.send_line(format!("-{error}"));
                }
            }
        }
    }

    /// The factory of a client.
    struct Client {
        name: String,
        outcome: Outcome,
    }

    /// The received file, or the reason of a failure.
    type Outcome = Arc<OnceLock<Result<File, String>>>;

    impl Factory for Client {
        fn build(&mut self, _peer: &Address) -> Option<Box<dyn Protocol>> {
            let (name, outcome) = (self.name.clone(), self.outcome.clone());
            Some(Box::new(Request { name, answer: Vec::new(), file: None, outcome }))
        }

        fn connection_failed(&mut self, context: &mut Context, _id: Id, error: Error) {
            let _ = self.outcome.set(Err(error.to_string()));
            context.stop();
        }
    }

    /// The client's protocol: one request.
    struct Request {
        name: String,
        answer: Vec<u8>,
        /// The file that was received with the answer.
        file: Option<File>,
        outcome: Outcome,
    }

    impl Request {
        /// Evaluates the complete answer.
        fn finish(&mut self) -> Result<File, String> {
            let answer = String::from_utf8_lossy(&self.answer);
            match answer.strip_prefix('-') {
                Some(reason) => Err(format!("{}: {}", self.name, reason.trim_end())),
                None => self.file.take().ok_or_else(|| "the answer has no file".to_owned()),
            }
        }
    }

    impl Protocol for Request {
        fn connection_made(&mut self, transport: &mut Transport<'_>) {
            let name = &self.name;
            writeln!(transport, "{name}");
        }

        fn descriptors_received(
            &mut self,
            transport: &mut Transport<'_>,
            data: &[u8],
            descriptors: Vec<OwnedFd>,
        ) {
            self.file = descriptors.into_iter().next().map(File::from);
            self.data_received(transport, data);
        }

        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            self.answer.extend_from_slice(data);
            if data.ends_with(b"\n") || self.answer.len() > 4096 {
                let outcome = self.finish();
                let _ = self.outcome.set(outcome);
                transport.close();
            }
        }

        fn connection_lost(&mut self, transport: &mut Transport<'_>, reason: Reason) {
            let _ = self.outcome.set(Err(format!("the connection was lost: {reason}")));
            transport.context().stop();
        }
    }

    pub(crate) fn run(mut arguments: Parser) -> Result<(), Failure> {
        let (mut name, mut folder, mut file, mut demo) = (None, None, None, false);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("serve") => folder = Some(PathBuf::from(arguments.value()?)),
                Long("get") => file = Some(arguments.value()?.string()?),
                Long("demo") => demo = true,
                Value(value) => support::once(&mut name, value)?,
                argument => return Err(support::other(argument)),
            }
        }
        support::log_from("warn");
        let name = name.map(unix::name);
        match (name, folder, file) {
            _ if demo => demonstrate(),
            (None, ..) => Err(Failure::Usage("missing PATH".to_owned())),
            (Some(name), Some(folder), None) => {
                let mut reactor = support::reactor()?;
                serve(&mut reactor, &name, folder)?;
                say(format_args!(
                    "try it with: cargo run --example fd_passing -- --get FILE {name}"
                ));
                Ok(reactor.run()?)
            }
            (Some(name), None, Some(file)) => get(&name, file),
            _ => Err(Failure::Usage("either --serve FOLDER or --get FILE".to_owned())),
        }
    }

    fn serve(reactor: &mut Reactor, name: &UnixAddress, folder: PathBuf) -> Result<(), Error> {
        let server = move || LineReceiver::new(FileServer { folder: folder.clone() });
        let port = reactor.listen_unix(name, server)?;
        say(format_args!("listening on {}", port.address()));
        Ok(())
    }

    fn get(name: &UnixAddress, file: String) -> Result<(), Failure> {
        let mut reactor = support::reactor()?;
        let outcome = Outcome::default();
        let client = Client { name: file, outcome: outcome.clone() };
        let options = ConnectOptions::new().descriptors(true);
        options.connect_unix(reactor.context(), name, client)?;
        reactor.run()?;
        drop(reactor);
        match Arc::into_inner(outcome).and_then(OnceLock::into_inner) {
            Some(Ok(file)) => support::copy(file),
            Some(Err(message)) => Err(Failure::Run(message)),
            None => Ok(()), // A signal ended the run.
        }
    }

    /// Runs the demo: a server of a temporary folder, and this program as a client in other processes.
    fn demonstrate() -> Result<(), Failure> {
        let folder = unix::Folder::new();
        let failed = |error: io::Error| Failure::Run(error.to_string());
        std::fs::write(folder.path("poem"), "This file was opened by another process.\n")
            .map_err(failed)?;
        let path = folder.path("library.sock");
        let mut reactor = support::reactor()?;
        serve(&mut reactor, &(&path).into(), folder.path(""))?;
        let handle = reactor.context().handle();
        let requests = thread::spawn(move || request(&path, &handle));
        reactor.run()?;
        requests.join().expect("the thread does not panic").map_err(failed)
    }

    /// Runs two clients. The first requests a file that exists, the second one that does not.
    fn request(path: &Path, handle: &Handle) -> io::Result<()> {
        let outcome = ["poem", "novel"].into_iter().try_for_each(|name| {
            let program = std::env::current_exe()?;
            let output = Command::new(program).args(["--get", name]).arg(path).output()?;
            let (text, errors) = (output.stdout, output.stderr);
            say(format_args!("a client requested {name} and printed:"));
            say(format_args!("    {}", String::from_utf8_lossy(&[text, errors].concat()).trim()));
            Ok(())
        });
        // The call fails if a signal has stopped the reactor.
        let _ = handle.call(|context| context.stop());
        outcome
    }
}
