//! Logins under way: what the machine wants, done one step after the other.
//!
//! ```text
//!   Say ─► step ─┬─ form, scan, end ──────────────────────────────────────────────────► Turn
//!                └─ question ─► brake, lock-out ─┬─ no: that is the answer ─┐
//!                                                └─ its turn? ─► outside ───┴─► Answered ─► step …
//! ```
//!
//! While a question is out, the conversation's [`Talk`] is in the table: whoever says something meanwhile hears of a conflict. The door may
//! go; the answer comes all the same, and a login that nobody was there to take is kept for the next request.

use std::sync::Arc;
use std::time::Duration;

use gate_auth::guard::Source;
use gate_auth::login::lockout::Locked;
use gate_auth::login::table::{Admitted, CONVERSATION_LIFE, CONVERSATIONS_MAX};
use gate_auth::login::{
    Answer, Ask, CertificateView, Code, Conversation, Decision, Denial, DeviceSecret, Event, Failure, Grant, NotCode, NotDone,
    Outcome, Proven, Question, Realm, Setting, Shown, Step, Why,
};
use gate_auth::seal::Seal;
use gate_auth::sessions::{Arrival, End, Entry, Token};
use gate_auth::totp::{self, DeviceMark, NotAccepted};
use gate_config::expr::Request;
use gate_proto::audit::{Entry as Note, Value};
use gate_proto::otp::DeviceName;
use secrecy::zeroize::Zeroizing;
use tracing::{info, warn};

use super::scans::Looked;
use super::{Owner, give};
use crate::action::ReplyTo;
use crate::login::rules::times;
use crate::login::trace::{Trace, TraceResult};
use crate::login::{Came, Said, Turn};
use crate::random;

/// Times at which logins expire, kept in order. Twice as many as there are logins under way, so that looking through them is rare.
const EXPIRING_MAX: usize = 2 * CONVERSATIONS_MAX;

/// A step that is under way.
pub(super) struct Talk {
    door: ReplyTo<Turn>,
    request: Arc<Request>,
    replaces: Option<String>,
    /// What the browser has.
    token: Token,
    /// The guess that is being judged.
    guess: Option<Guess>,
    /// A question that waits for its turn.
    waiting: Option<Question>,
    /// Somebody was not asked, since too many are.
    is_busy: bool,
}

/// A guess at a secret. It counts as a failure until somebody says otherwise.
struct Guess {
    realm: Realm,
    user: Box<str>,
    source: Source,
    /// It is a reply to a server that asked back.
    is_reply: bool,
    was_wrong: bool,
}

/// What is kept of a conversation beside itself.
#[derive(Default)]
pub(super) struct Kept {
    /// The factor that was shown last, under the token that the browser has.
    factor: Option<Arc<str>>,
    /// What the page for a certificate leads on with, sealed, and the step that it is for. It is good once.
    ticket: Option<(Seal, u32)>,
    /// Who has looked at the client, in order; as many as there are looks in a login.
    pub(super) looked: Vec<Looked>,
    /// A login that is complete, and that nobody was there to take.
    grant: Option<Box<Grant>>,
    /// Decisions that are written down.
    noted: usize,
    /// Whose secrets were right in it. Their failures are forgotten once it is complete, and not before: who has one secret of two must not
    /// be able to guess at the other without end.
    proven: Vec<(Realm, Box<str>)>,
}

