//! Session tickets: how a client that has been here before skips the certificate.
//!
//! ```text
//!   epoch secret (random, an hour, then an hour more for opening) ─┐
//!                                   listener id, settings' hash ──┴─HKDF─► AES-256-GCM key
//!
//!   ticket: | epoch's name 16 | nonce 12 | sealed session | tag 16 |
//! ```
//!
//! Nothing is stored for a ticket, and workers share no table for them. Each virtual server has keys of its own, derived with its
//! id and a hash of its settings: a ticket of another one, or from before a change of certificate or policy, cannot be opened,
//! and a full handshake follows. A stolen epoch secret opens the sessions of two hours at most, and none that used a fresh key
//! exchange, which TLS 1.3 demands from resumed sessions as well.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use aws_lc_rs::rand;
use rustls::server::ProducesTickets;
use sluice_link::time::Moment;
use thiserror::Error;
use zeroize::Zeroizing;

/// How long one epoch's secret seals tickets. It opens them for as long again.
const EPOCH: Duration = Duration::from_secs(60 * 60);
/// What clients are told, in seconds: so long every ticket is good at least.
const LIFETIME_HINT: u32 = 60 * 60;
/// Bytes of an epoch's name.
const NAME: usize = 16;
/// Bytes of a tag.
const TAG: usize = 16;
/// Most bytes of a ticket that is looked at. Ours have about 300; a client's certificate chain would make them longer.
const TICKET_MAX: usize = 16 * 1024;

/// Keys of session tickets: shared by all workers and kept over publishes. Random, changed every hour, kept for one hour more.
pub struct TicketKeys {
    epochs: RwLock<Epochs>,
}

struct Epochs {
    /// Seals and opens. None if the system gave no random numbers when it was time.
    current: Option<Epoch>,
    /// Opens only.
    previous: Option<Epoch>,
}

struct Epoch {
    name: [u8; NAME],
    /// Boxed, so that no copy stays behind where the epoch has been moved from.
    secret: Box<Zeroizing<[u8; 32]>>,
    born: Moment,
}

impl Epoch {
    fn new(born: Moment) -> Result<Self, NoRandom> {
        let mut epoch = Self { name: [0; NAME], secret: Box::default(), born };
        rand::fill(&mut epoch.name).map_err(|_| NoRandom)?;
        rand::fill(&mut **epoch.secret).map_err(|_| NoRandom)?;
        Ok(epoch)
    }

    /// The key of one virtual server in this epoch.
    fn key(&self, binding: &[u8]) -> Option<LessSafeKey> {
        let mut key = Zeroizing::new([0; 32]);
        let prk = Prk::new_less_safe(HKDF_SHA256, &**self.secret);
        prk.expand(&[b"sluicegate session ticket", binding], HKDF_SHA256).and_then(|okm| okm.fill(&mut *key)).ok()?;
        UnboundKey::new(&AES_256_GCM, &*key).map(LessSafeKey::new).ok()
    }
}

impl TicketKeys {
    /// With a first random secret, in force from `now` on.
    ///
    /// # Errors
    /// [`NoRandom`]: the system gives no random numbers.
    pub fn new(now: Moment) -> Result<Self, NoRandom> {
        let current = Some(Epoch::new(now)?);
        Ok(Self { epochs: RwLock::new(Epochs { current, previous: None }) })
    }

    /// Changes keys if it is time to. To be called at least every few minutes, by anybody: what the keys live longer than two
    /// hours is the time between two calls.
    ///
    /// # Errors
    /// [`NoRandom`]; keys that are too old are forgotten nevertheless, and no tickets are given until it goes well again.
    pub fn rotate(&self, now: Moment) -> Result<(), NoRandom> {
        let young = |epoch: &Epoch, age: Duration| now.since(epoch.born) < age;
        let fresh = |epochs: &Epochs| epochs.current.as_ref().is_some_and(|current| young(current, EPOCH));
        let stale = |epochs: &Epochs| epochs.previous.as_ref().is_some_and(|previous| !young(previous, 2 * EPOCH));
        {
            let epochs = self.read();
            if fresh(&epochs) && !stale(&epochs) {
                return Ok(());
            }
        }
        let next = Epoch::new(now);
        let mut epochs = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
        let outcome = next.as_ref().map(drop).map_err(|fault| *fault);
        // Somebody else may have been faster.
        if !fresh(&epochs) {
            let retired = std::mem::replace(&mut epochs.current, next.ok());
            if retired.is_some() {
                epochs.previous = retired;
            }
        }
        if stale(&epochs) {
            epochs.previous = None;
        }
        outcome
    }

