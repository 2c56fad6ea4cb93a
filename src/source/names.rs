//! State of a look-up of a name, and the order in which its addresses are tried.

use crate::source::timer::TimerId;
use crate::values::address::Address;
use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The time limit of a look-up that is not part of a connection attempt. The system's resolver gives up earlier, unless
/// it has many name servers (resolv.conf(5)).
pub(crate) const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection attempt with an IPv4 address waits for the IPv6 addresses of the name (RFC 8305, section 3).
pub(crate) const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// A look-up in progress. The answer is wanted until it is dropped.
pub(crate) type Wanted = Arc<()>;

/// A look-up by itself, without a connection attempt.
#[derive(Debug)]
pub(crate) struct LookUpState {
    /// The name, for errors.
    pub(crate) target: String,
    pub(crate) found: Vec<SocketAddr>,
    pub(crate) timer: TimerId,
    /// `None` for an address, which is not looked up.
    pub(crate) wanted: Option<Wanted>,
}

/// Orders addresses so that the families alternate, beginning with IPv6 if `ipv6_first` (RFC 8305, section 4). Within a
/// family they keep their order.
pub(crate) fn alternate(addresses: &mut VecDeque<Address>, ipv6_first: bool) {
    let is_first = |address: &Address| is_ipv6(address) == ipv6_first;
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        mem::take(addresses).into_iter().partition(is_first);
    while let Some(address) = first.pop_front().or_else(|| second.pop_front()) {
        addresses.push_back(address);
        mem::swap(&mut first, &mut second);
    }
}

pub(crate) fn is_ipv6(address: &Address) -> bool {
    address.ip().is_some_and(|ip| ip.is_ipv6())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate_and_keep_their_order() {
        let texts = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "[::1]:1", "[::2]:1"];
        let address = |text: &&str| Address::Inet(text.parse().unwrap());
        for (ipv6_first, expected) in [(false, [0, 3, 1, 4, 2]), (true, [3, 0, 4, 1, 2])] {
            let mut addresses = texts.iter().map(address).collect();
            alternate(&mut addresses, ipv6_first);
            let expected: Vec<_> = expected.iter().map(|n| address(&texts[*n])).collect();
            assert_eq!(addresses, expected);
        }
    }
}
