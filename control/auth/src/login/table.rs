//! Logins that are under way, by the cookie of the browser, and how many of them may ask somebody at the same time.
//!
//! ```text
//!   begin ── token (random, never shown before) ──► under its seal          full: the oldest that has passed no factor makes room,
//!   find ─── token, virtual server ──────────────► the conversation               or there is no room; of one source with many: its own
//!   rotate ─ old token, new token ───────────────► a factor was passed: the old cookie is worth nothing
//!   by number ─ for answers from outside, which outlive cookies
//!
//!   admit ─ a question ─► In service (≤ 256) ── done ──► the next in the queue
//!                     ├─► Queued (≤ 512)
//!                     └─► Busy: the user tries again later
//! ```
//!
//! Who holds no valid cookie learns nothing: unknown, expired, of another virtual server and rotated away are one answer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use gate_config::model::VserverName;
use thiserror::Error;

use super::conversation::Conversation;
use crate::Now;
use crate::guard::Source;
use crate::seal::{Seal, SealKey};
use crate::sessions::Token;

/// Conversations in the table.
pub const CONVERSATIONS_MAX: usize = 16_384;
/// Conversations of one source that have passed no factor. Enough for an office behind one address in the morning.
pub const FRESH_PER_SOURCE_MAX: usize = 1024;
const _: () = assert!(FRESH_PER_SOURCE_MAX * 4 < CONVERSATIONS_MAX, "one source cannot push others out");
/// How long a conversation may take from its beginning.
pub const CONVERSATION_LIFE: Duration = Duration::from_secs(600);
/// Questions that are asked at the same time.
pub const IN_SERVICE_MAX: usize = 256;
/// Questions that wait for one of these to be answered.
pub const QUEUED_MAX: usize = 512;

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Conversations in the table.
    pub conversations_max: usize,
    /// Of these, of one source and without a factor passed.
    pub fresh_per_source_max: usize,
    /// From the beginning of one to its end.
    pub life: Duration,
    /// Questions that are asked at the same time.
    pub in_service_max: usize,
    /// Questions that wait.
    pub queued_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            conversations_max: CONVERSATIONS_MAX,
            fresh_per_source_max: FRESH_PER_SOURCE_MAX,
            life: CONVERSATION_LIFE,
            in_service_max: IN_SERVICE_MAX,
            queued_max: QUEUED_MAX,
        }
    }
}

/// There is no room: every conversation in the table has passed a factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many logins are under way")]
pub struct Full;

/// Whether a question may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Now.
    Now,
    /// When [`Conversations::done`] names the conversation.
    Queued,
    /// Not at all.
    Busy,
}

/// All conversations.
pub struct Conversations {
    key: SealKey,
    limits: Limits,
    table: HashMap<Seal, Entry>,
    by_number: HashMap<u64, Seal>,
    /// By age, those that have passed no factor: who has only looked at a form makes room first.
    fresh: BTreeMap<u64, Seal>,
    /// The same by where they come from.
    by_source: HashMap<Source, BTreeSet<u64>>,
    in_service: HashSet<u64>,
    queue: VecDeque<u64>,
    begun: u64,
}

struct Entry {
    conversation: Conversation,
    until: Now,
}

impl Conversations {
    /// An empty table.
    #[must_use]
    pub fn new(key: SealKey, limits: Limits) -> Self {
        Self {
            key,
            limits,
            table: HashMap::new(),
            by_number: HashMap::new(),
            fresh: BTreeMap::new(),
            by_source: HashMap::new(),
            in_service: HashSet::new(),
            queue: VecDeque::new(),
            begun: 0,
        }
    }

