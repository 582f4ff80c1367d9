//! Who is let in at all: the tests before the first byte is read, cheapest first.
//!
//! ```text
//!   accepted ─► table full? ─► share of unproven full? ─► this source's share full? ─► in, unproven ─┬─ proven ───────┐
//!                  │                    │                           │                                ├─ HTTP: browse ─┤
//!                Full                 Full                        Source                             └─ ended ────────┴─► leave
//! ```
//!
//! A connection is unproven until it has presented a valid ticket, or has said that it is for the portal. Those have a share of
//! their own: many browsers behind one address keep no launch out, nor launches a browser. Established sessions are never shed for
//! new ones.

use std::collections::HashMap;
use std::net::IpAddr;

use sluice_link::reason::Reason;
use sluice_link::snapshot::Limits;
use thiserror::Error;

/// Unproven connections may have one in this many of a worker's slots, or one source's share if that is more; and those of the
/// portal as many.
pub const UNPROVEN_SHARE: usize = 4;

/// Where connections come from, as far as limits go: an IPv4 address or the first 64 bits of an IPv6 address, since those
/// are what one subscriber usually has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// One IPv4 address, also if it came mapped into IPv6.
    V4([u8; 4]),
    /// An IPv6 /64.
    V6([u8; 8]),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(four) => Self::V4(four.octets()),
            IpAddr::V6(six) => {
                let [a, b, c, d, e, f, g, h, ..] = six.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// As many sessions as are allowed, or as many unproven ones.
    #[error("no slot is free")]
    Full,
    /// Too many unproven connections from this source.
    #[error("too many unproven connections from this source")]
    Source,
}

impl Refused {
    /// As it is counted.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Full => Reason::Exhausted,
            Self::Source => Reason::SourceLimit,
        }
    }
}

/// As what a connection is counted, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has shown nothing yet.
    Unproven(Source),
    /// It speaks HTTP.
    Portal(Source),
}

/// Connections of one standing, by source. Holds at most one entry per connection, hence at most as many as there are slots.
#[derive(Debug, Default)]
struct Crowd {
    by_source: HashMap<Source, u32>,
    total: usize,
}

impl Crowd {
    fn enter(&mut self, source: Source, most_of_all: usize, most_of_source: u32) -> Result<(), Refused> {
        if self.total >= most_of_all.max(most_of_source as usize) {
            return Err(Refused::Full);
        }
        let here = self.by_source.get(&source).copied().unwrap_or_default();
        if here >= most_of_source {
            return Err(Refused::Source);
        }
        self.by_source.insert(source, here + 1);
        self.total += 1;
        Ok(())
    }

    fn leave(&mut self, source: Source) {
        let Some(here) = self.by_source.get_mut(&source) else {
            crate::never::never("a source left that never entered");
            return;
        };
        *here -= 1;
        self.total -= 1;
        if *here == 0 {
            self.by_source.remove(&source);
        }
    }
}

/// Connections that have not proven themselves.
#[derive(Debug, Default)]
pub struct Admit {
    unproven: Crowd,
    portal: Crowd,
}

impl Admit {
    /// Tables that will not grow beyond `capacity` sources.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let crowd = || Crowd { by_source: HashMap::with_capacity(capacity), total: 0 };
        Self { unproven: crowd(), portal: crowd() }
    }

    /// Lets a connection in, unproven, or says why not. `sessions` is how many there are, this one not counted.
    ///
    /// # Errors
    /// [`Refused`]; nothing has been counted then.
    pub fn enter(&mut self, client: IpAddr, sessions: usize, limits: &Limits) -> Result<Standing, Refused> {
        if sessions >= limits.sessions_per_worker as usize {
            return Err(Refused::Full);
        }
        let source = Source::from(client);
        self.unproven.enter(source, share(limits), limits.unproven_per_source)?;
        Ok(Standing::Unproven(source))
    }

    /// A connection turns out to be for the portal: from now on it counts as such.
    ///
    /// # Errors
    /// [`Refused`] if there are too many of those. It stands then as it stood.
    pub fn browse(&mut self, standing: Standing, limits: &Limits) -> Result<Standing, Refused> {
        let Standing::Unproven(source) = standing else { return Ok(standing) };
        self.portal.enter(source, share(limits), limits.portal_per_source)?;
        self.unproven.leave(source);
        Ok(Standing::Portal(source))
    }

    /// One connection has proven itself, or ended before it did. To be called once for each [`Admit::enter`], with its last standing.
    pub fn leave(&mut self, standing: Standing) {
        match standing {
            Standing::Unproven(source) => self.unproven.leave(source),
            Standing::Portal(source) => self.portal.leave(source),
        }
    }

    /// Unproven connections in all.
    #[must_use]
    pub fn unproven(&self) -> usize {
        self.unproven.total
    }

    /// Connections for the portal in all.
    #[must_use]
    pub fn browsing(&self) -> usize {
        self.portal.total
    }
}