impl Owner {
    /// Something happened in a login.
    pub(super) fn say(&mut self, said: Said, door: ReplyTo<Turn>, now: Duration) {
        self.expire(now);
        let Said { token, ticket, mut event, request, arrival, replaces, model } = said;
        let Some(vserver) = model.vservers.row(&arrival.vserver).map(|(name, _)| name.clone()) else {
            return give(door, Turn::Unknown);
        };
        let known = token.and_then(|token| {
            let number = self.conversations.find(&token, &vserver, now)?.number();
            Some((number, Token::returned(token)))
        });
        let begun = match (known, &event) {
            (Some(known), _) => Ok(known),
            (None, Event::Asked) => self.begin(Setting { model, vserver }, arrival, now),
            (
                None,
                Event::Posted { .. }
                | Event::Answered { .. }
                | Event::Scanned { .. }
                | Event::Skipped { .. }
                | Event::Certificate { .. }
                | Event::Cancelled,
            ) => Err(Box::new(Turn::Unknown)),
        };
        let (number, token) = match begun {
            Ok(begun) => begun,
            Err(turn) => return give(door, *turn),
        };
        if self.talks.contains_key(&number) {
            return give(door, Turn::Conflict);
        }
        if let Some(ticket) = ticket {
            let Some(wanted) = self.redeemed(number, &ticket) else { return give(door, Turn::Unknown) };
            if let Event::Certificate { step, .. } = &mut event {
                *step = Some(wanted);
            }
        }
        let talk = Talk { door, request, replaces, token, guess: None, waiting: None, is_busy: false };
        if let Some(grant) = self.kept.get_mut(&number).and_then(|kept| kept.grant.take()) {
            return self.granted(number, grant, talk, now);
        }
        self.advance(number, talk, event, now);
    }

    fn begin(&mut self, setting: Setting, arrival: Arrival, now: Duration) -> Result<(u64, Token), Box<Turn>> {
        let token = random::bytes().map(Token::new).map_err(|why| Box::new(Turn::NotEntered(why.into())))?;
        let number = self.conversations.next_number();
        let conversation = Conversation::begin(setting, arrival, number, now);
        let displaced = self.conversations.begin(&token, conversation, now).map_err(|_| Box::new(Turn::Busy))?;
        if let Some(displaced) = displaced {
            self.forget(&displaced, TraceResult::Displaced, now);
        }
        self.kept.insert(number, Kept::default());
        if self.expiring.len() >= EXPIRING_MAX {
            // Logins that are over leave theirs behind; those that are not are fewer than half of these.
            self.expiring.retain(|(_, number)| self.kept.contains_key(number));
        }
        self.expiring.push_back((now + CONVERSATION_LIFE, number));
        Ok((number, token))
    }

    /// Tells the machine, and does what it wants until there is something to tell the door, or somebody is asked.
    fn advance(&mut self, number: u64, mut talk: Talk, mut event: Event, now: Duration) {
        loop {
            let Some(conversation) = self.conversations.by_number(number, now) else {
                return self.drop_talk(talk, Turn::Unknown);
            };
            let step = conversation.step(event, &talk.request, now);
            self.write_down(number, now);
            let question = match step {
                Step::Ask(question) => question,
                Step::Show(view) => {
                    self.tally.logins_wrong += u64::from(view.error.is_some() && !talk.is_busy);
                    let token = self.token(number, &talk, &view.factor);
                    let turn = if talk.is_busy { Turn::Busy } else { Turn::Show { token, view } };
                    return self.drop_talk(talk, turn);
                }
                Step::Scan(view) => {
                    let token = self.token(number, &talk, &view.factor);
                    return self.drop_talk(talk, Turn::Scan { token, view });
                }
                Step::Certificate(view) => {
                    let token = self.token(number, &talk, &view.factor);
                    let turn = self.ask_for_certificate(number, token, view, &talk.request.host);
                    return self.drop_talk(talk, turn);
                }
                Step::Stale(Shown::Certificate(view)) => {
                    let turn = self.ask_for_certificate(number, talk.token.clone(), view, &talk.request.host);
                    return self.drop_talk(talk, turn);
                }
                Step::Stale(Shown::Form(view)) => {
                    let token = talk.token.clone();
                    return self.drop_talk(talk, Turn::Show { token, view });
                }
                Step::Stale(Shown::Scan(view)) => {
                    let token = talk.token.clone();
                    return self.drop_talk(talk, Turn::Scan { token, view });
                }
                Step::Stale(Shown::Nothing) | Step::Busy => return self.drop_talk(talk, Turn::Conflict),
                Step::Granted(grant) => return self.granted(number, grant, talk, now),
                Step::Over(denial) => return self.denied(number, denial, talk, now),
            };
            let asked = question.number;
            if let Ask::NewSecret { name } = &question.ask {
                event = Event::Answered { question: asked, answer: new_secret(name) };
                continue;
            }
            let answer = match self.may_leave(number, &mut talk, &question, now) {
                Err(answer) => answer,
                Ok(()) => match self.conversations.admit(number) {
                    Admitted::Now => return self.send_out(number, talk, question),
                    Admitted::Queued => {
                        talk.waiting = Some(question);
                        self.talks.insert(number, talk);
                        return;
                    }
                    Admitted::Busy => {
                        talk.is_busy = true;
                        Answer::Outage(Code::TryLater, "too many questions are under way".into())
                    }
                },
            };
            event = Event::Answered { question: asked, answer };
        }
    }