    fn read(&self) -> RwLockReadGuard<'_, Epochs> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").finish_non_exhaustive()
    }
}

/// The system gave no random numbers. The machine's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom;

/// Seals and opens the tickets of one virtual server with its present settings.
pub(super) struct ListenerTickets {
    keys: Arc<TicketKeys>,
    /// What its keys are derived with, beside the epoch's secret.
    binding: Box<[u8]>,
}

impl ListenerTickets {
    pub(super) fn new(keys: Arc<TicketKeys>, binding: Box<[u8]>) -> Self {
        Self { keys, binding }
    }
}

impl fmt::Debug for ListenerTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerTickets").finish_non_exhaustive()
    }
}

impl ProducesTickets for ListenerTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME_HINT
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let (name, key) = {
            let epochs = self.keys.read();
            let current = epochs.current.as_ref()?;
            (current.name, current.key(&self.binding)?)
        };
        let mut ticket = Vec::with_capacity(NAME + NONCE_LEN + plain.len() + TAG);
        ticket.extend_from_slice(&name);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(plain);
        let sealed = &mut ticket[NAME + NONCE_LEN..];
        let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), sealed).ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > TICKET_MAX {
            return None;
        }
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        // Names are no secret: they stand in every ticket.
        let key = {
            let epochs = self.keys.read();
            let epoch = [&epochs.current, &epochs.previous].into_iter().flatten().find(|epoch| epoch.name == *name)?;
            epoch.key(&self.binding)?
        };
        let mut plain = sealed.to_vec();
        let len = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(*name), &mut plain).ok()?.len();
        plain.truncate(len);
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tickets(keys: &Arc<TicketKeys>, binding: &[u8]) -> ListenerTickets {
        ListenerTickets::new(Arc::clone(keys), binding.into())
    }

    fn at(minutes: u64) -> Moment {
        Moment(0) + Duration::from_secs(60 * minutes)
    }

    #[test]
    fn a_ticket_opens_at_the_listener_that_gave_it_and_nowhere_else() {
        let keys = Arc::new(TicketKeys::new(at(0)).unwrap());
        let (one, other) = (tickets(&keys, b"one"), tickets(&keys, b"other"));
        let ticket = one.encrypt(b"session").unwrap();
        assert_eq!(one.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(tickets(&keys, b"one").decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(other.decrypt(&ticket), None);
        assert_ne!(ticket, one.encrypt(b"session").unwrap());
    }

    #[test]
    fn a_ticket_is_good_for_an_hour_and_dead_after_two() {
        let keys = Arc::new(TicketKeys::new(at(0)).unwrap());
        let tickets = tickets(&keys, b"one");
        let mut given = Vec::new();
        for minute in 0..300 {
            keys.rotate(at(minute)).unwrap();
            given.push(tickets.encrypt(b"session").unwrap());
            for (born, ticket) in (0..).zip(&given) {
                let age = minute - born;
                let opens = tickets.decrypt(ticket).is_some();
                assert!(opens || age > 60, "dead after {age} minutes");
                assert!(!opens || age < 120, "alive after {age} minutes");
            }
        }
    }

    #[test]
    fn keys_that_were_rotated_late_live_no_longer() {
        let keys = Arc::new(TicketKeys::new(at(0)).unwrap());
        let tickets = tickets(&keys, b"one");
        let ticket = tickets.encrypt(b"session").unwrap();
        keys.rotate(at(115)).unwrap();
        assert!(tickets.decrypt(&ticket).is_some());
        keys.rotate(at(120)).unwrap();
        assert_eq!(tickets.decrypt(&ticket), None);
    }

    #[test]
    fn keys_that_nobody_rotated_in_time_are_forgotten_at_once() {
        let keys = Arc::new(TicketKeys::new(at(0)).unwrap());
        let tickets = tickets(&keys, b"one");
        let ticket = tickets.encrypt(b"session").unwrap();
        keys.rotate(at(500)).unwrap();
        assert_eq!(tickets.decrypt(&ticket), None);
    }

    proptest! {
        #[test]
        fn a_changed_ticket_does_not_open(flip in 1u8.., at_byte in 0usize..1000, cut in 0usize..1000) {
            let keys = Arc::new(TicketKeys::new(at(0)).unwrap());
            let tickets = tickets(&keys, b"one");
            let mut ticket = tickets.encrypt(b"a session that is worth something").unwrap();
            prop_assert_eq!(tickets.decrypt(&ticket[..cut % ticket.len()]), None);
            let at_byte = at_byte % ticket.len();
            ticket[at_byte] ^= flip;
            prop_assert_eq!(tickets.decrypt(&ticket), None);
        }
    }
}
