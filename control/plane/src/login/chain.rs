//! Login, ticket, launch, stream: what hangs on what.
//!
//! ```text
//!   login ──portal gets a ticket──► seal of the ticket ─► number of the login
//!                                          │ a client brings the ticket
//!   login ◄── is it still there? ──────────┘──► launch ──► stream
//!   login over ──► launches that wait are doomed, streams end, if policy says so
//! ```
//!
//! Tickets that somebody else got (a store of its own in front of this gateway) belong to no login here.

use std::time::Duration;

use gate_auth::Now;
use gate_auth::oldest::OldestOut;
use gate_auth::seal::{Seal, SealKey};
use secrecy::ExposeSecret;

use crate::action::Presented;

/// Tickets remembered: as many as an embedded authority has room for.
const TICKETS_MAX: usize = 100_000;
/// How long they are. No authority is known that keeps one longer.
const TICKET_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Which tickets were got for which login.
#[derive(Debug)]
pub(crate) struct Issued {
    key: SealKey,
    tickets: OldestOut<Seal, (u64, Now)>,
}

impl Issued {
    /// None yet.
    pub(crate) fn new(key: SealKey) -> Self {
        Self { key, tickets: OldestOut::new(TICKETS_MAX) }
    }

    /// `ticket` was got for `login`.
    pub(crate) fn remember(&mut self, ticket: &Presented, login: u64, now: Now) {
        let seal = self.seal(ticket);
        self.tickets.put(&seal, (login, now));
    }

    /// The login for which it was got. It can be asked for again: some tickets are good more than once.
    pub(crate) fn login_of(&self, ticket: &Presented, now: Now) -> Option<u64> {
        let (login, issued) = self.tickets.peek(&self.seal(ticket))?;
        (now.saturating_sub(*issued) < TICKET_LIFE).then_some(*login)
    }

    /// Clients may write the id of the authority in other letters.
    fn seal(&self, ticket: &Presented) -> Seal {
        let authority = ticket.authority.to_ascii_uppercase();
        self.key.seal("portal ticket", &[authority.as_bytes(), ticket.code.expose_secret().as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(authority: &str, code: &str) -> Presented {
        Presented { authority: authority.to_owned(), code: code.to_owned().into() }
    }

    #[test]
    fn a_ticket_leads_to_its_login_and_no_other() {
        let mut issued = Issued::new(SealKey::new([3; 32]));
        let now = Now::from_secs(5);
        issued.remember(&ticket("STA1", "AB"), 1, now);
        issued.remember(&ticket("STA2", "AB"), 2, now);
        assert_eq!(issued.login_of(&ticket("sta1", "AB"), now), Some(1));
        assert_eq!(issued.login_of(&ticket("STA1", "AB"), now), Some(1), "again");
        assert_eq!(issued.login_of(&ticket("STA2", "AB"), now), Some(2));
        assert_eq!(issued.login_of(&ticket("STA2", "AC"), now), None);
        assert_eq!(issued.login_of(&ticket("STA1", "AB"), now + TICKET_LIFE), None);
        assert!(!format!("{issued:?}").contains("AB"));
    }
}
