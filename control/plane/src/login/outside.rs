//! Who is asked about a user, and what comes back.
//!
//! ```text
//!   owner ─ Ask ─► a task of its own ─┬─ local users: the slow check, on a helper thread ─► Came::Local ─┐
//!                                     └─ a directory, a RADIUS server, within its bounds ──► Came::Said ──┴─► Action::Answered
//! ```
//!
//! Exactly one answer comes, whatever becomes of the task: one that breaks, or takes too long, says that nobody could be asked.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gate_auth::login::{Answer, Ask, Challenge, Code, Proven, UserDevices};
use gate_auth::totp::{DeviceMark, Step};
use gate_auth::users::{Check, canonical};
use gate_config::model::ActionName;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use tokio::sync::mpsc;

use crate::action::Action;
use crate::helpers::Helpers;
use crate::login::codes;
use crate::login::directories::Find;
use crate::login::servers::FindServer;
use crate::reach::ldap::{Changed, Found, MustChange, NotChanged, Outcome, Wrong};
use crate::reach::radius::{self, Server};

/// For any answer: more than a directory, a RADIUS server or a full lane of password checks takes.
const ANSWER_TIME: Duration = Duration::from_secs(15);
const _: () = assert!(radius::TOTAL_TIME.as_secs() < ANSWER_TIME.as_secs());

/// Longest reason of an outage that a trace keeps, in bytes.
const WHY_BYTES_MAX: usize = 256;

/// What came back.
pub(crate) enum Came {
    /// The slow check of a local user's password was done; `right`: `None` if too many wait for theirs.
    Local {
        /// Canonical; empty for what cannot be a name.
        name: String,
        /// What was checked.
        check: Check,
        /// What with.
        password: SecretString,
        /// What came out.
        right: Option<bool>,
    },
    /// A code is one of the user's: of these devices, at these steps. Whether it was used only the owner knows.
    Code {
        /// Whose it is.
        proven: Box<Proven>,
        /// What it fits; never empty.
        fits: Vec<(DeviceMark, Step)>,
        /// When it was typed.
        now: Step,
    },
    /// A device was added.
    Added {
        /// What the user has now.
        devices: UserDevices,
        /// The new one.
        device: DeviceMark,
        /// The step of the code that has confirmed it.
        used: Step,
    },
    /// Somebody else has answered.
    Said(Answer),
}

/// Who is asked.
pub(crate) enum Whom {
    Directory(Find),
    Radius(FindServer),
}

/// Finds who is asked for an action, as it is configured now.
pub(crate) type FindWhom = Box<dyn Fn(&ActionName) -> Option<Whom> + Send>;

/// The way to those who are asked.
pub(crate) struct Outside {
    find: FindWhom,
    helpers: Arc<Helpers>,
    back: mpsc::WeakSender<Action>,
}

/// Brings exactly one answer back.
struct Promise {
    back: mpsc::WeakSender<Action>,
    conversation: u64,
    question: u64,
    came: Option<Came>,
}

impl Promise {
    fn keep(mut self, came: Option<Came>) {
        self.came = came;
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let came = self.came.take().unwrap_or(Came::Said(outage("no answer in time")));
        let (conversation, question) = (self.conversation, self.question);
        // Without an owner nobody waits, and without a runtime everything ends.
        if let (Some(back), Ok(runtime)) = (self.back.upgrade(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { back.send(Action::Answered { conversation, question, came }).await });
        }
    }
}

impl Outside {
    /// Asks what `find` finds; answers go to `back`.
    pub(crate) fn new(find: FindWhom, helpers: Arc<Helpers>, back: mpsc::WeakSender<Action>) -> Self {
        Self { find, helpers, back }
    }

    /// Has a local user's password checked.
    pub(crate) fn check(&self, conversation: u64, question: u64, name: String, check: Check, password: SecretString) {
        let (helpers, work, typed) = (self.helpers.clone(), check.clone(), password.clone());
        self.spawn(conversation, question, async move {
            let right = helpers.password(move || work.run(&typed)).await.ok();
            Came::Local { name, check, password, right }
        });
    }

    /// Asks the one whom an action names. The user comes from `client`.
    pub(crate) fn ask(&self, conversation: u64, question: u64, action: ActionName, ask: Ask, client: IpAddr) {
        let whom = (self.find)(&action);
        self.spawn(conversation, question, async move {
            match whom {
                Some(Whom::Directory(directory)) => of_directory(&directory, ask).await,
                Some(Whom::Radius(server)) => Came::Said(of_radius(&server, ask, client).await),
                None => Came::Said(outage("its settings are unusable; the log says why")),
            }
        });
    }

    fn spawn(&self, conversation: u64, question: u64, asking: impl Future<Output = Came> + Send + 'static) {
        let promise = Promise { back: self.back.clone(), conversation, question, came: None };
        tokio::spawn(async move {
            let came = tokio::time::timeout(ANSWER_TIME, asking).await.ok();
            promise.keep(came);
        });
    }
}

