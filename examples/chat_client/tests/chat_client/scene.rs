//! The program in a terminal that the test emulates, with a server that sends the lines of the test.

use ropewalk::Reactor;
use ropewalk_chat::Chat;
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The time limit for output, after which a test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The sequence that clears the row.
pub(crate) const CLEAR: &str = "\r\x1b[J";

/// A server that sends the lines of the test.
pub(crate) struct Server {
    pub(crate) client: TcpStream,
}

/// A client in a terminal that the test emulates.
pub(crate) struct Terminal {
    pub(crate) pty: Arc<File>,
    pub(crate) child: Child,
    output: Receiver<Vec<u8>>,
    /// The output that was received and not read yet.
    unread: String,
    /// The screen after all output that was received.
    emulator: vt100::Parser,
}

/// Starts both, and waits until the client has drawn its row.
pub(crate) fn start(columns: u16) -> (Server, Terminal) {
    start_with(columns, &[], &[])
}

/// Starts both, the client with these options and variables.
pub(crate) fn start_with(
    columns: u16,
    options: &[&str],
    variables: &[(&str, &str)],
) -> (Server, Terminal) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut client = Command::new(program());
    client.arg(address).args(options).envs(variables.iter().copied());
    let mut terminal = Terminal::start(client, columns);
    let mut server = Server { client: listener.accept().unwrap().0 };
    server.say("* what is your name?");
    terminal.read_until("name?\r\r\n");
    terminal.read_until(&row("", ""));
    (server, terminal)
}

/// Starts a chat on a thread, and returns its address. It runs until the end of the tests.
pub(crate) fn chat() -> String {
    let (sender, address) = mpsc::channel();
    thread::spawn(move || {
        let mut reactor = Reactor::new().unwrap();
        let port = reactor.listen_tcp("127.0.0.1:0", Chat::new().factory()).unwrap();
        sender.send(port.address().to_string()).unwrap();
        reactor.run().unwrap();
    });
    address.recv().unwrap()
}

/// Returns the size of a window.
fn size(columns: u16) -> Winsize {
    Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Returns the path of the program.
pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_chat_client")
}

/// Returns the sequence that draws the row.
pub(crate) fn row(before: &str, after: &str) -> String {
    format!("\x1b[?7l> {before}\x1b7{after}\x1b8\x1b[?7h")
}

impl Server {
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.client, "{line}").unwrap();
    }
}

impl Terminal {
    /// Starts a program in a new terminal.
    pub(crate) fn start(program: Command, columns: u16) -> Self {
        // The programs of other tests must not inherit it.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).and_then(|()| unlockpt(&master)).unwrap();
        tcsetwinsize(&master, size(columns)).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let path = Path::new(OsStr::from_bytes(path.as_bytes()));
        let mut slave = File::options();
        slave.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
        let slave = slave.open(path).unwrap();
        let end = || slave.try_clone().unwrap();
        // setsid(1) makes it the controlling terminal, and then becomes the program. A program that begins with a signal
        // ignored leaves it so, as under nohup(1).
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,INT,QUIT", "setsid", "--ctty"]);
        command.arg(program.get_program()).args(program.get_args());
        command.env_remove("RUST_LOG");
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("setsid(1)");
        let pty = Arc::new(File::from(master));
        let (sender, output) = mpsc::channel();
        let reading = Arc::clone(&pty);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = (&*reading).read(&mut buffer) {
                let _ = sender.send(buffer[..length].to_vec());
            }
        });
        let [rows, columns] = [24, columns].map(|number| NonZero::new(number).unwrap());
        let emulator = vt100::Parser::new(rows, columns, 0);
        Self { pty, child, output, unread: String::new(), emulator }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn resize(&self, columns: u16) {
        tcsetwinsize(&*self.pty, size(columns)).unwrap();
    }

    /// Reads output up to the end of `text`. The terminal adds a CR to each LF (ONLCR, termios(3)).
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.unread.find(text) {
                let rest = self.unread.split_off(at + text.len());
                return std::mem::replace(&mut self.unread, rest);
            }
            if let Err(error) = self.receive() {
                panic!("no {text:?} in {:?}: {error}", self.unread);
            }
        }
    }

    /// Waits until the screen has this text, without the spaces at the ends of its lines.
    #[track_caller]
    pub(crate) fn wait_for_screen(&mut self, text: &str) {
        while self.screen() != text {
            if let Err(error) = self.receive() {
                panic!("not {text:?}, but {:?}: {error}", self.screen());
            }
        }
    }

    /// Returns the text on the screen, without the spaces at the ends of its lines.
    pub(crate) fn screen(&self) -> String {
        let text = self.emulator.screen().contents();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    /// Returns true if the row is bold.
    pub(crate) fn is_bold(&self, row: u16) -> bool {
        self.emulator.screen().cell(row, 0).unwrap().bold()
    }

    pub(crate) fn paste(&mut self, text: &str) {
        self.press(&format!("\x1b[200~{text}\x1b[201~"));
    }

    /// Returns true if the terminal marks pasted text.
    pub(crate) fn marks_pastes(&self) -> bool {
        self.emulator.screen().bracketed_paste()
    }

    /// Receives all output, until the program has ended.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) {
        while self.receive().is_ok() {}
        assert_eq!(self.receive(), Err(RecvTimeoutError::Disconnected), "{:?}", self.unread);
    }

    fn receive(&mut self) -> Result<(), RecvTimeoutError> {
        let piece = self.output.recv_timeout(LIMIT)?;
        self.emulator.process(&piece);
        self.unread += &String::from_utf8_lossy(&piece);
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Returns true if the terminal passes each key on and echoes none.
    pub(crate) fn is_raw(&self) -> bool {
        let modes = tcgetattr(&*self.pty).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
