//! Asks a machine whether it is there, and how long the answer takes: ICMP echoes.
//!
//!     cargo run --example ping -- --count 3 127.0.0.1
//!     cargo run --example ping -- -6 localhost
//!
//! Ctrl-C ends it. At the end it says how many answers came and how long they took. It takes a ping
//! socket, for which no privilege is needed, if this system allows it to your groups; else a raw
//! socket, which needs CAP_NET_RAW; and says which it was. Raw it knows the answers' TTL, and hears
//! of requests that did not get there.
//!
//! It ends with exit code 1 if no answer came.
//!
//! Options:
//!
//!     HOST              whom to ask: an address or a name
//!     -4, -6            over IPv4, or IPv6, if the name has both
//!     -c, --count N     how many times to ask (until Ctrl-C)
//!     -i, --interval S  seconds from one request to the next (1)
//!     -s, --size BYTES  how much data to send (56)
//!     -t, --ttl N       how many routers it may pass
//!     -W, --timeout S   how long to wait for answers after the last request, in seconds (10)
//!     --raw             take a raw socket, even if there are ping sockets
//!     --demo            three echoes of this machine over IPv4; ends by itself
//!     --help            this text

mod icmp;

use icmp::{Family, Message};
use lexopt::Parser;
use lexopt::prelude::*;
use ropewalk::{
    Address, Context, DatagramOptions, DatagramProtocol, DatagramTransport, Error, Id, IpProtocol,
    SocketOption,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::{Failure, say};

/// The most that fits into an IPv4 packet, beside its header and that of the echo.
const MOST: usize = 65_507;

/// What was asked for on the command line.
struct Wishes {
    host: String,
    family: Option<Family>,
    count: Option<u64>,
    interval: Duration,
    size: usize,
    ttl: Option<u8>,
    timeout: Duration,
    raw: bool,
}

/// A run of requests and their answers.
struct Ping {
    wishes: Wishes,
    target: SocketAddr,
    family: Family,
    is_raw: bool,
    identifier: u16,
    data: Vec<u8>,
    start: Instant,
    sent: u64,
    /// When what was sent that has no answer yet.
    waiting: BTreeMap<u16, Instant>,
    /// How long each answer took, in milliseconds.
    times: Times,
    errors: u64,
}

/// What is said of the times in the end.
#[derive(Default)]
struct Times {
    count: u64,
    least: f64,
    most: f64,
    sum: f64,
    squares: f64,
}

impl Times {
    fn add(&mut self, time: f64) {
        self.least = if self.count == 0 { time } else { self.least.min(time) };
        self.most = self.most.max(time);
        self.count += 1;
        self.sum += time;
        self.squares += time * time;
    }
}

impl Ping {
    /// Sends the next request, and sets the timer for the one after it.
    fn ask(this: &Rc<RefCell<Self>>, context: &mut Context, id: Id) {
        let (message, target, rest, interval) = {
            let mut ping = this.borrow_mut();
            ping.sent += 1;
            let sequence = ping.sent as u16;
            let message = icmp::request(ping.family, ping.identifier, sequence, &ping.data);
            ping.waiting.insert(sequence, Instant::now());
            let rest = ping.wishes.count.is_none_or(|count| ping.sent < count);
            (message, ping.target, rest, ping.wishes.interval)
        };
        context.send_to(id, &message, target);
        let this = Rc::clone(this);
        if rest {
            context.call_later(interval, move |context| Self::ask(&this, context, id));
        } else {
            // Whoever has not answered by then will not.
            let timeout = this.borrow().wishes.timeout;
            context.call_later(timeout, Context::stop);
        }
    }

    fn hear(&mut self, packet: &[u8], sender: &Address) {
        let (ttl, message) = match (self.family, self.is_raw) {
            (Family::V4, true) => match icmp::without_header(packet) {
                Some((ttl, message)) => (Some(ttl), message),
                None => return,
            },
            _ => (None, packet),
        };
        let Some(message) = icmp::parse(self.family, message) else {
            return; // A raw socket hears all that others do as well.
        };
        let from = sender.ip().map_or_else(|| sender.to_string(), |ip| ip.to_string());
        match message {
            Message::Reply { identifier, sequence, data } if identifier == self.identifier => {
                self.count(&from, ttl, sequence, data);
            }
            Message::Trouble { identifier, sequence, what } if identifier == self.identifier => {
                self.errors += 1;
                self.waiting.remove(&sequence);
                say(format_args!("From {from} icmp_seq={sequence} {what}"));
            }
            _ => {}
        }
    }

    fn count(&mut self, from: &str, ttl: Option<u8>, sequence: u16, data: &[u8]) {
        let length = data.len() + 8;
        let ttl = ttl.map(|ttl| format!(" ttl={ttl}")).unwrap_or_default();
        let Some(asked) = self.waiting.remove(&sequence) else {
            return say(format_args!(
                "{length} bytes from {from}: icmp_seq={sequence}{ttl} (DUP!)"
            ));
        };
        let time = asked.elapsed().as_secs_f64() * 1000.0;
        self.times.add(time);
        let wrong = if data == self.data { "" } else { " (wrong data)" };
        say(format_args!(
            "{length} bytes from {from}: icmp_seq={sequence}{ttl} time={time:.3} ms{wrong}"
        ));
    }

    fn is_over(&self) -> bool {
        let asked = self.wishes.count.is_some_and(|count| self.sent >= count);
        asked && self.waiting.is_empty()
    }

    fn summary(&self) {
        let (sent, heard) = (self.sent, self.times.count);
        let lost = (sent.saturating_sub(heard) * 100).checked_div(sent).unwrap_or(0);
        let errors = match self.errors {
            0 => String::new(),
            errors => format!("+{errors} errors, "),
        };
        let took = self.start.elapsed().as_millis();
        say(format_args!("\n--- {} ping statistics ---", self.wishes.host));
        say(format_args!(
            "{sent} packets transmitted, {heard} received, {errors}{lost}% packet loss, time {took}ms"
        ));
        if heard > 0 {
            let Times { least, most, sum, squares, .. } = self.times;
            let average = sum / heard as f64;
            let deviation = (squares / heard as f64 - average * average).max(0.0).sqrt();
            say(format_args!(
                "rtt min/avg/max/mdev = {least:.3}/{average:.3}/{most:.3}/{deviation:.3} ms"
            ));
        }
    }
}

/// The ping, as its socket's protocol.
struct Pinging(Rc<RefCell<Ping>>);

impl DatagramProtocol for Pinging {
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        let id = transport.id();
        if !self.0.borrow().is_raw {
            // The system has chosen one, and puts it into each request.
            self.0.borrow_mut().identifier = transport.local_address().port().unwrap_or_default();
        }
        Ping::ask(&self.0, transport.context(), id);
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        let mut ping = self.0.borrow_mut();
        ping.hear(data, sender);
        if ping.is_over() {
            transport.context().stop();
        }
    }

    fn error_received(&mut self, _transport: &mut DatagramTransport<'_>, error: Error) {
        self.0.borrow_mut().errors += 1;
        support::complain(format_args!("error: {error}"));
    }
}

