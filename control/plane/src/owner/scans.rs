//! The client that is looked at: while it logs in, and again and again while its session lasts.
//!
//! ```text
//!   token of the login under way ─► Conversation: question, answer ─────────────┐ the same token, separate from the login's cookie
//!   token of a factor before ─────► nothing now, come back later                │
//!                                └► after the login: Watch of the session ◄─────┘ of the factor that is repeated; the others: unknown
//!   every second: those that are due ─► Missing ─► the session ends              answer that fails ─► Failed ─► the session ends
//! ```

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use gate_auth::login::Periodic;
use gate_auth::login::again::{Verdict, Watch};
use gate_auth::login::scan::{ScanNoted, Stage};
use gate_auth::seal::Seal;
use gate_auth::sessions::End;
use gate_config::model::{PeriodicScan, VserverName};
use secrecy::zeroize::Zeroizing;
use tracing::warn;

use super::Owner;
use super::talk::Kept;
use crate::login::{ScanAsked, ScanState, Scanner};

/// When whoever has looked at a client comes back at the latest while the login goes on.
const LATER_MAX: Duration = Duration::from_secs(15);
/// And at the earliest.
const LATER_MIN: Duration = Duration::from_secs(1);

/// Somebody who has looked at the client of a login under way, by the seal of his token.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    seal: Seal,
    /// For which factor.
    factor: Arc<str>,
}

/// Sessions whose clients are looked at again.
#[derive(Debug, Default)]
pub(super) struct Watches {
    by_login: HashMap<u64, Watched>,
    by_scanner: HashMap<Seal, u64>,
    /// When to look at which again: never later than its deadline.
    due: BTreeSet<(Duration, u64)>,
}

#[derive(Debug)]
struct Watched {
    watch: Watch,
    scanners: Vec<Seal>,
    /// Under which time it stands in [`Watches::due`].
    at: Option<Duration>,
}

impl Watches {
    fn begin(&mut self, login: u64, watch: Watch, scanners: Vec<Seal>) {
        for scanner in &scanners {
            self.by_scanner.insert(*scanner, login);
        }
        self.by_login.insert(login, Watched { watch, scanners, at: None });
        self.schedule(login);
    }

    /// The session is over.
    pub(super) fn end(&mut self, login: u64) {
        let Some(watched) = self.by_login.remove(&login) else { return };
        for scanner in &watched.scanners {
            self.by_scanner.remove(scanner);
        }
        if let Some(at) = watched.at {
            self.due.remove(&(at, login));
        }
    }

    /// Sees to it that it is looked at again in time.
    fn schedule(&mut self, login: u64) {
        let Some(watched) = self.by_login.get_mut(&login) else { return };
        let deadline = watched.watch.deadline();
        if watched.at == deadline {
            return;
        }
        if let Some(at) = watched.at {
            self.due.remove(&(at, login));
        }
        watched.at = deadline;
        if let Some(at) = deadline {
            self.due.insert((at, login));
        }
    }

    /// The next one whose deadline is over, with what is said about it.
    fn next_due(&mut self, now: Duration) -> Option<(u64, Verdict)> {
        while let Some((at, login)) = self.due.first().copied()
            && at < now
        {
            self.due.pop_first();
            let Some(watched) = self.by_login.get_mut(&login) else { continue };
            watched.at = None;
            if let Some(verdict) = watched.watch.verdict(now) {
                return Some((login, verdict.clone()));
            }
            self.schedule(login);
        }
        None
    }
}

impl Kept {
    /// Who repeats the look for `factor`: who looked for it last, and whoever has the token that the login ended with. Programs take that
    /// one out of their cookies.
    pub(super) fn repeaters(&self, factor: &str, last: Seal) -> Vec<Seal> {
        let looked = self.looked.iter().rev().find(|looked| *looked.factor == *factor).map(|looked| looked.seal);
        let last = Some(last).filter(|last| looked != Some(*last));
        looked.into_iter().chain(last).collect()
    }

    fn has_looked(&self, scanner: &Seal) -> bool {
        self.looked.iter().any(|looked| looked.seal == *scanner)
    }
}

impl Owner {
    /// What is kept of a login that is over.
    pub(super) fn take_kept(&mut self, number: u64) -> Option<Kept> {
        let kept = self.kept.remove(&number)?;
        for looked in &kept.looked {
            self.looked.remove(&looked.seal);
        }
        Some(kept)
    }

    /// When whoever has looked at the client of a login that goes on should come back: often enough that the first repeat is in time.
    fn later(pace: PeriodicScan) -> Duration {
        (pace.grace / 2).clamp(LATER_MIN, LATER_MAX)
    }

    /// The login under way of which a factor before was looked at under this token.
    fn gone_on(&mut self, scanner: &Seal, now: Duration) -> Option<PeriodicScan> {
        let number = *self.looked.get(scanner)?;
        Some(self.conversations.by_number(number, now)?.setting().model.aaa.periodic_scan)
    }

