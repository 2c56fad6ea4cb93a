//! Sends back to each client what it sends: a whole server in a dozen lines.
//!
//!     cargo run --example echo 127.0.0.1:7000
//!
//! Its only argument is the address to listen on; port 0 lets the system choose a port. Poke it in
//! other terminals with
//!
//!     cargo run --example connect 127.0.0.1:7000
//!     cargo run --release --example echo_client 127.0.0.1:7000
//!
//! The first sends back every line that you type, the second measures how fast that goes. Here you
//! see who comes and goes. Ctrl-C ends it.

use ropewalk::{Error, Reactor};
use ropewalk_protocols::Echo;

fn main() -> Result<(), Error> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".into());
    let mut reactor = Reactor::new()?;
    reactor.stop_on_signals()?;
    let port = reactor.listen_tcp(address, || Echo)?;
    println!("listening on {}", port.address());
    reactor.run()
}