    /// Where a client is asked for a certificate, with a ticket that names this login and the port at which its page is.
    fn ask_for_certificate(&mut self, number: u64, token: Token, view: CertificateView, host: &str) -> Turn {
        let secret = match random::bytes().map(Token::new) {
            Ok(secret) => secret,
            Err(why) => return Turn::NotEntered(why.into()),
        };
        let ticket = format!("{}-{}", secret.expose(), port_of(host));
        if let Some(kept) = self.kept.get_mut(&number) {
            kept.ticket = Some((self.scanner_key.seal("certificate", &[ticket.as_bytes()]), view.step));
        }
        Turn::Certificate { token, view, ticket }
    }

    /// The step for which a ticket is good, if it is this login's. It is good no more then.
    fn redeemed(&mut self, number: u64, ticket: &str) -> Option<u32> {
        let shown = self.scanner_key.seal("certificate", &[ticket.as_bytes()]);
        let kept = self.kept.get_mut(&number)?;
        kept.ticket.take_if(|(wanted, _)| *wanted == shown).map(|(_, step)| step)
    }

    /// Whether a question may leave: the brake and the lock-out stand before every new guess.
    fn may_leave(&mut self, number: u64, talk: &mut Talk, question: &Question, now: Duration) -> Result<(), Answer> {
        let Some(user) = &question.guess else { return Ok(()) };
        let Some(conversation) = self.conversations.by_number(number, now) else { return Ok(()) };
        let (realm, limits) = (conversation.setting().realm(), conversation.setting().lockout());
        let source = Source::from(conversation.arrival().client.ip());
        if let Err(Locked { .. }) = self.lockouts.begin(&realm, user, limits, now) {
            self.tally.logins_held_back += 1;
            return Err(Answer::Locked);
        }
        if let Err(wait) = self.login_guard.begin(user, Some(source), now) {
            self.lockouts.spared(&realm, user);
            self.tally.logins_held_back += 1;
            return Err(Answer::Held(wait.time));
        }
        let is_reply = matches!(question.ask, Ask::Reply { .. });
        talk.guess = Some(Guess { realm, user: user.clone(), source, is_reply, was_wrong: false });
        Ok(())
    }

    fn send_out(&mut self, number: u64, talk: Talk, question: Question) {
        let client = talk.request.client.ip();
        self.talks.insert(number, talk);
        let Question { number: asked, action, ask, guess: _ } = question;
        match ask {
            Ask::Local { user, domain, password } => {
                // What cannot be a name costs the same work as one that nobody has.
                let name = self.canonical(&user, Some(&*domain)).unwrap_or_default();
                let check = self.users.check(&name);
                self.outside.check(number, asked, name, check, password);
            }
            ask @ (Ask::Ldap { .. }
            | Ask::LdapChange { .. }
            | Ask::Radius { .. }
            | Ask::Reply { .. }
            | Ask::Code { .. }
            | Ask::Devices { .. }
            | Ask::NewSecret { .. }
            | Ask::DeviceAdd { .. }
            | Ask::DeviceRemove { .. }) => self.outside.ask(number, asked, action, ask, client),
        }
    }

