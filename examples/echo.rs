//! Sends back what it gets. `cargo run --example echo`
use ropewalk::{Error, Protocol, Reactor, Transport};
struct Echo;
impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}
fn main() -> Result<(), Error> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let mut reactor = Reactor::new()?;
    reactor.stop_on_signals()?;
    let port = reactor.listen_tcp("127.0.0.1:7000", || Echo)?;
    println!("listening on {}", port.address());
    reactor.run()
}
