//! The cost of a recording: an echo with and without it, in turn.
//!
//!     cargo run --profile measured -p ropewalk-replay --example overhead -- [ROUNDS [CLIENTS [BYTES]]]
//!
//! Each client sends a message, and the next one after the echo. A round serves for a second without a recorder, and for
//! a second with one that writes a file. The program prints the medians: messages a second, and the processor time of the
//! server's thread for a message (Linux). The clients run on another thread; `taskset -c 0,1` keeps both on two processors.

use ropewalk::backend::System;
use ropewalk::{Handle, Protocol, Reactor, Transport};
use ropewalk_replay::{Recorder, Summary, Tape};
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROUND: Duration = Duration::from_secs(1);

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }
}

struct Client {
    message: Vec<u8>,
    left: usize,
    echoes: Arc<AtomicU64>,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(&self.message);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.left -= data.len();
        if self.left == 0 {
            self.left = self.message.len();
            self.echoes.fetch_add(1, Ordering::Relaxed);
            transport.write(&self.message);
        }
    }
}

/// The result of a round.
struct Round {
    /// Messages a second.
    rate: f64,
    /// Nanoseconds of the server's thread for a message.
    cost: f64,
    summary: Summary,
}

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Result<Vec<usize>, _> =
        std::env::args().skip(1).map(|text| text.parse()).collect();
    let numbers = numbers?;
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (rounds, clients, bytes) = (number(0, 7), number(1, 32), number(2, 64));
    let path = std::env::temp_dir().join(format!("overhead-{}", std::process::id()));
    let (mut plain, mut recorded) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.push(round(Reactor::new()?, Tape::off(), clients, bytes)?);
        let recorder = Recorder::to_file(System::new()?, &path, "overhead")?;
        let tape = recorder.tape();
        recorded.push(round(Reactor::with_backend(recorder), tape, clients, bytes)?);
    }
    fs::remove_file(&path)?;
    let Summary { records, bytes: size, .. } = recorded[0].summary.clone();
    let messages = recorded[0].rate * ROUND.as_secs_f64();
    println!("{clients} clients, messages of {bytes} bytes, {rounds} rounds; medians:");
    let rates = [median(&plain, |round| round.rate), median(&recorded, |round| round.rate)];
    let costs = [median(&plain, |round| round.cost), median(&recorded, |round| round.cost)];
    println!("  without: {:9.0} messages/s, {:5.0} ns of the server each", rates[0], costs[0]);
    println!("  with:    {:9.0} messages/s, {:5.0} ns of the server each", rates[1], costs[1]);
    println!("  rate {:+.1} %, cost {:+.1} %", change(rates), change(costs));
    println!(
        "  {:.1} records and {:.0} bytes a message",
        records as f64 / messages,
        size as f64 / messages
    );
    Ok(())
}

/// Serves the clients for a second.
fn round(
    mut reactor: Reactor,
    tape: Tape,
    clients: usize,
    bytes: usize,
) -> Result<Round, Box<dyn Error>> {
    let port = reactor.listen_tcp("127.0.0.1:0", || Echo)?;
    let address = port.address().socket_addr().ok_or("no address")?;
    let echoes = Arc::new(AtomicU64::new(0));
    let (server, counter) = (reactor.handle(), Arc::clone(&echoes));
    let client = thread::spawn(move || serve_clients(address, clients, bytes, &counter, &server));
    let (begin, before) = (Instant::now(), processor_time());
    reactor.run()?;
    let (took, spent) = (begin.elapsed(), processor_time() - before);
    client.join().map_err(|_| "the clients have panicked")?.map_err(|error| error.to_string())?;
    drop(reactor);
    let messages = echoes.load(Ordering::Relaxed) as f64;
    let cost = spent.as_nanos() as f64 / messages;
    Ok(Round { rate: messages / took.as_secs_f64(), cost, summary: tape.summary() })
}

fn serve_clients(
    address: SocketAddr,
    clients: usize,
    bytes: usize,
    echoes: &Arc<AtomicU64>,
    server: &Handle,
) -> Result<(), ropewalk::Error> {
    let mut reactor = Reactor::new()?;
    for _ in 0..clients {
        let echoes = Arc::clone(echoes);
        let make =
            move || Client { message: vec![7; bytes], left: bytes, echoes: Arc::clone(&echoes) };
        reactor.connect_tcp(address, make)?;
    }
    reactor.context().call_later(ROUND, |context| context.stop());
    let ran = reactor.run();
    let _ = server.stop(); // It exists until this thread is joined.
    ran
}

/// Returns the processor time of the calling thread; zero where it is not known.
fn processor_time() -> Duration {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = statistics.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

fn median(rounds: &[Round], of: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Returns the change in percent.
fn change([before, after]: [f64; 2]) -> f64 {
    (after / before - 1.0) * 100.0
}
