//! Which hosts may be connected to. A ticket that leads elsewhere leads nowhere.
//!
//! ```text
//!   address ─► canonical form ─► never allowed? ─► our own listener? ─► in an entry, with its port? ─► yes
//!                                     │                  │                        │
//!                                 NotAHost              Own                   NotListed
//! ```
//!
//! The list is empty by default and then nothing may be connected to. Some addresses are refused whatever the list says,
//! because a ticket that names them turns the gateway into a way to its own inside: loopback, link-local (with the metadata
//! services of clouds), multicast, unspecified, broadcast, and IPv6 forms that carry an IPv4 address. Loopback alone can be opened,
//! entry by entry, for demonstrations and tests in which host and gateway share a machine. What that risks: everything that
//! listens on loopback with the entry's port trusts those who reach it, and a ticket then reaches it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use thiserror::Error;

use super::net::{Cidr, PortRange};
use super::{Host, Model};

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    /// Which addresses.
    pub network: Cidr,
    /// Which ports there, at least one.
    pub ports: Vec<PortRange>,
    /// Loopback addresses of `network` may be connected to. For demonstrations and tests.
    pub allow_loopback: bool,
}

/// Why an address may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// No entry has it with this port.
    #[error("no allowed host covers this address and port")]
    NotListed,
    /// Loopback, link-local, multicast, unspecified, broadcast, or an IPv6 form that carries an IPv4 address.
    #[error("addresses of this kind are never connected to")]
    NotAHost,
    /// One of the gateway's own listeners or ticket authorities.
    #[error("this is one of the gateway's own addresses")]
    Own,
}

/// The list, ready to be asked.
#[derive(Clone, Debug)]
pub struct AllowList {
    entries: Vec<AllowedHost>,
    own: Vec<SocketAddr>,
}

impl AllowList {
    pub(super) fn of(model: &Model) -> Self {
        let stas = model.vservers.values().flat_map(|v| &v.stas).chain(&model.vpn.stas).map(|sta| &sta.url);
        let services = stas.chain(model.farm.xml_service.as_ref().map(|service| &service.url));
        let asked = services.filter_map(|url| match url.at.host {
            Host::Ip(address) => Some(SocketAddr::new(address, url.at.port)),
            Host::Name(_) => None,
        });
        let listening = model.vservers.values().map(|v| v.address).chain(model.farm.servers.values().map(|s| s.address));
        let mut list = Self { entries: model.allowed_hosts.values().cloned().collect(), own: Vec::new() };
        asked.chain(listening).for_each(|address| list.refuse(address));
        list
    }

    /// Adds an address of the gateway's own: where a listener with port 0 really ended, or what an STA's name resolved to.
    pub fn refuse(&mut self, address: SocketAddr) {
        if address.port() != 0 {
            self.own.push(SocketAddr::new(address.ip().to_canonical(), address.port()));
        }
    }

    /// Whether `address` may be dialled. Give the resolved address, and dial that very one.
    ///
    /// # Errors
    /// [`Denied`] says why not.
    pub fn check(&self, address: SocketAddr) -> Result<(), Denied> {
        // A mapped address is dialled as IPv4 by the kernel, so it is judged as IPv4.
        let ip = address.ip().to_canonical();
        if address.port() == 0 || never_a_host(ip) {
            return Err(Denied::NotAHost);
        }
        if self.own.iter().any(|own| is_same(*own, ip, address.port())) {
            return Err(Denied::Own);
        }
        let listed = |entry: &&AllowedHost| entry.network.contains(ip) && entry.ports.iter().any(|p| p.contains(address.port()));
        let mut listing = self.entries.iter().filter(listed).peekable();
        if listing.peek().is_none() {
            return Err(if ip.is_loopback() { Denied::NotAHost } else { Denied::NotListed });
        }
        if ip.is_loopback() && !listing.any(|entry| entry.allow_loopback) { Err(Denied::NotAHost) } else { Ok(()) }
    }
}

/// A listener on the unspecified address is also reached through loopback. Other addresses of this machine are not known here.
fn is_same(own: SocketAddr, ip: IpAddr, port: u16) -> bool {
    own.port() == port && (own.ip() == ip || (own.ip().is_unspecified() && ip.is_loopback()))
}

/// Addresses that are no host whatever the list says, loopback aside.
fn never_a_host(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            // 0/8 is "this network"; Linux takes 0.0.0.0 for itself. 240/4 is reserved and holds the broadcast address.
            first == 0 || first >= 240 || v4.is_link_local() || v4.is_multicast()
        }
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local() || carries_v4(v6),
    }
}