    /// The number for the next conversation; counted up from 1.
    pub fn next_number(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    /// Takes a conversation in under a `token` that was never shown to anybody before (against fixation). One that had to make room for
    /// it comes back.
    ///
    /// # Errors
    /// [`Full`].
    pub fn begin(&mut self, token: &Token, conversation: Conversation, now: Now) -> Result<Option<Conversation>, Full> {
        let source = Source::from(conversation.arrival().client.ip());
        let own = self.by_source.get(&source).filter(|own| own.len() >= self.limits.fresh_per_source_max);
        let oldest_own = own.and_then(BTreeSet::first).and_then(|number| self.by_number.get(number)).copied();
        let mut gone = oldest_own.and_then(|seal| self.take(seal));
        if self.table.len() >= self.limits.conversations_max {
            self.sweep(now);
        }
        if self.table.len() >= self.limits.conversations_max {
            let (_, oldest) = self.fresh.first_key_value().ok_or(Full)?;
            gone = self.take(*oldest);
        }
        let seal = self.seal(token.expose());
        let number = conversation.number();
        self.by_number.insert(number, seal);
        self.fresh.insert(number, seal);
        self.by_source.entry(source).or_default().insert(number);
        self.table.insert(seal, Entry { conversation, until: now.saturating_add(self.limits.life) });
        Ok(gone)
    }

    /// The conversation behind a cookie that was given out at this virtual server.
    pub fn find(&mut self, token: &str, vserver: &VserverName, now: Now) -> Option<&mut Conversation> {
        let seal = self.seal(token);
        let entry = self.table.get(&seal)?;
        if entry.until <= now {
            self.take(seal);
            return None;
        }
        let conversation = &mut self.table.get_mut(&seal)?.conversation;
        (conversation.setting().vserver == *vserver).then_some(conversation)
    }

    /// The conversation with a number, for an answer from outside.
    pub fn by_number(&mut self, number: u64, now: Now) -> Option<&mut Conversation> {
        let seal = *self.by_number.get(&number)?;
        if self.table.get(&seal).is_some_and(|entry| entry.until <= now) {
            self.take(seal);
            return None;
        }
        self.table.get_mut(&seal).map(|entry| &mut entry.conversation)
    }

    /// A factor was passed: from now on the conversation is found under `new`, which was never shown to anybody before, and no more under
    /// its old token. `false`: there is no such conversation.
    pub fn rotate(&mut self, number: u64, new: &Token) -> bool {
        let new = self.seal(new.expose());
        let Some(old) = self.by_number.get(&number).copied() else { return false };
        let Some(entry) = self.table.remove(&old) else { return false };
        self.passed(number, &entry.conversation);
        self.table.insert(new, entry);
        self.by_number.insert(number, new);
        true
    }

    /// It makes no room any more, or is gone.
    fn passed(&mut self, number: u64, conversation: &Conversation) {
        self.fresh.remove(&number);
        let source = Source::from(conversation.arrival().client.ip());
        if let Some(own) = self.by_source.get_mut(&source) {
            own.remove(&number);
            if own.is_empty() {
                self.by_source.remove(&source);
            }
        }
    }

    /// Takes a conversation out: it is over. A question of its that is asked is still asked; one that waits is not.
    pub fn end(&mut self, number: u64) -> Option<Conversation> {
        let seal = *self.by_number.get(&number)?;
        self.take(seal)
    }

    /// Throws out what is over, and gives it back.
    pub fn sweep(&mut self, now: Now) -> Vec<Conversation> {
        let over: Vec<Seal> = self.table.iter().filter(|(_, entry)| entry.until <= now).map(|(seal, _)| *seal).collect();
        over.into_iter().filter_map(|seal| self.take(seal)).collect()
    }

    /// A conversation wants somebody to be asked. One that is asked or waits already stays where it is.
    pub fn admit(&mut self, number: u64) -> Admitted {
        if self.in_service.contains(&number) {
            Admitted::Now
        } else if self.queue.contains(&number) {
            Admitted::Queued
        } else if self.in_service.len() < self.limits.in_service_max {
            self.in_service.insert(number);
            Admitted::Now
        } else if self.queue.len() < self.limits.queued_max {
            self.queue.push_back(number);
            Admitted::Queued
        } else {
            Admitted::Busy
        }
    }

    /// The question of a conversation was answered, or nobody waits for it any more. Whose question is to be asked now, if one waits.
    pub fn done(&mut self, number: u64) -> Option<u64> {
        self.queue.retain(|waiting| *waiting != number);
        if !self.in_service.remove(&number) {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.in_service.insert(next);
        Some(next)
    }

    /// How many questions are asked, and how many wait.
    #[must_use]
    pub fn questions(&self) -> (usize, usize) {
        (self.in_service.len(), self.queue.len())
    }

    /// All, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Conversation> {
        self.table.values().map(|entry| &entry.conversation)
    }

    /// How many there are, some of them perhaps over and not yet swept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn seal(&self, token: &str) -> Seal {
        self.key.seal("conversation", &[token.as_bytes()])
    }

