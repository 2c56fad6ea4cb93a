//! The cost of the journal: a record, and an echo with the journal off, on, timed, and written to a file.
//!
//!     cargo build --profile measured -p ropewalk-journal --example overhead
//!     taskset -c 1 target/measured/examples/overhead [ROUNDS]
//!
//! Fifty connections send 64 bytes each, and one turn serves all of them; only the turn is timed. The kinds take turns, and
//! the least of all rounds (200) counts, since other work on the machine can only add.

use ropewalk::{Error, Protocol, Reactor, Transport};
use ropewalk_journal::JournalFile;
use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

const CLIENTS: usize = 50;
const BYTES: usize = 64;

/// The number of turns of a round.
const TURNS: usize = 100;

const MARKS: u32 = 1_000_000;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

/// A reactor with its clients, and the least duration of a round.
struct Kind {
    name: &'static str,
    reactor: Reactor,
    clients: Vec<TcpStream>,
    least: Duration,
}

impl Kind {
    fn new(
        name: &'static str,
        prepare: impl FnOnce(&mut Reactor) -> std::io::Result<()>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut reactor = Reactor::new()?;
        prepare(&mut reactor)?;
        let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
        let address = port.address().socket_addr().ok_or("no address")?;
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let client = TcpStream::connect(address)?;
            client.set_nodelay(true)?;
            clients.push(client);
        }
        for _ in 0..10 {
            reactor.turn(Some(Duration::from_millis(1)))?;
        }
        Ok(Self { name, reactor, clients, least: Duration::MAX })
    }

    fn round(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let mut took = Duration::ZERO;
        let mut data = [7; BYTES];
        for _ in 0..TURNS {
            for client in &mut self.clients {
                client.write_all(&data)?;
            }
            let begin = Instant::now();
            self.reactor.turn(Some(Duration::ZERO))?;
            took += begin.elapsed();
            for client in &mut self.clients {
                client.read_exact(&mut data)?;
            }
        }
        self.least = self.least.min(took);
        Ok(())
    }

    /// Returns the nanoseconds of an echo.
    fn cost(&self) -> f64 {
        self.least.as_nanos() as f64 / (TURNS * CLIENTS) as f64
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(200), |text| text.parse())?;
    let path = std::env::temp_dir().join(format!("overhead-{}.journal", std::process::id()));
    println!("a record: {:.2} ns on, {:.2} ns off", mark(4096)?, mark(0)?);
    let file = |path: &Path| JournalFile::create(path);
    let mut kinds = [
        Kind::new("off", |reactor| {
            reactor.set_journal_capacity(0);
            Ok(())
        })?,
        Kind::new("on, as by default", |_| Ok(()))?,
        Kind::new("callbacks timed", |reactor| {
            reactor.time_callbacks(true);
            Ok(())
        })?,
        Kind::new("written to a file", |reactor| {
            reactor.add_observer(file(&path)?);
            Ok(())
        })?,
    ];
    for _ in 0..rounds {
        for kind in &mut kinds {
            kind.round()?;
        }
    }
    let recorded = kinds[1].reactor.context().journal().recorded();
    let echoes = (rounds * TURNS * CLIENTS) as f64;
    let off = kinds[0].cost();
    for kind in &kinds {
        let cost = kind.cost();
        let more = (cost / off - 1.0) * 100.0;
        println!("{:<18} {cost:7.1} ns an echo, {more:+.1} %", kind.name);
    }
    println!("{:.2} records an echo", recorded as f64 / echoes);
    drop(kinds);
    fs::remove_file(path)?;
    Ok(())
}

/// Returns the nanoseconds of a mark, with this capacity.
fn mark(capacity: usize) -> Result<f64, Error> {
    let mut reactor = Reactor::new()?;
    reactor.set_journal_capacity(capacity);
    let journal = reactor.context().journal();
    let mut least = Duration::MAX;
    for _ in 0..20 {
        let begin = Instant::now();
        for number in 0..MARKS {
            black_box(&mut *journal).mark(number);
        }
        least = least.min(begin.elapsed());
    }
    Ok(least.as_nanos() as f64 / f64::from(MARKS))
}
