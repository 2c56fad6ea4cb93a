//! Names of hosts and network interfaces.

use crate::sys::backend::{Answer, no_service};
#[cfg(unix)]
use crate::sys::platform;
use crate::sys::pool::{Pool, Work};
use crate::values::error::Explained;
use crate::values::zone::zoned;
use std::borrow::Cow;
use std::fs;
use std::io;
use std::net::{SocketAddr, SocketAddrV6, ToSocketAddrs};

/// The number of names that are looked up at a time. A look-up mostly waits for a name server.
pub(super) const THREADS: usize = 8;

/// The number of names that wait to be looked up. A program that needs more has lost its name server.
pub(super) const WAITING: usize = 1024;

/// The file of services(5).
const SERVICES: &str = match cfg!(windows) {
    true => r"C:\Windows\System32\drivers\etc\services",
    false => "/etc/services",
};

/// A name to be looked up by a thread.
pub(super) struct NameWork {
    name: String,
    port: u16,
    answer: Answer,
}

impl NameWork {
    /// Has a thread look the name up.
    pub(super) fn begin(pool: &Pool, name: &str, port: u16, answer: Answer) {
        let work = Self { name: name.to_owned(), port, answer };
        if let Err((work, error)) = pool.run(Box::new(work)) {
            work.answer.fail(match error.kind() {
                io::ErrorKind::WouldBlock => Explained::error(
                    error.kind(),
                    format!(
                        "{WAITING} look-ups are already queued (is the name server reachable?)"
                    ),
                ),
                _ => error,
            });
        }
    }
}

impl Work for NameWork {
    fn run(self: Box<Self>) {
        match look_up(&self.name, self.port) {
            Ok(found) => self.answer.succeed(found),
            Err(error) => self.answer.fail(error),
        }
    }

    fn is_wanted(&self) -> bool {
        self.answer.is_wanted()
    }
}

/// Returns the addresses of a name. It blocks, except for an address with an interface.
///
/// # Errors
///
/// [`NotFound`](io::ErrorKind::NotFound) if no address was found, for any reason: getaddrinfo(3) has error
/// numbers of its own, which std does not return.
pub(crate) fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Some((ip, zone)) = zoned(name) {
        return Ok(vec![SocketAddrV6::new(ip, port, 0, interface_index(zone)?).into()]);
    }
    let ascii = ascii(name)?;
    match (&*ascii, port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) if is_unknown(&error) && !ascii.is_ascii() => Err(not_ascii()),
        Err(error) if is_unknown(&error) => Err(io::Error::new(io::ErrorKind::NotFound, error)),
        Err(error) => Err(error),
    }
}

/// Returns the name as name servers have it: an international name in ASCII (RFC 5890; Unicode Technical Standard 46).
///
/// # Errors
///
/// If it cannot be an international name.
#[cfg(feature = "idna")]
fn ascii(name: &str) -> io::Result<Cow<'_, str>> {
    if name.is_ascii() {
        return Ok(name.into());
    }
    let ascii = idna::domain_to_ascii(name).map(Cow::from);
    ascii.map_err(|_| {
        Explained::error(io::ErrorKind::InvalidInput, "not a valid international name")
    })
}

#[cfg(not(feature = "idna"))]
fn ascii(name: &str) -> io::Result<Cow<'_, str>> {
    Ok(name.into())
}

fn not_ascii() -> io::Error {
    let text = "international names require the feature `idna` of ropewalk, or the ASCII form, \
                which begins with `xn--`";
    Explained::error(io::ErrorKind::NotFound, text)
}

fn is_unknown(error: &io::Error) -> bool {
    match error.raw_os_error() {
        // Errors of getaddrinfo(3) have no number here.
        None => error.kind() != io::ErrorKind::InvalidInput,
        // WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY and WSANO_DATA.
        Some(number) => cfg!(windows) && (11_001..=11_004).contains(&number),
    }
}

/// Returns the index of the interface with this name.
#[cfg(unix)]
fn interface_index(name: &str) -> io::Result<u32> {
    let index = platform::interface_index(name)?;
    index.ok_or_else(|| no_interface(name))
}

#[cfg(not(unix))]
fn interface_index(name: &str) -> io::Result<u32> {
    Err(no_interface(name)) // The error advises to use the index.
}

/// Returns the port of a service of `tcp` or `udp`, from the file of services(5).
pub(super) fn service_port(service: &str, protocol: &str) -> io::Result<u16> {
    let text = fs::read_to_string(SERVICES).unwrap_or_default();
    port_in(&text, service, protocol).ok_or_else(|| no_service(service, protocol))
}

/// Finds a service or its alias in lines such as `http 80/tcp www # World Wide Web`.
fn port_in(text: &str, service: &str, protocol: &str) -> Option<u16> {
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (name, (port, of)) = (words.next()?, words.next()?.split_once('/')?);
        (of == protocol && (name == service || words.any(|alias| alias == service)))
            .then(|| port.parse().ok())?
    })
}

/// Returns the name of this host (uname(2)).
#[cfg(unix)]
pub(super) fn host_name() -> io::Result<String> {
    let system = rustix::system::uname();
    system.nodename().to_str().map(str::to_owned).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, "the name of this host is not valid UTF-8")
    })
}

#[cfg(not(unix))]
pub(super) fn host_name() -> io::Result<String> {
    std::env::var("COMPUTERNAME").map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))
}

/// Makes the error for an unknown interface.
fn no_interface(name: &str) -> io::Error {
    let what = match name.is_empty() {
        true => "the interface after the `%` is missing".to_owned(),
        false => format!("there is no network interface `{name}`"),
    };
    let text = format!("{what} (`ip link` lists the interfaces; or use an index)");
    Explained::error(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "idna")]
    fn international_names_are_looked_up_in_ascii() {
        for (name, expected) in [
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("a_name.example", "a_name.example"),
            ("Example.org", "Example.org"),
        ] {
            assert_eq!(ascii(name).unwrap(), expected);
        }
        let error = ascii("xn--a.ü").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    #[cfg(not(feature = "idna"))]
    fn international_name_without_the_feature_names_it() {
        let error = look_up("bücher.invalid", 80).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("feature `idna`"), "{error}");
    }

    #[test]
    fn services_are_found_by_name_and_alias() {
        let text = "# services\n\nhttp 80/tcp www # World Wide Web\nbad x/tcp\nntp 123/udp\n\
                    shell 514/tcp cmd log\nsyslog 514/udp log\nodd 1\n";
        for (service, protocol, port) in [
            ("http", "tcp", Some(80)),
            ("www", "tcp", Some(80)),
            ("ntp", "udp", Some(123)),
            ("log", "udp", Some(514)),
            ("http", "udp", None),
            ("ntp", "tcp", None),
            ("World", "tcp", None),
            ("bad", "tcp", None),
            ("odd", "tcp", None),
            ("htt", "tcp", None),
        ] {
            assert_eq!(port_in(text, service, protocol), port, "{service}");
        }
    }
}