    /// Somebody outside has answered.
    pub(super) fn answered(&mut self, number: u64, question: u64, came: Came, now: Duration) {
        self.expire(now);
        if let Some(next) = self.conversations.done(number) {
            self.next_in_turn(next);
        }
        let Some(mut talk) = self.talks.remove(&number) else { return };
        let answer = match came {
            Came::Said(answer) => answer,
            Came::Code { proven, fits, now: step } => self.code_came(proven, &fits, step),
            Came::Added { devices, device, used } => {
                // The code that has confirmed it is used up.
                let _: Answer = self.code_came(Box::default(), &[(device, used)], used);
                Answer::Devices(devices)
            }
            Came::Local { right: None, .. } => Answer::Outage(Code::TryLater, "too many passwords are being checked".into()),
            Came::Local { right: Some(false), .. } => Answer::Wrong(Code::Credentials),
            // While the check was done, the user may have got another password: the one of before opens nothing any more.
            Came::Local { name, check, password, right: Some(true) } => {
                match self.person(&name).filter(|_| self.users.is_current(&name, &check)) {
                    None => Answer::Wrong(Code::Credentials),
                    Some(person) => {
                        self.proven.remember(&name, &check, &password, now);
                        let (user, domain) = (person.name.to_string(), person.domain.to_string());
                        Answer::Proven(Box::new(Proven { user, domain, groups: person.groups.to_vec(), ..Proven::default() }))
                    }
                }
            }
        };
        self.weigh(number, &mut talk, &answer);
        self.advance(number, talk, Event::Answered { question, answer }, now);
    }

    /// A code fits these devices of the user at these steps. It counts for the first of them for which it was not used.
    fn code_came(&mut self, proven: Box<Proven>, fits: &[(DeviceMark, totp::Step)], now: totp::Step) -> Answer {
        let mut full = None;
        for (device, step) in fits {
            match self.used.accept(*device, *step, now) {
                Ok(()) => {
                    self.used_file.note(*device, *step);
                    return Answer::Proven(proven);
                }
                Err(NotAccepted::Again) => {}
                Err(why @ NotAccepted::Full) => full = Some(why),
            }
        }
        match full {
            Some(why) => Answer::Outage(Code::TryLater, why.to_string().into()),
            None => Answer::NotCode(NotCode::Used),
        }
    }

    fn next_in_turn(&mut self, number: u64) {
        let Some(mut talk) = self.talks.remove(&number) else { return };
        match talk.waiting.take() {
            Some(question) => self.send_out(number, talk, question),
            None => drop(self.talks.insert(number, talk)),
        }
    }

    /// What an answer says of the guess that is being judged.
    fn weigh(&mut self, number: u64, talk: &mut Talk, answer: &Answer) {
        let Some(guess) = &mut talk.guess else { return };
        match answer {
            Answer::Proven(_) | Answer::MustChange(_) => {
                self.lockouts.spared(&guess.realm, &guess.user);
                self.login_guard.spared(&guess.user, Some(guess.source));
                // One for each factor at most, and factors are counted; on the page of devices it is always the same.
                if let (Some(guess), Some(kept)) = (talk.guess.take(), self.kept.get_mut(&number)) {
                    let right = (guess.realm, guess.user);
                    if !kept.proven.contains(&right) {
                        kept.proven.push(right);
                    }
                }
            }
            Answer::Wrong(_) | Answer::NotCode(NotCode::Wrong | NotCode::Used | NotCode::NoDevice) => guess.was_wrong = true,
            // Some servers ask back whatever the password was, so that says nothing of it. Whether a reply was right is known only when the
            // login is somebody's: until then each one counts, or codes could be guessed without end where a wrong one is asked for again.
            Answer::Challenge(_) => guess.was_wrong = guess.is_reply,
            Answer::NotCode(NotCode::Unreadable)
            | Answer::Devices(_)
            | Answer::Secret(_)
            | Answer::NotDone(_)
            | Answer::Outage(..)
            | Answer::Held(_)
            | Answer::Locked => {}
        }
    }

    /// Tells the door. A guess that nobody has judged was none.
    fn drop_talk(&mut self, talk: Talk, turn: Turn) {
        if let Some(guess) = talk.guess.filter(|guess| !guess.was_wrong) {
            self.lockouts.spared(&guess.realm, &guess.user);
            self.login_guard.spared(&guess.user, Some(guess.source));
        }
        give(talk.door, turn);
    }

