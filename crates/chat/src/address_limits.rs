//! Limits of one address: connections, names and lines.

use crate::rate_limit::{RateLimit, Slowed, TokenBucket};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The limits of each address. 0: no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressLimits {
    pub(super) connections: u32,
    pub(super) joins_per_minute: u32,
    /// How long a connection may be without a name.
    pub(super) name_timeout: Duration,
    /// The limits apply to loopback addresses as well.
    pub(super) loopback: bool,
}

/// Enough for a household or an office behind one address, but not for a flood. A person types a name in less than
/// a minute.
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
    /// Returns the address for the limits of a peer, or `None` if the peer is not limited. An IPv6 host has a
    /// whole network of 64 bits ([RFC 4291](https://www.rfc-editor.org/rfc/rfc4291), 2.5.1), which counts as one
    /// address.
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

/// The usage of limited addresses. An address is removed when it has no connection and its limits are fully
/// available again.
#[derive(Debug, Default)]
pub(super) struct AddressUsage {
    addresses: BTreeMap<IpAddr, Usage>,
}

#[derive(Debug, Default)]
struct Usage {
    connections: u32,
    joins: TokenBucket,
    lines: TokenBucket,
}

impl AddressUsage {
    /// Counts a connection of an address. Returns true if it is within the limit.
    pub(super) fn enter(&mut self, address: IpAddr, limits: &AddressLimits, now: Instant) -> bool {
        self.forget(now);
        let usage = self.addresses.entry(address).or_default();
        let full = limits.connections > 0 && usage.connections >= limits.connections;
        usage.connections += u32::from(!full);
        !full
    }

    /// Removes a counted connection.
    pub(super) fn leave(&mut self, address: IpAddr) {
        if let Some(usage) = self.addresses.get_mut(&address) {
            usage.connections -= 1;
        }
    }

    /// Counts a name that a connection of the address takes. If the limit is reached, returns the time to wait.
    pub(super) fn join(
        &mut self,
        address: IpAddr,
        limits: &AddressLimits,
        now: Instant,
    ) -> Option<Duration> {
        let limit = RateLimit::per_minute(limits.joins_per_minute)?;
        self.addresses.entry(address).or_default().joins.take(&limit, now)
    }

    /// Counts a line of an address, with twice the limit of one connection.
    pub(super) fn spend(
        &mut self,
        address: IpAddr,
        limit: &RateLimit,
        now: Instant,
    ) -> Option<Slowed> {
        let usage = self.addresses.get_mut(&address)?;
        usage.lines.spend(&limit.doubled(), now)
    }

    /// Removes unused addresses, if there are many.
    fn forget(&mut self, now: Instant) {
        const MANY: usize = 64;
        if self.addresses.len().is_multiple_of(MANY) {
            self.addresses.retain(|_, usage| {
                usage.connections > 0 || !usage.joins.is_full(now) || !usage.lines.is_full(now)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn connections_of_an_address_are_counted() {
        let limits = AddressLimits { connections: 2, ..AddressLimits::default() };
        let (mut usage, now) = (AddressUsage::default(), Instant::now());
        assert!(usage.enter(ADDRESS, &limits, now) && usage.enter(ADDRESS, &limits, now));
        assert!(!usage.enter(ADDRESS, &limits, now));
        assert!(usage.enter([192, 0, 2, 2].into(), &limits, now));
        usage.leave(ADDRESS);
        assert!(usage.enter(ADDRESS, &limits, now));
    }

    #[test]
    fn joins_regenerate_and_refusals_are_not_counted() {
        let limits = AddressLimits { joins_per_minute: 2, ..AddressLimits::default() };
        let (mut usage, start) = (AddressUsage::default(), Instant::now());
        assert_eq!(usage.join(ADDRESS, &limits, start), None);
        assert_eq!(usage.join(ADDRESS, &limits, start), None);
        for _ in 0..10 {
            assert_eq!(usage.join(ADDRESS, &limits, start), Some(Duration::from_secs(30)));
        }
        assert_eq!(usage.join(ADDRESS, &limits, start + Duration::from_secs(30)), None);
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let mut limits = AddressLimits::default();
        let applies = |limits: &AddressLimits, text: &str| limits.applies_to(text.parse().ok());
        assert_eq!(applies(&limits, "2001:db8::1"), applies(&limits, "2001:db8::2:3"));
        assert_eq!(applies(&limits, "::ffff:192.0.2.1"), Some(ADDRESS));
        assert_eq!(applies(&limits, "127.0.0.2"), None);
        assert_eq!(limits.applies_to(None), None);
        limits.loopback = true;
        assert!(applies(&limits, "127.0.0.2").is_some() && applies(&limits, "::1").is_some());
    }

    #[test]
    fn addresses_without_connections_are_removed() {
        let (mut usage, now) = (AddressUsage::default(), Instant::now());
        for number in 0..1000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            usage.enter(address, &AddressLimits::default(), now);
            usage.leave(address);
        }
        assert!(usage.addresses.len() <= 65, "{}", usage.addresses.len());
    }
}
