//! ping: ICMP echo requests, and the time to their replies.
//!
//!     cargo run --example ping -- --count 3 127.0.0.1
//!     cargo run --example ping -- -6 localhost
//!
//! Ctrl-C ends it. At the end the number of replies and their times are printed. The program uses a ping
//! socket, which needs no privilege, if the system allows it to the user's groups; otherwise a raw socket,
//! which needs CAP_NET_RAW. It prints which it uses. A raw socket shows the TTL of replies, and receives
//! the errors of requests that were not delivered.
//!
//! The exit code is 1 if no reply was received.
//!
//! Options:
//!
//!     HOST              the target: an address or a name
//!     -4, -6            IPv4 or IPv6 only
//!     -c, --count N     the number of requests (until Ctrl-C)
//!     -i, --interval S  seconds from one request to the next (1)
//!     -s, --size BYTES  the length of the data (56)
//!     -t, --ttl N       the maximum number of hops
//!     -W, --timeout S   seconds to wait for replies after the last request (10)
//!     --raw             use a raw socket, even if ping sockets are allowed
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

/// The maximum length of the data: an IPv4 packet without its header and the echo's header.
const MAX_SIZE: usize = 65_507;

/// The options on the command line.
struct Options {
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
    options: Options,
    target: SocketAddr,
    family: Family,
    is_raw: bool,
    identifier: u16,
    data: Vec<u8>,
    start: Instant,
    sent: u64,
    /// The times of unanswered requests, by sequence number.
    pending: BTreeMap<u16, Instant>,
    /// The round-trip times in milliseconds.
    times: Times,
    errors: u64,
}

/// Statistics of the round-trip times.
#[derive(Default)]
struct Times {
    count: u64,
    min: f64,
    max: f64,
    sum: f64,
    squares: f64,
}

impl Times {
    fn add(&mut self, time: f64) {
        self.min = if self.count == 0 { time } else { self.min.min(time) };
        self.max = self.max.max(time);
        self.count += 1;
        self.sum += time;
        self.squares += time * time;
    }
}

impl Ping {
    /// Sends the next request, and sets the timer for the following one.
    fn send_request(this: &Rc<RefCell<Self>>, context: &mut Context, id: Id) {
        let (message, target, has_more, interval) = {
            let mut ping = this.borrow_mut();
            ping.sent += 1;
            let sequence = ping.sent as u16;
            let message = icmp::request(ping.family, ping.identifier, sequence, &ping.data);
            ping.pending.insert(sequence, Instant::now());
            let has_more = ping.options.count.is_none_or(|count| ping.sent < count);
            (message, ping.target, has_more, ping.options.interval)
        };
        context.datagram(id).send_to(&message, target);
        let this = Rc::clone(this);
        if has_more {
            context.call_later(interval, move |context| Self::send_request(&this, context, id));
        } else {
            let timeout = this.borrow().options.timeout;
            context.call_later(timeout, Context::stop);
        }
    }

    fn packet_received(&mut self, packet: &[u8], sender: &Address) {
        let (ttl, message) = match (self.family, self.is_raw) {
            (Family::V4, true) => match icmp::without_header(packet) {
                Some((ttl, message)) => (Some(ttl), message),
                None => return,
            },
            _ => (None, packet),
        };
        let Some(message) = icmp::parse(self.family, message) else {
            return; // A raw socket receives the ICMP packets of other programs too.
        };
        let from = sender.ip().map_or_else(|| sender.to_string(), |ip| ip.to_string());
        match message {
            Message::Reply { identifier, sequence, data } if identifier == self.identifier => {
                self.reply_received(&from, ttl, sequence, data);
            }
            Message::Error { identifier, sequence, what } if identifier == self.identifier => {
                self.errors += 1;
                self.pending.remove(&sequence);
                say(format_args!("From {from} icmp_seq={sequence} {what}"));
            }
            _ => {}
        }
    }

    fn reply_received(&mut self, from: &str, ttl: Option<u8>, sequence: u16, data: &[u8]) {
        let length = data.len() + 8;
        let ttl = ttl.map(|ttl| format!(" ttl={ttl}")).unwrap_or_default();
        let Some(sent_at) = self.pending.remove(&sequence) else {
            return say(format_args!(
                "{length} bytes from {from}: icmp_seq={sequence}{ttl} (DUP!)"
            ));
        };
        let time = sent_at.elapsed().as_secs_f64() * 1000.0;
        self.times.add(time);
        let wrong = if data == self.data { "" } else { " (wrong data)" };
        say(format_args!(
            "{length} bytes from {from}: icmp_seq={sequence}{ttl} time={time:.3} ms{wrong}"
        ));
    }

    fn is_complete(&self) -> bool {
        let all_sent = self.options.count.is_some_and(|count| self.sent >= count);
        all_sent && self.pending.is_empty()
    }

    fn summary(&self) {
        let (sent, received) = (self.sent, self.times.count);
        let lost = (sent.saturating_sub(received) * 100).checked_div(sent).unwrap_or(0);
        let errors = match self.errors {
            0 => String::new(),
            errors => format!("+{errors} errors, "),
        };
        let took = self.start.elapsed().as_millis();
        say(format_args!("\n--- {} ping statistics ---", self.options.host));
        say(format_args!(
            "{sent} packets transmitted, {received} received, {errors}{lost}% packet loss, time {took}ms"
        ));
        if received > 0 {
            let Times { min, max, sum, squares, .. } = self.times;
            let average = sum / received as f64;
            let deviation = (squares / received as f64 - average * average).max(0.0).sqrt();
            say(format_args!(
                "rtt min/avg/max/mdev = {min:.3}/{average:.3}/{max:.3}/{deviation:.3} ms"
            ));
        }
    }
}