fn main() -> ExitCode {
    support::main(include_str!("main.rs"), |arguments| {
        let wishes = read(arguments)?;
        support::log_from("warn");
        let target = target(&wishes)?;
        let mut reactor = support::reactor()?;
        let ping = open(reactor.context(), wishes, target)?;
        reactor.run()?;
        let ping = ping.borrow();
        ping.summary();
        match ping.times.count {
            0 => Err(Failure::Run(format!("no answer from {}", ping.target.ip()))),
            _ => Ok(()),
        }
    })
}

fn read(mut arguments: Parser) -> Result<Wishes, Failure> {
    let second = Duration::from_secs(1);
    let mut wishes = Wishes {
        host: String::new(),
        family: None,
        count: None,
        interval: second,
        size: 56,
        ttl: None,
        timeout: 10 * second,
        raw: false,
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('4') => wishes.family = Some(Family::V4),
            Short('6') => wishes.family = Some(Family::V6),
            Short('c') | Long("count") => {
                wishes.count = Some(support::at_least_one(&mut arguments)?.into());
            }
            Short('i') | Long("interval") => wishes.interval = seconds(&mut arguments)?,
            Short('s') | Long("size") => wishes.size = arguments.value()?.parse()?,
            Short('t') | Long("ttl") => wishes.ttl = Some(arguments.value()?.parse()?),
            Short('W') | Long("timeout") => wishes.timeout = seconds(&mut arguments)?,
            Long("raw") => wishes.raw = true,
            Long("demo") => {
                (wishes.host, wishes.count) = ("127.0.0.1".to_owned(), Some(3));
                wishes.interval = second / 5;
            }
            Value(host) if wishes.host.is_empty() => wishes.host = host.string()?,
            argument => return Err(support::other(argument)),
        }
    }
    match &wishes {
        wishes if wishes.host.is_empty() => Err(Failure::Usage("HOST is missing".to_owned())),
        wishes if wishes.size > MOST => {
            Err(Failure::Usage(format!("{} bytes are too many, {MOST} the most", wishes.size)))
        }
        _ => Ok(wishes),
    }
}