    /// What the browser is to have from now on: another token if a factor was passed, so that the old one is worth nothing. If nobody is
    /// there to take it, the old one stays good.
    fn token(&mut self, number: u64, talk: &Talk, factor: &Arc<str>) -> Token {
        let had = talk.token.clone();
        let Some(kept) = self.kept.get_mut(&number) else { return had };
        let is_passed = kept.factor.as_ref().is_some_and(|before| before != factor);
        if talk.door.is_closed() {
            return had;
        }
        if !is_passed {
            kept.factor = Some(Arc::clone(factor));
            return had;
        }
        let Ok(new) = random::bytes().map(Token::new) else { return had };
        if !self.conversations.rotate(number, &new) {
            return had;
        }
        kept.factor = Some(Arc::clone(factor));
        new
    }

    /// The machine lets somebody in.
    fn granted(&mut self, number: u64, grant: Box<Grant>, talk: Talk, now: Duration) {
        if talk.door.is_closed()
            && let Some(kept) = self.kept.get_mut(&number)
        {
            kept.grant = Some(grant);
            return;
        }
        let kept = self.take_kept(number).unwrap_or_default();
        for (realm, user) in &kept.proven {
            self.lockouts.succeeded(realm, user);
            self.login_guard.succeeded(user, None);
        }
        let Some(conversation) = self.conversations.end(number) else { return self.drop_talk(talk, Turn::Unknown) };
        if let Some(cookie) = &talk.replaces {
            self.logins.end(cookie, End::Renewed, now);
        }
        let Grant { identity, groups, attributes: _, strength: _, sso, periodic, quarantined: _, settings } = *grant;
        let entry =
            Entry { identity, groups: groups.into(), sso, arrival: conversation.arrival().clone(), times: times(&settings) };
        let (turn, result) = match self.enter(entry, now) {
            Ok((login, session)) => {
                self.tally.logins_right += 1;
                let last = self.scanner(&conversation.arrival().vserver, talk.token.expose());
                let pace = conversation.setting().model.aaa.periodic_scan;
                let watched = periodic.is_some_and(|periodic| {
                    let scanners = kept.repeaters(&periodic.factor, last);
                    self.watch(session, periodic, pace, scanners, now)
                });
                (Turn::Granted { login, watched }, TraceResult::Granted(session))
            }
            Err(why) => {
                self.refused(&conversation, &why.to_string());
                (Turn::NotEntered(why), TraceResult::NotEntered)
            }
        };
        self.traces.push(Trace::of(&conversation, Some((result, now))));
        self.drop_talk(talk, turn);
    }

    /// The machine does not.
    fn denied(&mut self, number: u64, denial: Denial, talk: Talk, now: Duration) {
        drop(self.take_kept(number));
        if let Some(conversation) = self.conversations.end(number) {
            self.refused(&conversation, &denial.why.to_string());
            self.traces.push(Trace::of(&conversation, Some((TraceResult::Refused(denial.why, denial.code), now))));
        }
        let is_cancelled = denial.why == Why::Cancelled;
        self.tally.logins_wrong += u64::from(!is_cancelled && denial.why != Why::DevicesLeft);
        self.drop_talk(talk, if is_cancelled { Turn::Cancelled } else { Turn::Over(denial) });
    }

    fn refused(&mut self, conversation: &Conversation, why: &str) {
        let arrival = conversation.arrival();
        let user = conversation.user().map(|user| &**user).unwrap_or_default();
        info!(conversation = conversation.number(), user, client = %arrival.client, vserver = %arrival.vserver, why, "no login");
        let mut fields = about(conversation);
        fields.push(("why", Value::Text(why.to_owned())));
        self.audit.note(Note { event: "login-refused", fields });
    }

    /// Logins whose time is up before they are complete.
    pub(super) fn expire(&mut self, now: Duration) {
        while let Some((until, number)) = self.expiring.front().copied()
            && until <= now
        {
            self.expiring.pop_front();
            if let Some(conversation) = self.conversations.end(number) {
                self.forget(&conversation, TraceResult::Expired, now);
            }
            // The table may have dropped it by itself.
            drop(self.take_kept(number));
        }
    }

