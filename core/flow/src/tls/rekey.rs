//! When keys are changed, and where new ones come from.
//!
//! AES-GCM's proof of confidentiality wears off with use. ICA sessions live for days, so the bound is met: 2²⁴ records are 46 hours
//! at 100 records a second. On TLS 1.3 we send a KeyUpdate long before; on TLS 1.2 a key cannot be changed and the session ends.
//!
//! A KeyUpdate costs the receiver a key derivation and the answer, so that a flood of them is an attack: see [`Flood`].

use std::time::Duration;

use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use sluice_link::time::Moment;

use super::alert::RecordFault;
use super::handshake::Version;
use super::secret::{KeyFault, OpeningKey, SealingKey};

/// Records that one AES-GCM key seals before it is changed: half of what rustls allows, about a third of the full-size records
/// that RFC 8446, section 5.5, allows.
pub(super) const KEY_RECORDS_MAX: u64 = 1 << 23;
/// Blocks of 16 bytes (and one for each record) that one AES-GCM key seals before it is changed: 256 GiB.
pub(super) const KEY_BLOCKS_MAX: u64 = 1 << 34;
// RFC 8446, section 5.5: 2^24.5 records of 2^14 bytes, which are 2^10 blocks and more.
const _: () = assert!(KEY_BLOCKS_MAX <= 1 << (24 + 10));
/// KeyUpdates or session tickets in a row without application data between them.
const DATALESS_MAX: u8 = 32;
/// KeyUpdates within [`WINDOW`].
const PER_WINDOW_MAX: u8 = 10;
/// See [`PER_WINDOW_MAX`].
const WINDOW: Duration = Duration::from_secs(1);
/// Session tickets of one host that are kept. Later ones are ignored: each costs an allocation and a place in the cache.
const TICKETS_MAX: u8 = 8;

/// How much one key may protect.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyLimits {
    pub(super) records: u64,
    pub(super) blocks: u64,
}

impl KeyLimits {
    pub(super) const STANDARD: Self = Self { records: KEY_RECORDS_MAX, blocks: KEY_BLOCKS_MAX };

    /// Whether `key` must not seal application data any more before it is changed. TLS 1.2 cannot change keys, so that only the
    /// bound that matters ends such a session: the blocks.
    pub(super) fn reached(self, version: Version, key: &SealingKey) -> bool {
        self.spent(key) || (version == Version::Tls13 && key.wears_off() && key.records() >= self.records)
    }

    /// Whether a `key` that cannot be changed must not seal any more.
    pub(super) fn spent(self, key: &SealingKey) -> bool {
        key.wears_off() && key.blocks() >= self.blocks
    }
}

/// Where the next keys come from.
pub(super) enum Rekey {
    /// TLS 1.2: from nowhere.
    Never,
    /// We are the server.
    Server(KernelConnection<ServerConnectionData>),
    /// We are the client.
    Client { kernel: KernelConnection<ClientConnectionData>, tickets: u8 },
}

impl Rekey {
    pub(super) fn opening(&mut self) -> Result<OpeningKey, KeyFault> {
        let secrets = match self {
            Self::Never => return Err(KeyFault),
            Self::Server(kernel) => kernel.update_rx_secret(),
            Self::Client { kernel, .. } => kernel.update_rx_secret(),
        };
        OpeningKey::new(Version::Tls13, secrets.map_err(|_| KeyFault)?)
    }

    pub(super) fn sealing(&mut self) -> Result<SealingKey, KeyFault> {
        let secrets = match self {
            Self::Never => return Err(KeyFault),
            Self::Server(kernel) => kernel.update_tx_secret(),
            Self::Client { kernel, .. } => kernel.update_tx_secret(),
        };
        SealingKey::new(Version::Tls13, secrets.map_err(|_| KeyFault)?)
    }

    /// Keeps a host's session ticket for the next connection to it.
    pub(super) fn keep_ticket(&mut self, body: &[u8]) -> Result<(), RecordFault> {
        match self {
            Self::Never | Self::Server(_) => Err(RecordFault::Unexpected),
            Self::Client { tickets, .. } if *tickets == TICKETS_MAX => Ok(()),
            Self::Client { kernel, tickets } => {
                *tickets += 1;
                kernel.handle_new_session_ticket(body).map_err(|_| RecordFault::Decode)
            }
        }
    }
}

/// Guards against peers that keep us busy without saying anything.
#[derive(Debug, Default)]
pub(super) struct Flood {
    dataless: u8,
    since: Moment,
    in_window: u8,
}

impl Flood {
    /// Application data came.
    pub(super) fn data(&mut self) {
        self.dataless = 0;
    }

    /// A session ticket came.
    pub(super) fn ticket(&mut self) -> Result<(), RecordFault> {
        if self.dataless == DATALESS_MAX {
            return Err(RecordFault::TooManyKeyUpdates);
        }
        self.dataless += 1;
        Ok(())
    }

    /// A KeyUpdate came.
    pub(super) fn key_update(&mut self, now: Moment) -> Result<(), RecordFault> {
        self.ticket()?;
        if now.since(self.since) >= WINDOW {
            self.since = now;
            self.in_window = 0;
        }
        if self.in_window == PER_WINDOW_MAX {
            return Err(RecordFault::TooManyKeyUpdates);
        }
        self.in_window += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_key_updates_a_second_are_enough() {
        let mut flood = Flood::default();
        let start = Moment(5_000_000_000);
        for _ in 0..PER_WINDOW_MAX {
            assert_eq!(flood.key_update(start), Ok(()));
            flood.data();
        }
        let early = start + Duration::from_millis(999);
        assert_eq!(flood.key_update(early), Err(RecordFault::TooManyKeyUpdates));
        assert_eq!(flood.key_update(start + WINDOW), Ok(()));
    }

    #[test]
    fn thirty_two_without_data_are_enough_however_slow() {
        let mut flood = Flood::default();
        let mut now = Moment(0);
        for _ in 0..DATALESS_MAX {
            assert_eq!(flood.key_update(now), Ok(()));
            now = now + Duration::from_secs(60);
        }
        assert_eq!(flood.key_update(now), Err(RecordFault::TooManyKeyUpdates));
        flood.data();
        assert_eq!(flood.key_update(now), Ok(()));
    }
}