fn seconds(arguments: &mut Parser) -> Result<Duration, Failure> {
    let text = arguments.value()?.string()?;
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let seconds = seconds.filter(|seconds| *seconds >= Duration::from_millis(2));
    seconds
        .ok_or_else(|| Failure::Usage(format!("'{text}' is no number of seconds, 0.002 or more")))
}

/// Whom to ask. Nothing else is going on yet, so the system may take its time to look a name up.
fn target(wishes: &Wishes) -> Result<SocketAddr, Failure> {
    let host = &wishes.host;
    let addresses = (&**host, 0).to_socket_addrs();
    let addresses = addresses.map_err(|error| Failure::Run(format!("{host}: {error}")))?;
    let fits = |address: &SocketAddr| match wishes.family {
        Some(Family::V4) => address.is_ipv4(),
        Some(Family::V6) => address.is_ipv6(),
        None => true,
    };
    let missing = || Failure::Run(format!("{host} has no address of that family"));
    addresses.into_iter().find(fits).ok_or_else(missing)
}

/// Opens a socket, of the kind that may be had, and has it ask.
fn open(
    context: &mut Context,
    wishes: Wishes,
    target: SocketAddr,
) -> Result<Rc<RefCell<Ping>>, Failure> {
    let (family, local, number, headers) = match target.ip() {
        IpAddr::V4(_) => (Family::V4, IpAddr::from(Ipv4Addr::UNSPECIFIED), IpProtocol::ICMP, 28),
        IpAddr::V6(_) => (Family::V6, IpAddr::from(Ipv6Addr::UNSPECIFIED), IpProtocol::ICMPV6, 48),
    };
    let mut options = DatagramOptions::new();
    if let Some(ttl) = wishes.ttl {
        options = options.option(SocketOption::Ttl(ttl));
    }
    let (host, size, raw) = (wishes.host.clone(), wishes.size, wishes.raw);
    let data = (0..size).map(|n| n as u8).collect();
    let ping = Rc::new(RefCell::new(Ping {
        wishes,
        target,
        family,
        is_raw: true,
        identifier: std::process::id() as u16,
        data,
        start: Instant::now(),
        sent: 0,
        waiting: BTreeMap::new(),
        times: Times::default(),
        errors: 0,
    }));
    let pinging = || Pinging(Rc::clone(&ping));
    let unprivileged = !raw && context.open_ping_with(local, &options, pinging()).is_ok();
    if !unprivileged {
        context.open_raw_with(local, number, &options, pinging())?;
    }
    ping.borrow_mut().is_raw = !unprivileged;
    let all = size + headers;
    say(format_args!("PING {host} ({}) {size}({all}) bytes of data.", target.ip()));
    let kind = if unprivileged { "a ping socket, without privilege" } else { "a raw socket" };
    say(format_args!("(through {kind})"));
    Ok(ping)
}