/// Forms that lead to an IPv4 address which the check of networks would not see: IPv4-compatible, NAT64 (both prefixes),
/// 6to4, Teredo, and the translated form of RFC 2765. The mapped form has become IPv4 before.
fn carries_v4(v6: Ipv6Addr) -> bool {
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => false,
        [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => true,
        [0x64, 0xff9b, 0 | 1, ..] | [0x2002, ..] | [0x2001, 0, ..] => true,
        [..] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AllowedHostName;

    fn list(entries: &[(&str, &str, bool)]) -> AllowList {
        let mut model = Model::default();
        for (at, (network, ports, allow_loopback)) in entries.iter().enumerate() {
            let entry = AllowedHost {
                network: Cidr::parse(network).unwrap(),
                ports: ports.split(',').map(|p| PortRange::parse(p).unwrap()).collect(),
                allow_loopback: *allow_loopback,
            };
            model.allowed_hosts.add(AllowedHostName::parse(&format!("e{at}")).unwrap(), entry).unwrap();
        }
        model.allow_list()
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn ask(list: &AllowList, address: &str) -> Result<(), Denied> {
        list.check(at(address))
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        assert_eq!(ask(&list(&[]), "192.0.2.1:1494"), Err(Denied::NotListed));
    }

    #[test]
    fn network_and_port_must_stand_in_one_entry() {
        let list = list(&[("10.0.0.0/8", "1494,2598-2600", false), ("192.0.2.0/24", "443", false)]);
        assert_eq!(ask(&list, "10.1.2.3:1494"), Ok(()));
        assert_eq!(ask(&list, "[::ffff:10.1.2.3]:2599"), Ok(()));
        assert_eq!(ask(&list, "192.0.2.9:443"), Ok(()));
        assert_eq!(ask(&list, "10.1.2.3:443"), Err(Denied::NotListed));
        assert_eq!(ask(&list, "192.0.2.9:1494"), Err(Denied::NotListed));
        assert_eq!(ask(&list, "11.0.0.1:1494"), Err(Denied::NotListed));
    }

    #[test]
    fn some_addresses_are_never_hosts() {
        let all = list(&[("0.0.0.0/0", "1-65535", false), ("::/0", "1-65535", false)]);
        for address in [
            "127.0.0.1:1494",
            "127.255.0.9:1",
            "[::1]:1494",
            "[::ffff:127.0.0.1]:1494",
            "0.0.0.0:1494",
            "0.1.2.3:80",
            "[::]:1494",
            "169.254.169.254:80",
            "[fe80::1]:1494",
            "224.0.0.1:1494",
            "[ff02::1]:1494",
            "255.255.255.255:1494",
            "240.0.0.1:1",
            "[::127.0.0.1]:1494",
            "[64:ff9b::7f00:1]:1494",
            "[64:ff9b:1::a00:1]:1494",
            "[2002:7f00:1::1]:1494",
            "[2001:0:1::1]:9",
            "[::ffff:0:7f00:1]:1494",
            "10.0.0.1:0",
        ] {
            assert_eq!(ask(&all, address), Err(Denied::NotAHost), "{address}");
        }
        for address in ["10.0.0.1:1494", "[2001:db8::1]:1494", "[fd00::1]:1494"] {
            assert_eq!(ask(&all, address), Ok(()), "{address}");
        }
    }

    #[test]
    fn loopback_needs_the_word_on_the_entry_that_lists_it() {
        let split = list(&[("127.0.0.0/8", "1494", false), ("127.0.0.1", "2598", true)]);
        assert_eq!(ask(&split, "127.0.0.1:1494"), Err(Denied::NotAHost));
        assert_eq!(ask(&split, "127.0.0.1:2598"), Ok(()));
        assert_eq!(ask(&split, "127.0.0.2:2598"), Err(Denied::NotAHost));
        assert_eq!(ask(&split, "[::ffff:127.0.0.1]:2598"), Ok(()));
    }

    #[test]
    fn our_own_addresses_stay_closed_even_on_loopback() {
        let mut list = list(&[("127.0.0.0/8", "1-65535", true)]);
        list.refuse("0.0.0.0:443".parse().unwrap());
        list.refuse("127.0.0.1:8080".parse().unwrap());
        list.refuse("127.0.0.1:0".parse().unwrap());
        assert_eq!(ask(&list, "127.0.0.9:443"), Err(Denied::Own));
        assert_eq!(ask(&list, "127.0.0.1:8080"), Err(Denied::Own));
        assert_eq!(ask(&list, "[::ffff:127.0.0.1]:8080"), Err(Denied::Own));
        assert_eq!(ask(&list, "127.0.0.1:1494"), Ok(()));
    }
}