    /// A login that is over before it was complete. Whoever is asked about it is asked in vain.
    fn forget(&mut self, conversation: &Conversation, result: TraceResult, now: Duration) {
        let number = conversation.number();
        drop(self.take_kept(number));
        self.traces.push(Trace::of(conversation, Some((result, now))));
        if let Some(talk) = self.talks.remove(&number) {
            self.drop_talk(talk, Turn::Unknown);
        }
    }

    /// Writes down what has become of factors since it was last called.
    fn write_down(&mut self, number: u64, now: Duration) {
        let Some(conversation) = self.conversations.by_number(number, now) else { return };
        let Some(kept) = self.kept.get_mut(&number) else { return };
        let path = conversation.path();
        let new = path.get(kept.noted..).unwrap_or_default();
        kept.noted = path.len();
        for decision in new {
            if let Outcome::Failed(action, why @ Failure::NotBuilt) = &decision.outcome {
                let policy = decision.policy.as_deref().unwrap_or_default();
                warn!(conversation = number, factor = %decision.factor, policy, %action, %why, "an action fails in every login");
            }
            if let Some((what, device)) = device_of(decision) {
                let mut fields = about(conversation);
                fields.push(("device", Value::Text(device.to_owned())));
                info!(conversation = number, user = conversation.user().map_or("", |user| &**user), device, "{what}");
                self.audit.note(Note { event: what, fields });
                continue;
            }
            let Some((action, result)) = result_of(decision) else { continue };
            let mut fields = about(conversation);
            fields.push(("factor", Value::Text(decision.factor.to_string())));
            fields.push(("policy", Value::Text(decision.policy.as_deref().unwrap_or_default().to_owned())));
            fields.push(("action", Value::Text(action.to_owned())));
            fields.push(("result", Value::Text(result)));
            self.audit.note(Note { event: "factor", fields });
        }
    }
}

/// Random bytes for a new device, if it has a name.
fn new_secret(name: &str) -> Answer {
    if DeviceName::parse(name).is_err() {
        return Answer::NotDone(NotDone::Name);
    }
    match random::bytes() {
        Ok(secret) => Answer::Secret(DeviceSecret(Zeroizing::new(secret))),
        Err(why) => Answer::Outage(Code::TryLater, why.to_string().into()),
    }
}

/// What was done about a device, if the decision is about that.
fn device_of(decision: &Decision) -> Option<(&'static str, &str)> {
    if let Outcome::DeviceAdded(name) = &decision.outcome {
        return Some(("otp-device-added", name));
    }
    if let Outcome::DeviceRemoved(name) = &decision.outcome {
        return Some(("otp-device-removed", name));
    }
    None
}

/// The port in a `Host` field.
fn port_of(host: &str) -> u16 {
    host.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(443)
}

/// What became of an action, if the decision is about that.
fn result_of(decision: &Decision) -> Option<(&str, String)> {
    if let Outcome::Succeeded(action) = &decision.outcome {
        return Some((action, "passed".to_owned()));
    }
    if let Outcome::ClientSecurity { complies, log: true } = &decision.outcome {
        return Some(("clientSecurity", if *complies { "passed" } else { "failed" }.to_owned()));
    }
    if let Outcome::Quarantined(group) = &decision.outcome {
        return Some((group, "quarantined".to_owned()));
    }
    let Outcome::Failed(action, why) = &decision.outcome else { return None };
    Some((action, format!("failed: {why}")))
}

fn about(conversation: &Conversation) -> Vec<(&'static str, Value)> {
    let arrival = conversation.arrival();
    vec![
        ("conversation", Value::Number(conversation.number())),
        ("user", Value::Text(conversation.user().map(|user| user.to_string()).unwrap_or_default())),
        ("client", Value::Text(arrival.client.to_string())),
        ("vserver", Value::Text(arrival.vserver.to_string())),
    ]
}
