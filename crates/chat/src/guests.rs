//! What one address may take: connections, names and lines.

use crate::pace::{Limit, Pace, Slowed};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// What each address may take. Zero is no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressLimits {
    pub(super) connections: u32,
    pub(super) joins_per_minute: u32,
    /// How long a connection may be without a name.
    pub(super) name_timeout: Duration,
    /// Whether the limits apply to loopback addresses as well.
    pub(super) loopback: bool,
}

/// A household or an office behind one address has room, and a flood has not. A person types a name in less
/// than a minute.
impl Default for AddressLimits {
    fn default() -> Self {
        Self {
            connections: 50,
            joins_per_minute: 60,
            name_timeout: Duration::from_secs(60),
            loopback: false,
        }
    }
}

impl AddressLimits {
    /// The address that answers for a peer. `None` if the peer is not limited. An IPv6 host has a whole
    /// network of 64 bits ([RFC 4291](https://www.rfc-editor.org/rfc/rfc4291), 2.5.1), which counts as one.
    pub(super) fn applies_to(&self, peer: Option<IpAddr>) -> Option<IpAddr> {
        let address = peer?.to_canonical();
        if address.is_loopback() && !self.loopback {
            return None;
        }
        Some(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                [a, b, c, d, 0, 0, 0, 0].into()
            }
        })
    }
}

/// What the limited addresses have taken. An address is forgotten when it has no connection and could
/// take all that is allowed again.
#[derive(Debug, Default)]
pub(super) struct Guests {
    addresses: BTreeMap<IpAddr, Guest>,
}

#[derive(Debug, Default)]
struct Guest {
    connections: u32,
    joins: Pace,
    lines: Pace,
}

impl Guests {
    /// Returns true if one more connection of an address is let in, which counts from now on.
    pub(super) fn enter(&mut self, address: IpAddr, limits: &AddressLimits, now: Instant) -> bool {
        self.forget(now);
        let guest = self.addresses.entry(address).or_default();
        let full = limits.connections > 0 && guest.connections >= limits.connections;
        guest.connections += u32::from(!full);
        !full
    }

    /// A connection that was let in has ended.
    pub(super) fn leave(&mut self, address: IpAddr) {
        if let Some(guest) = self.addresses.get_mut(&address) {
            guest.connections -= 1;
        }
    }

    /// Returns how long an address has to wait until one of its connections may take a name; nothing if it
    /// may now, which counts.
    pub(super) fn join(
        &mut self,
        address: IpAddr,
        limits: &AddressLimits,
        now: Instant,
    ) -> Option<Duration> {
        let limit = Limit::per_minute(limits.joins_per_minute)?;
        self.addresses.entry(address).or_default().joins.take(&limit, now)
    }

    /// A line has come from an address: as for a person's own, but with twice the limit.
    pub(super) fn spend(&mut self, address: IpAddr, limit: &Limit, now: Instant) -> Option<Slowed> {
        let guest = self.addresses.get_mut(&address)?;
        guest.lines.spend(&limit.doubled(), now)
    }

    /// Forgets addresses that have nothing to answer for, if there are many.
    fn forget(&mut self, now: Instant) {
        const MANY: usize = 64;
        if self.addresses.len().is_multiple_of(MANY) {
            self.addresses.retain(|_, guest| {
                guest.connections > 0 || !guest.joins.is_full(now) || !guest.lines.is_full(now)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn connections_of_an_address_are_counted() {
        let limits = AddressLimits { connections: 2, ..AddressLimits::default() };
        let (mut guests, now) = (Guests::default(), Instant::now());
        assert!(guests.enter(SOME, &limits, now) && guests.enter(SOME, &limits, now));
        assert!(!guests.enter(SOME, &limits, now));
        assert!(guests.enter([192, 0, 2, 2].into(), &limits, now));
        guests.leave(SOME);
        assert!(guests.enter(SOME, &limits, now));
    }

    #[test]
    fn joins_come_back_with_time_and_refusals_cost_nothing() {
        let limits = AddressLimits { joins_per_minute: 2, ..AddressLimits::default() };
        let (mut guests, start) = (Guests::default(), Instant::now());
        assert_eq!(guests.join(SOME, &limits, start), None);
        assert_eq!(guests.join(SOME, &limits, start), None);
        for _ in 0..10 {
            assert_eq!(guests.join(SOME, &limits, start), Some(Duration::from_secs(30)));
        }
        assert_eq!(guests.join(SOME, &limits, start + Duration::from_secs(30)), None);
    }

    #[test]
    fn an_ipv6_network_is_one_guest_and_loopback_none() {
        let mut limits = AddressLimits::default();
        let applies = |limits: &AddressLimits, text: &str| limits.applies_to(text.parse().ok());
        assert_eq!(applies(&limits, "2001:db8::1"), applies(&limits, "2001:db8::2:3"));
        assert_eq!(applies(&limits, "::ffff:192.0.2.1"), Some(SOME));
        assert_eq!(applies(&limits, "127.0.0.2"), None);
        assert_eq!(limits.applies_to(None), None);
        limits.loopback = true;
        assert!(applies(&limits, "127.0.0.2").is_some() && applies(&limits, "::1").is_some());
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let (mut guests, now) = (Guests::default(), Instant::now());
        for number in 0..1000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            guests.enter(address, &AddressLimits::default(), now);
            guests.leave(address);
        }
        assert!(guests.addresses.len() <= 65, "{}", guests.addresses.len());
    }
}
