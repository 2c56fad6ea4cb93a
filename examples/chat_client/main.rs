//! A terminal client for the chat. Received lines do not disturb the line that is being typed.
//!
//!     cargo run -p chat_client
//!
//! It needs the chat in another terminal. A second client in a third terminal:
//!
//!     cargo run --example chat
//!     cargo run -p chat_client -- --name bob
//!
//! The first typed line is the name, if `--name` is not given. After that Enter sends the line; `/help` lists the
//! commands. Ctrl-D on an empty line leaves, and so does Ctrl-C. The usual keys edit the line, Alt-b and Alt-f
//! move by words, the up key shows previous lines, and Tab completes names. Lines in which another user says the
//! name are bold, with a mark. A paste of more than 20 lines is sent only after a question. If the server ends the
//! connection without a goodbye, the line that was being typed stays on the screen and the exit code is 1. Files
//! and pipes work as well: their lines are sent, and received lines are printed until the server has received all
//! of them:
//!
//!     echo 'Hello, all.' | cargo run -p chat_client -- --name visitor
//!
//! Options:
//!
//!     HOST:PORT     the server (127.0.0.1:7001)
//!     --name NAME   the name in the chat
//!     --timestamps  the local time before each received line (of the zone in TZ)
//!     --help        this text

#[cfg(not(unix))]
fn main() {
    eprintln!("error: this system has no terminal that can be polled");
}

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod clock;
#[cfg(unix)]
mod keyboard;
#[cfg(unix)]
mod names;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod session;
#[cfg(unix)]
mod terminal;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    support::main(include_str!("main.rs"), program::run)
}