async fn of_directory(directory: &Find, ask: Ask) -> Came {
    let keeping = &directory.keeping;
    Came::Said(match ask {
        Ask::Code { user, code, now } => return codes::check(directory, keeping, &user, &code, now).await,
        Ask::DeviceAdd { user, name, secret, used, first_only } => {
            return codes::add(directory, keeping, &user, &name, &secret, (used, first_only)).await;
        }
        Ask::Devices { user } => codes::list(directory, keeping, &user).await,
        Ask::DeviceRemove { user, name } => codes::remove(directory, keeping, &user, &name).await,
        Ask::Ldap { user, password } => answer_of(directory.ask(&user, password.as_ref()).await, directory.changes_passwords()),
        Ask::LdapChange { user, old, new } => answer_of_change(directory.change_password(&user, &old, &new).await, &user),
        // No directory answers these; the machine does not ask one.
        Ask::Local { .. } | Ask::Radius { .. } | Ask::Reply { .. } | Ask::NewSecret { .. } => {
            Answer::Outage(Code::Unprocessable, "not a question for a directory".into())
        }
    })
}

async fn of_radius(server: &Server, ask: Ask, client: IpAddr) -> Answer {
    let (user, outcome) = match ask {
        Ask::Radius { user, password } => {
            let outcome = server.ask(&user, &password, client).await;
            (user, outcome)
        }
        Ask::Reply { user, reply, state } => {
            let outcome = server.reply(&user, &reply, &state, client).await;
            (user, outcome)
        }
        // As above.
        Ask::Local { .. }
        | Ask::Ldap { .. }
        | Ask::LdapChange { .. }
        | Ask::Code { .. }
        | Ask::Devices { .. }
        | Ask::NewSecret { .. }
        | Ask::DeviceAdd { .. }
        | Ask::DeviceRemove { .. } => {
            return Answer::Outage(Code::Unprocessable, "not a question for a RADIUS server".into());
        }
    };
    match outcome {
        radius::Outcome::Accepted(accepted) => {
            // Whose password it is was asked; a server that answers with another name does not make another user of him.
            let spelled = accepted.user.filter(|name| is_same(name, &user));
            let user = spelled.unwrap_or_else(|| user.into());
            Answer::Proven(Box::new(Proven { user, groups: accepted.groups, ..Proven::default() }))
        }
        radius::Outcome::Rejected(rejected) => Answer::Wrong(code_of_radius(rejected)),
        radius::Outcome::Challenge { text, state } => Answer::Challenge(Challenge { text: text.into(), state }),
        radius::Outcome::Outage(why) => outage(shortened(why.to_string())),
    }
}

fn is_same(one: &str, other: &str) -> bool {
    matches!((canonical(one), canonical(other)), (Some(one), Some(other)) if one == other)
}

const fn code_of_radius(rejected: radius::Rejected) -> Code {
    match rejected {
        radius::Rejected::Unsayable | radius::Rejected::Secret => Code::Credentials,
        radius::Rejected::NotNow => Code::NotNow,
        radius::Rejected::NotHere => Code::NotPermitted,
        radius::Rejected::Disabled => Code::Disabled,
        radius::Rejected::Expired => Code::Expired,
    }
}

pub(super) fn outage(why: impl Into<Cow<'static, str>>) -> Answer {
    Answer::Outage(Code::TryLater, why.into())
}

/// What is remembered of a reason: a certificate may name as much as its owner likes.
fn shortened(mut why: String) -> String {
    if why.len() > WHY_BYTES_MAX {
        let end = (0..=WHY_BYTES_MAX).rev().find(|at| why.is_char_boundary(*at)).unwrap_or_default();
        why.truncate(end);
        why.push('…');
    }
    why
}

/// What a directory's answer means for a login. That it cannot be asked never means that a password is wrong.
pub(super) fn answer_of(outcome: Outcome, may_change: bool) -> Answer {
    match outcome {
        Outcome::Found(found) => Answer::Proven(Box::new(proven(*found))),
        // He need not be there, and nothing is known of him.
        Outcome::Absent => Answer::Proven(Box::default()),
        Outcome::Wrong(wrong) => Answer::Wrong(code(wrong)),
        Outcome::MustChange(MustChange::Expired | MustChange::Reset) if may_change => Answer::MustChange(Code::Expired),
        Outcome::MustChange(MustChange::Expired | MustChange::Reset) => Answer::Wrong(Code::Expired),
        Outcome::Outage(why) => outage(shortened(why.to_string())),
    }
}

fn answer_of_change(changed: Changed, user: &str) -> Answer {
    match changed {
        Changed::Done => Answer::Proven(Box::new(Proven { user: user.to_owned(), ..Proven::default() })),
        Changed::Wrong(wrong) => Answer::Wrong(code(wrong)),
        Changed::Refused(NotChanged::Rules) => Answer::Wrong(Code::NewPassword),
        Changed::Refused(NotChanged::NotOffered | NotChanged::NotAllowed) => Answer::Wrong(Code::NotChanged),
        Changed::Outage(why) => outage(shortened(why.to_string())),
    }
}

pub(super) fn proven(found: Found) -> Proven {
    let Found { name, sso_name, groups, numbered, named, is_password_checked: _ } = found;
    Proven {
        user: name,
        domain: String::new(),
        groups,
        numbered: numbered.map(|value| value.map(Zeroizing::new)),
        named: named.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect(),
        sso_user: sso_name,
    }
}

const fn code(wrong: Wrong) -> Code {
    match wrong {
        Wrong::Unknown => Code::NoSuchUser,
        Wrong::Ambiguous => Code::UserName,
        Wrong::Password => Code::Password,
        Wrong::NotNow => Code::NotNow,
        Wrong::NotHere => Code::NotPermitted,
        Wrong::Disabled => Code::Disabled,
        Wrong::Expired => Code::Expired,
        Wrong::Locked => Code::Locked,
    }
}