    /// Begins to watch the client of a session; whether there is something to watch.
    pub(super) fn watch(
        &mut self,
        login: u64,
        periodic: Periodic,
        pace: PeriodicScan,
        scanners: Vec<Seal>,
        now: Duration,
    ) -> bool {
        let Some(watch) = Watch::new(periodic, pace, now) else { return false };
        self.watches.begin(login, watch, scanners);
        true
    }

    /// Ends the sessions whose clients did not answer in time.
    pub(super) fn look_at_watches(&mut self, now: Duration) {
        while let Some((login, verdict)) = self.watches.next_due(now) {
            self.judged(login, &verdict, now);
        }
    }

    fn judged(&mut self, login: u64, verdict: &Verdict, now: Duration) {
        let end = match verdict {
            Verdict::Failed { .. } => End::ScanFailed,
            Verdict::Missing { .. } => End::ScanMissing,
        };
        warn!(login, why = %verdict, "a session ends on account of its client");
        self.logins.end_numbered(login, end, now);
    }

    /// What stands for the token of who looks at a client.
    pub(super) fn scanner(&self, vserver: &str, token: &str) -> Seal {
        self.scanner_key.seal("scanner", &[vserver.as_bytes(), token.as_bytes()])
    }

    /// `begins`: whoever looks has come, and asks.
    pub(super) fn scan_state(&mut self, at: &Scanner, begins: bool, now: Duration) -> Option<ScanState> {
        self.expire(now);
        let Ok(vserver) = VserverName::parse(&at.vserver) else { return None };
        if let Some(conversation) = self.conversations.find(&at.token, &vserver, now) {
            if begins {
                conversation.scan_begins();
            }
            return Some(match conversation.scan_stage() {
                Some(Stage::Waiting) => ScanState::Waiting,
                Some(Stage::Begun) => ScanState::Begun,
                Some(Stage::Answered) => ScanState::Done,
                None => ScanState::Idle,
            });
        }
        let scanner = self.scanner(&at.vserver, &at.token);
        let is_known = self.watches.by_scanner.contains_key(&scanner) || self.gone_on(&scanner, now).is_some();
        is_known.then_some(ScanState::Idle)
    }

    pub(super) fn scan_question(&mut self, at: &Scanner, now: Duration) -> Option<ScanAsked> {
        self.expire(now);
        let scanner = self.scanner(&at.vserver, &at.token);
        let vserver = VserverName::parse(&at.vserver).ok()?;
        if let Some(conversation) = self.conversations.find(&at.token, &vserver, now) {
            let (number, factor) = (conversation.number(), Arc::clone(conversation.factor()));
            let pace = conversation.setting().model.aaa.periodic_scan;
            let question = conversation.scan_question(now);
            let kept = self.kept.get_mut(&number)?;
            let has_looked = kept.has_looked(&scanner);
            let Some(question) = question else { return has_looked.then(|| ScanAsked::Later(Self::later(pace))) };
            if !has_looked {
                kept.looked.push(Looked { seal: scanner, factor });
                self.looked.insert(scanner, number);
            }
            return Some(ScanAsked::Now(question));
        }
        if let Some(pace) = self.gone_on(&scanner, now) {
            return Some(ScanAsked::Later(Self::later(pace)));
        }
        let login = *self.watches.by_scanner.get(&scanner)?;
        let question = self.watches.by_login.get_mut(&login)?.watch.question(now);
        self.watches.schedule(login);
        Some(ScanAsked::Now(question))
    }

    /// The certificate of a client's machine was judged. Whether it counts.
    pub(super) fn scan_device(&mut self, at: &Scanner, good: bool, now: Duration) -> Option<bool> {
        self.expire(now);
        let vserver = VserverName::parse(&at.vserver).ok()?;
        if let Some(conversation) = self.conversations.find(&at.token, &vserver, now) {
            return Some(good && conversation.device_proven(now));
        }
        let login = *self.watches.by_scanner.get(&self.scanner(&at.vserver, &at.token))?;
        let watched = self.watches.by_login.get_mut(&login)?;
        Some(good && watched.watch.device_proven(now))
    }

    pub(super) fn scan_answer(
        &mut self,
        at: &Scanner,
        digits: Option<&Zeroizing<Vec<u8>>>,
        repeats: bool,
        now: Duration,
    ) -> Option<ScanNoted> {
        self.expire(now);
        let digits = digits.map(|digits| digits.as_slice());
        let vserver = VserverName::parse(&at.vserver).ok()?;
        if let Some(conversation) = self.conversations.find(&at.token, &vserver, now) {
            return Some(conversation.scan_answer(digits, repeats, now));
        }
        let scanner = self.scanner(&at.vserver, &at.token);
        if self.gone_on(&scanner, now).is_some() {
            return Some(ScanNoted::Unasked);
        }
        let login = *self.watches.by_scanner.get(&scanner)?;
        let watched = self.watches.by_login.get_mut(&login)?;
        let noted = watched.watch.answer(digits, now);
        match watched.watch.verdict(now).cloned() {
            Some(verdict) => self.judged(login, &verdict, now),
            None => self.watches.schedule(login),
        }
        Some(noted)
    }
}
