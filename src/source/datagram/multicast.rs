//! Multicast settings of a datagram socket.

use crate::sys::Multicast;
use crate::values::interface::Interface;

/// The multicast settings of a socket, as they were set last. At first those of a new socket (ip(7)).
#[derive(Clone, Debug)]
pub(crate) struct MulticastSettings {
    pub(crate) ttl: u8,
    pub(crate) loopback: bool,
    pub(crate) interface: Interface,
}

impl MulticastSettings {
    /// Notes a change of a setting. To join or leave a group changes none.
    pub(crate) fn note(&mut self, option: &Multicast<'_>) {
        match option {
            Multicast::Ttl(ttl) => self.ttl = *ttl,
            Multicast::Loopback(on) => self.loopback = *on,
            Multicast::Interface(interface) => self.interface = (*interface).clone(),
            _ => {}
        }
    }
}

impl Default for MulticastSettings {
    fn default() -> Self {
        Self { ttl: 1, loopback: true, interface: Interface::Any }
    }
}