    fn take(&mut self, seal: Seal) -> Option<Conversation> {
        let entry = self.table.remove(&seal)?;
        let number = entry.conversation.number();
        self.by_number.remove(&number);
        self.passed(number, &entry.conversation);
        self.queue.retain(|waiting| *waiting != number);
        Some(entry.conversation)
    }
}

/// How many, and no seal.
impl fmt::Debug for Conversations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversations")
            .field("len", &self.table.len())
            .field("in_service", &self.in_service.len())
            .field("queued", &self.queue.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Setting;
    use super::*;
    use crate::sessions::{Arrival, TOKEN_RANDOM_BYTES};

    const T0: Now = Now::from_secs(50);

    fn token(n: u32) -> Token {
        let mut random = [0; TOKEN_RANDOM_BYTES];
        random[..4].copy_from_slice(&n.to_be_bytes());
        Token::new(random)
    }

    fn vserver(name: &str) -> VserverName {
        VserverName::parse(name).unwrap()
    }

    fn conversation(number: u64) -> Conversation {
        conversation_of("192.0.2.1:9", number)
    }

    fn conversation_of(client: &str, number: u64) -> Conversation {
        let setting = Setting { model: std::sync::Arc::default(), vserver: vserver("gw") };
        Conversation::begin(setting, Arrival { client: client.parse().unwrap(), vserver: "gw".into() }, number, T0)
    }

    fn table(conversations_max: usize) -> Conversations {
        let limits = Limits { conversations_max, in_service_max: 2, queued_max: 2, ..Limits::default() };
        Conversations::new(SealKey::new([1; 32]), limits)
    }

    fn begin(table: &mut Conversations, n: u32) -> Result<Option<u64>, Full> {
        let number = table.next_number();
        assert_eq!(number, u64::from(n));
        table.begin(&token(n), conversation(number), T0).map(|gone| gone.map(|gone| gone.number()))
    }

    #[test]
    fn a_cookie_finds_its_conversation_at_its_virtual_server_for_its_time() {
        let mut table = table(4);
        begin(&mut table, 1).unwrap();
        let found = |table: &mut Conversations, n, name: &str, now| {
            table.find(token(n).expose(), &vserver(name), now).map(|c| c.number())
        };
        assert_eq!(found(&mut table, 1, "gw", T0), Some(1));
        assert_eq!(found(&mut table, 1, "other", T0), None);
        assert_eq!(found(&mut table, 2, "gw", T0), None);
        assert_eq!(table.find("", &vserver("gw"), T0).map(|c| c.number()), None);
        let last = T0 + CONVERSATION_LIFE - Duration::from_millis(1);
        assert_eq!(found(&mut table, 1, "gw", last), Some(1));
        assert_eq!(found(&mut table, 1, "gw", T0 + CONVERSATION_LIFE), None);
        assert!(table.is_empty() && table.by_number.is_empty() && table.fresh.is_empty());
    }

    #[test]
    fn a_passed_factor_makes_the_old_cookie_worthless() {
        let mut table = table(4);
        begin(&mut table, 1).unwrap();
        assert!(table.rotate(1, &token(9)));
        assert!(!table.rotate(2, &token(8)));
        assert!(table.find(token(1).expose(), &vserver("gw"), T0).is_none());
        assert_eq!(table.find(token(9).expose(), &vserver("gw"), T0).map(|c| c.number()), Some(1));
        assert_eq!(table.by_number(1, T0).map(|c| c.number()), Some(1));
        assert_eq!(table.end(1).map(|c| c.number()), Some(1));
        assert!(table.by_number(1, T0).is_none() && table.find(token(9).expose(), &vserver("gw"), T0).is_none());
    }

    #[test]
    fn a_flood_of_first_looks_never_throws_out_who_has_passed_a_factor() {
        let mut table = table(3);
        begin(&mut table, 1).unwrap();
        assert!(table.rotate(1, &token(1001)));
        for n in 2..=3 {
            assert_eq!(begin(&mut table, n), Ok(None));
        }
        for n in 4..100 {
            assert_eq!(begin(&mut table, n), Ok(Some(u64::from(n) - 2)), "the oldest first look makes room");
        }
        assert_eq!(table.len(), 3);
        assert!(table.find(token(1001).expose(), &vserver("gw"), T0).is_some());
        for n in 98..100 {
            assert!(table.rotate(n, &token(2000 + u32::try_from(n).unwrap())));
        }
        assert_eq!(begin(&mut table, 100), Err(Full));
        let number = table.next_number();
        assert!(table.begin(&token(101), conversation(number), T0 + CONVERSATION_LIFE).is_ok(), "until their time is over");
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_source_with_many_first_looks_makes_room_for_its_own_only() {
        let limits = Limits { conversations_max: 8, fresh_per_source_max: 3, ..Limits::default() };
        let mut table = Conversations::new(SealKey::new([1; 32]), limits);
        let begin = |table: &mut Conversations, client: &str, n: u32| {
            let number = table.next_number();
            table.begin(&token(n), conversation_of(client, number), T0).unwrap().map(|gone| gone.number())
        };
        assert_eq!(begin(&mut table, "198.51.100.7:1", 1), None);
        let gone: Vec<_> = (2..=20).map(|n| begin(&mut table, "192.0.2.1:9", n)).collect();
        assert_eq!(gone[..4], [None, None, None, Some(2)]);
        assert_eq!(gone.last(), Some(&Some(17)), "its own oldest");
        assert!(table.find(token(1).expose(), &vserver("gw"), T0).is_some(), "others stay");
        // A passed factor does not count, and what is over is forgotten.
        assert!(table.rotate(18, &token(99)));
        assert_eq!(begin(&mut table, "192.0.2.1:9", 21), None);
        for number in [1, 18, 19, 20, 21] {
            assert!(table.end(number).is_some());
        }
        assert!(table.by_source.is_empty() && table.fresh.is_empty());
    }

    #[test]
    fn questions_are_asked_in_turn_and_too_many_are_refused() {
        let mut table = table(10);
        for n in 1..=6 {
            begin(&mut table, n).unwrap();
        }
        let admitted: Vec<_> = (1..=6).map(|n| table.admit(n)).collect();
        use Admitted::{Busy, Now as Asked, Queued};
        assert_eq!(admitted, [Asked, Asked, Queued, Queued, Busy, Busy]);
        assert_eq!((table.admit(1), table.admit(3)), (Asked, Queued), "who asks again gains nothing");
        assert_eq!(table.questions(), (2, 2));
        table.end(3);
        assert_eq!(table.done(2), Some(4), "one that is over does not wait any more");
        assert_eq!(table.done(2), None, "an answer frees one place");
        assert_eq!((table.done(1), table.done(4)), (None, None));
        assert_eq!(table.questions(), (0, 0));
        assert_eq!(table.done(99), None);
    }

    #[test]
    fn tokens_begin_with_the_digits_from_which_clients_make_their_key() {
        let token = token(7);
        assert!(token.expose().len() >= 32 && token.expose().bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn a_dump_holds_no_token() {
        let mut table = table(2);
        begin(&mut table, 1).unwrap();
        let dump = format!("{table:?} {:?}", table.iter().collect::<Vec<_>>());
        assert!(!dump.contains(token(1).expose()) && dump.contains("len: 1"), "{dump}");
    }
}