fn share(limits: &Limits) -> usize {
    limits.sessions_per_worker as usize / UNPROVEN_SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(sessions_per_worker: u32, unproven_per_source: u32) -> Limits {
        Limits { sessions_per_worker, unproven_per_source, ..Limits::default() }
    }

    #[test]
    fn a_source_has_a_share_and_gets_it_back() {
        let mut admit = Admit::new(8);
        let limits = limits(100, 2);
        let here: IpAddr = "198.51.100.7".parse().unwrap();
        let first = admit.enter(here, 0, &limits).unwrap();
        admit.enter(here, 1, &limits).unwrap();
        assert_eq!(admit.enter(here, 2, &limits), Err(Refused::Source));
        admit.enter("198.51.100.8".parse().unwrap(), 2, &limits).unwrap();
        admit.leave(first);
        admit.enter(here, 3, &limits).unwrap();
        assert_eq!(admit.unproven(), 3);
    }

    #[test]
    fn the_unproven_of_all_sources_leave_room_for_those_who_will_prove_themselves() {
        let mut admit = Admit::new(100);
        let limits = limits(100, 2);
        for n in 0..25 {
            admit.enter(IpAddr::from([192, 0, 2, n]), usize::from(n), &limits).unwrap();
        }
        assert_eq!(admit.enter("198.51.100.1".parse().unwrap(), 25, &limits), Err(Refused::Full));
        admit.leave(Standing::Unproven(Source::V4([192, 0, 2, 3])));
        admit.enter("198.51.100.1".parse().unwrap(), 25, &limits).unwrap();
    }

    #[test]
    fn one_subscriber_is_one_source_however_it_writes_its_address() {
        let same = |a: &str, b: &str| Source::from(a.parse::<IpAddr>().unwrap()) == Source::from(b.parse::<IpAddr>().unwrap());
        assert!(same("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
        assert!(!same("2001:db8:0:1::1", "2001:db8:0:2::1"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn the_table_forgets_who_left_and_who_was_refused() {
        let mut admit = Admit::new(1);
        let closed = limits(10, 0);
        assert_eq!(admit.enter("192.0.2.1".parse().unwrap(), 0, &closed), Err(Refused::Source));
        assert!(admit.unproven.by_source.is_empty());
        let open = limits(1, 1);
        let source = admit.enter("192.0.2.1".parse().unwrap(), 0, &open).unwrap();
        assert_eq!(admit.enter("192.0.2.2".parse().unwrap(), 1, &open), Err(Refused::Full));
        admit.leave(source);
        assert!(admit.unproven.by_source.is_empty());
    }

    #[test]
    fn browsers_behind_one_address_keep_no_launch_out() {
        let mut admit = Admit::new(100);
        let limits = Limits { portal_per_source: 3, ..limits(100, 2) };
        let here: IpAddr = "198.51.100.7".parse().unwrap();
        let browsers: Vec<Standing> = (0..3)
            .map(|n| {
                let standing = admit.enter(here, n, &limits).unwrap();
                admit.browse(standing, &limits).unwrap()
            })
            .collect();
        assert_eq!((admit.unproven(), admit.browsing()), (0, 3));
        let fourth = admit.enter(here, 3, &limits).unwrap();
        assert_eq!(admit.browse(fourth, &limits), Err(Refused::Source));
        let launch = admit.enter(here, 4, &limits).unwrap();
        assert_eq!(admit.enter(here, 5, &limits), Err(Refused::Source));
        for standing in [fourth, launch, browsers[0], browsers[1], browsers[2]] {
            admit.leave(standing);
        }
        assert!(admit.unproven.by_source.is_empty() && admit.portal.by_source.is_empty());
    }
}