/// The protocol of the socket.
struct PingProtocol(Rc<RefCell<Ping>>);

impl DatagramProtocol for PingProtocol {
    fn start_protocol(&mut self, transport: &mut DatagramTransport<'_>) {
        let id = transport.id();
        if !self.0.borrow().is_raw {
            // The system has chosen an identifier and writes it into each request.
            self.0.borrow_mut().identifier = transport.local_address().port().unwrap_or_default();
        }
        Ping::send_request(&self.0, transport.context(), id);
    }

    fn datagram_received(
        &mut self,
        transport: &mut DatagramTransport<'_>,
        data: &[u8],
        sender: &Address,
    ) {
        let mut ping = self.0.borrow_mut();
        ping.packet_received(data, sender);
        if ping.is_complete() {
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
        let options = read(arguments)?;
        support::log_from("warn");
        let target = target(&options)?;
        let mut reactor = support::reactor()?;
        let ping = open(reactor.context(), options, target)?;
        reactor.run()?;
        let ping = ping.borrow();
        ping.summary();
        match ping.times.count {
            0 => Err(Failure::Run(format!("no reply from {}", ping.target.ip()))),
            _ => Ok(()),
        }
    })
}

fn read(mut arguments: Parser) -> Result<Options, Failure> {
    let second = Duration::from_secs(1);
    let mut options = Options {
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
            Short('4') => options.family = Some(Family::V4),
            Short('6') => options.family = Some(Family::V6),
            Short('c') | Long("count") => {
                options.count = Some(support::at_least_one(&mut arguments)?.into());
            }
            Short('i') | Long("interval") => options.interval = seconds(&mut arguments)?,
            Short('s') | Long("size") => options.size = arguments.value()?.parse()?,
            Short('t') | Long("ttl") => options.ttl = Some(arguments.value()?.parse()?),
            Short('W') | Long("timeout") => options.timeout = seconds(&mut arguments)?,
            Long("raw") => options.raw = true,
            Long("demo") => {
                (options.host, options.count) = ("127.0.0.1".to_owned(), Some(3));
                options.interval = second / 5;
            }
            Value(host) if options.host.is_empty() => options.host = host.string()?,
            argument => return Err(support::other(argument)),
        }
    }
    match &options {
        options if options.host.is_empty() => Err(Failure::Usage("HOST is missing".to_owned())),
        options if options.size > MAX_SIZE => {
            Err(Failure::Usage(format!("{} bytes are more than {MAX_SIZE}", options.size)))
        }
        _ => Ok(options),
    }
}

fn seconds(arguments: &mut Parser) -> Result<Duration, Failure> {
    let text = arguments.value()?.string()?;
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let seconds = seconds.filter(|seconds| *seconds >= Duration::from_millis(2));
    seconds.ok_or_else(|| {
        Failure::Usage(format!("'{text}' is not a number of seconds of at least 0.002"))
    })
}

/// Resolves the target. This blocks, but the reactor does not run yet.
fn target(options: &Options) -> Result<SocketAddr, Failure> {
    let host = &options.host;
    let addresses = (&**host, 0).to_socket_addrs();
    let addresses = addresses.map_err(|error| Failure::Run(format!("{host}: {error}")))?;
    let fits = |address: &SocketAddr| match options.family {
        Some(Family::V4) => address.is_ipv4(),
        Some(Family::V6) => address.is_ipv6(),
        None => true,
    };
    let missing = || Failure::Run(format!("{host} has no address of that family"));
    addresses.into_iter().find(fits).ok_or_else(missing)
}

/// Opens a ping socket or a raw socket, and starts the requests.
fn open(
    context: &mut Context,
    options: Options,
    target: SocketAddr,
) -> Result<Rc<RefCell<Ping>>, Failure> {
    let (family, local, number, headers) = match target.ip() {
        IpAddr::V4(_) => (Family::V4, IpAddr::from(Ipv4Addr::UNSPECIFIED), IpProtocol::ICMP, 28),
        IpAddr::V6(_) => (Family::V6, IpAddr::from(Ipv6Addr::UNSPECIFIED), IpProtocol::ICMPV6, 48),
    };
    let mut socket = DatagramOptions::new();
    if let Some(ttl) = options.ttl {
        socket = socket.option(SocketOption::Ttl(ttl));
    }
    let (host, size, raw) = (options.host.clone(), options.size, options.raw);
    let data = (0..size).map(|n| n as u8).collect();
    let ping = Rc::new(RefCell::new(Ping {
        options,
        target,
        family,
        is_raw: true,
        identifier: std::process::id() as u16,
        data,
        start: Instant::now(),
        sent: 0,
        pending: BTreeMap::new(),
        times: Times::default(),
        errors: 0,
    }));
    let protocol = || PingProtocol(Rc::clone(&ping));
    let unprivileged = !raw && socket.open_ping(context, local, protocol()).is_ok();
    if !unprivileged {
        socket.open_raw(context, local, number, protocol())?;
    }
    ping.borrow_mut().is_raw = !unprivileged;
    let all = size + headers;
    say(format_args!("PING {host} ({}) {size}({all}) bytes of data.", target.ip()));
    let kind = if unprivileged { "a ping socket, without privilege" } else { "a raw socket" };
    say(format_args!("(through {kind})"));
    Ok(ping)
}
