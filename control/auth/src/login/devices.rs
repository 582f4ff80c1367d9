//! A user looks after his devices for one-time codes: the page behind `/manageotp`.
//!
//! ```text
//!   a factor before has proven who it is ─► which devices are there? ─► Managing ─┬─ check a code ──► right: may change
//!                                                 ▲                               ├─ add: name ─► secret, QR code ─► its code ─► written ─┐
//!                                                 └───────────────────────────────├─ remove ─► really? ─────────────────────► written ─┤
//!                                                       the page again            └─ done ─► over                               ◄──────┘
//! ```
//!
//! - Such a conversation never becomes a login, whatever its factors say. It is one from the first request that carries the cookie
//!   `NSC_TASS=manageotp`, and stays one without it.
//! - Nothing is shown before a secret was right in the same conversation.
//! - Who has a device changes nothing without a code of one: a password alone must not be enough to replace the second proof. Who has none
//!   may add the first.
//! - A device is written only once a code of its own has come back, so nobody is locked out by one that was not set up.

use std::fmt;

use gate_config::expr::{Request, Typed};
use secrecy::SecretString;

use super::code::Code;
use super::event::{Denial, Step, Why};
use super::gathered::is_empty;
use super::path::Outcome;
use super::place::Tried;
use super::question::{Answer, Ask, DeviceSecret, NotCode, Question};
use super::state::{About, Asking, Round, State};
use super::view::{View, ViewKind};
use super::walk::{Move, Walk};
use crate::totp;
use crate::users::canonical;

/// What the user may do on the page; a field of its forms says which.
pub const DEED: &str = "sg-deed";
/// Field of a device's name.
pub const DEVICE: &str = "sg-device";
/// Field of a code.
pub const CODE: &str = "sg-code";
/// Things done in one conversation.
pub const DEEDS_MAX: u32 = 64;
/// Longest name that is taken from a form, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The cookie that says where a login is to lead, and its value for this page.
pub const COOKIE: (&str, &str) = ("NSC_TASS", "manageotp");

/// A user's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDevices {
    /// Their names, in the order in which they were added.
    pub names: Vec<Box<str>>,
    /// How many there may be.
    pub names_max: usize,
}

/// Why something was not done about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// That is no name for a device.
    Name,
    /// Another one is called so.
    Taken,
    /// There are as many as there may be.
    Full,
    /// There is one by now, so that its code is needed.
    Proof,
    /// It is not there any more.
    Gone,
    /// Devices cannot be written there: in the clear, without rights, or something else stands in the attribute.
    Closed,
}

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicesView {
    /// Whose devices.
    pub user: Box<str>,
    /// What there is.
    pub devices: UserDevices,
    /// He may change something.
    pub may_change: bool,
    /// Which part of it.
    pub page: Page,
    /// What came of what was done last.
    pub told: Option<Told>,
}

/// Which part of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The list.
    List,
    /// A new device, with its secret, that waits for its first code.
    Enrol(Box<str>, DeviceSecret),
    /// Whether this one is really to be removed.
    Remove(Box<str>),
}

/// What came of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was added.
    Added(Box<str>),
    /// It was removed.
    Removed(Box<str>),
    /// The code is right.
    Right,
    /// It is not.
    Wrong(NotCode),
    /// Not the new device's code.
    NotItsCode,
    /// It was not done.
    NotDone(NotDone),
    /// Nobody could be asked.
    Outage,
    /// Too many wrong codes lately.
    Held(std::time::Duration),
    /// The account is locked.
    Locked,
}

/// The page is shown.
pub(super) struct Managing {
    pub(super) view: View,
    round: Round,
    shown: DevicesView,
    deeds: u32,
}

/// What is being done.
#[derive(Clone)]
pub(super) enum Deed {
    Check,
    Name(Box<str>),
    Add(Box<str>),
    Remove(Box<str>),
}

/// Whether a request is about devices, and not about a session.
pub(super) fn is_wanted(request: &Request) -> bool {
    let cookies = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let mut pairs = cookies.flat_map(|(_, value)| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.any(|(name, value)| name == COOKIE.0 && is_value(value))
}

/// Whether the cookie has this value, as configurations spell it.
#[must_use]
pub fn is_value(value: &str) -> bool {
    value.trim_matches('"').trim_start_matches('/').eq_ignore_ascii_case(COOKIE.1)
}

impl Walk<'_> {
    /// The user's devices came: the page is shown.
    pub(super) fn show_devices(&mut self, mut round: Round, one: &Tried<'_>, devices: UserDevices) -> Move {
        self.note(Some(one.name()), None, Outcome::DevicesShown(devices.names.len()));
        // Whoever's name was typed last: the devices are those of the one who has proven who he is.
        if let Some(identity) = &self.core.gathered.identity {
            round.input.user = identity.user.to_string();
        }
        let user = round.input.user.as_str().into();
        // A code of his that was right on the way here is as good as one on the page.
        let may_change = devices.names.is_empty() || self.core.code_was_right;
        let shown = DevicesView { user, devices, may_change, page: Page::List, told: None };
        self.devices_again(round, shown, 0)
    }

    fn devices_again(&mut self, round: Round, shown: DevicesView, deeds: u32) -> Move {
        let view = self.core.view(ViewKind::Devices(Box::new(shown.clone())), None);
        let step = Step::Show(view.clone());
        Move::Rest(State::Managing(Box::new(Managing { view, round, shown, deeds })), step)
    }

    /// Something was pressed.
    pub(super) fn manage(&mut self, managing: Managing, typed: &Typed) -> Move {
        let Managing { round, mut shown, deeds, view: _ } = managing;
        if deeds >= DEEDS_MAX {
            return self.deny(Denial::of(Why::Steps, Code::Unprocessable));
        }
        let field = |wanted: &str| {
            let found = typed.fields.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str()).filter(|value| value.len() <= NAME_BYTES_MAX).unwrap_or_default()
        };
        let named = |name: &str| -> Box<str> { name.trim().into() };
        shown.told = None;
        let page = std::mem::replace(&mut shown.page, Page::List);
        let user: Box<str> = round.input.user.as_str().into();
        let (deed, ask) = match (field(DEED), page) {
            ("done", _) => return self.deny(Denial::of(Why::DevicesLeft, Code::Unprocessable)),
            ("check", _) => {
                let code = SecretString::from(field(CODE));
                if is_empty(&code) {
                    shown.told = Some(Told::Wrong(NotCode::Wrong));
                    return self.devices_again(round, shown, deeds + 1);
                }
                (Deed::Check, Ask::Code { user, code, now: totp::Step::at(self.request.wall) })
            }
            ("add" | "confirm" | "remove" | "really", _) if !shown.may_change => {
                shown.told = Some(Told::NotDone(NotDone::Proof));
                return self.devices_again(round, shown, deeds + 1);
            }
            ("add", _) => {
                let name = named(field(DEVICE));
                (Deed::Name(name.clone()), Ask::NewSecret { name })
            }
            ("confirm", Page::Enrol(name, secret)) => {
                let now = totp::Step::at(self.request.wall);
                // If it cannot be written, or this is not its code, the same device waits for its code again.
                shown.page = Page::Enrol(name.clone(), secret.clone());
                let found = totp::Code::parse(field(CODE)).and_then(|code| totp::find(&secret.0[..], &code, now));
                let Some(used) = found else {
                    shown.told = Some(Told::NotItsCode);
                    return self.devices_again(round, shown, deeds + 1);
                };
                let first_only = !self.core.code_was_right;
                (Deed::Add(name.clone()), Ask::DeviceAdd { user, name, secret, used, first_only })
            }
            ("remove", _) => {
                let name = named(field(DEVICE));
                if shown.devices.names.contains(&name) {
                    shown.page = Page::Remove(name);
                } else {
                    shown.told = Some(Told::NotDone(NotDone::Gone));
                }
                return self.devices_again(round, shown, deeds + 1);
            }
            ("really", Page::Remove(name)) => (Deed::Remove(name.clone()), Ask::DeviceRemove { user, name }),
            // Back to the list, or something that was never on the page.
            (_, Page::List | Page::Enrol(..) | Page::Remove(_)) => return self.devices_again(round, shown, deeds + 1),
        };
        self.ask_about_devices(round, shown, deeds, deed, ask)
    }

    fn ask_about_devices(&mut self, mut round: Round, shown: DevicesView, deeds: u32, deed: Deed, ask: Ask) -> Move {
        let setting = self.core.setting.clone();
        let tried = round.place.tried(&setting);
        let Some(one) = tried.get(round.at) else { return self.failed(round) };
        self.note(Some(one.name()), None, Outcome::Asked(one.action_name.as_str().into()));
        // Each code is a guess of its own.
        let guess = match &deed {
            Deed::Check => canonical(&round.input.user).map(|(user, _)| user.into()),
            Deed::Name(_) | Deed::Add(_) | Deed::Remove(_) => None,
        };
        round.guessed = false;
        self.core.questions += 1;
        let number = self.core.questions;
        let question = Question { number, action: one.action_name.clone(), ask, guess };
        let about = About::Managing(Box::new((shown, deeds + 1, deed)));
        Move::Rest(State::Asking(Box::new(Asking { question: number, about, round })), Step::Ask(question))
    }

    /// What came of it.
    pub(super) fn managed(&mut self, round: Round, one: &Tried<'_>, doing: (DevicesView, u32, Deed), answer: Answer) -> Move {
        let (mut shown, deeds, deed) = doing;
        match (answer, deed) {
            (Answer::Proven(_), Deed::Check) => {
                self.core.code_was_right = true;
                shown.may_change = true;
                self.note(Some(one.name()), None, Outcome::Succeeded(one.action_name.as_str().into()));
                shown.told = Some(Told::Right);
            }
            (Answer::NotCode(why), Deed::Check) => {
                self.note(Some(one.name()), None, Outcome::CodeRefused(why));
                self.core.tries += 1;
                self.core.gathered.person.attempts = self.core.tries;
                if self.core.tries >= self.core.tries_max() {
                    return self.deny(Denial::of(Why::Tries, Code::Credentials));
                }
                shown.told = Some(Told::Wrong(why));
            }
            (Answer::Secret(secret), Deed::Name(name)) => {
                if shown.devices.names.iter().any(|known| known.to_lowercase() == name.to_lowercase()) {
                    shown.told = Some(Told::NotDone(NotDone::Taken));
                } else if shown.devices.names.len() >= shown.devices.names_max {
                    shown.told = Some(Told::NotDone(NotDone::Full));
                } else {
                    shown.page = Page::Enrol(name, secret);
                }
            }
            (Answer::Devices(devices), Deed::Add(name)) => {
                self.note(Some(one.name()), None, Outcome::DeviceAdded(name.clone()));
                // Its code was right a moment ago.
                self.core.code_was_right = true;
                shown = DevicesView { devices, page: Page::List, told: Some(Told::Added(name)), ..shown };
            }
            (Answer::Devices(devices), Deed::Remove(name)) => {
                self.note(Some(one.name()), None, Outcome::DeviceRemoved(name.clone()));
                shown = DevicesView { devices, page: Page::List, told: Some(Told::Removed(name)), ..shown };
            }
            (Answer::NotDone(why), Deed::Name(_) | Deed::Add(_) | Deed::Remove(_)) => {
                self.note(Some(one.name()), None, Outcome::DeviceRefused(why));
                match why {
                    // What is shown is not what is there any more, and the change needs a proof now.
                    NotDone::Proof => shown.may_change = self.core.code_was_right,
                    NotDone::Name | NotDone::Taken | NotDone::Full | NotDone::Gone | NotDone::Closed => {}
                }
                shown.page = Page::List;
                shown.told = Some(Told::NotDone(why));
            }
            (Answer::Held(time), _) => shown.told = Some(Told::Held(time)),
            (Answer::Locked, _) => shown.told = Some(Told::Locked),
            (Answer::Outage(code, why), _) => {
                let failure = super::path::Failure::Outage(code, why);
                self.note(Some(one.name()), None, Outcome::Failed(one.action_name.as_str().into(), failure));
                shown.told = Some(Told::Outage);
            }
            // Answers to something that was not asked.
            (
                Answer::Proven(_)
                | Answer::Wrong(_)
                | Answer::MustChange(_)
                | Answer::Challenge(_)
                | Answer::NotCode(_)
                | Answer::Devices(_)
                | Answer::Secret(_)
                | Answer::NotDone(_),
                Deed::Check | Deed::Name(_) | Deed::Add(_) | Deed::Remove(_),
            ) => shown.told = Some(Told::Outage),
        }
        self.devices_again(round, shown, deeds)
    }
}

impl fmt::Display for NotCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "the code is none of this time of any device",
            Self::Used => "the code was used before",
            Self::NoDevice => "there is no such user with a device",
            Self::Unreadable => "no device of the user can be read",
        })
    }
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "that is no name for a device",
            Self::Taken => "there is a device of that name",
            Self::Full => "there are as many devices as there may be",
            Self::Proof => "there is a device, and no code of one was given",
            Self::Gone => "there is no such device any more",
            Self::Closed => "devices cannot be written there",
        })
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn the_cookie_says_what_is_wanted() {
        let wanted = |cookies: &[&str]| {
            is_wanted(&Request {
                method: gate_config::expr::Method::Get,
                host: String::new(),
                target: "/".to_owned(),
                headers: cookies.iter().map(|value| ("cookie".to_owned(), (*value).to_owned())).collect(),
                body: Zeroizing::default(),
                client: "192.0.2.7:1".parse().unwrap(),
                server: "192.0.2.1:443".parse().unwrap(),
                tls: None,
                certificate: None,
                wall: std::time::UNIX_EPOCH,
            })
        };
        for yes in [&["NSC_TASS=manageotp"][..], &["a=b; NSC_TASS=/manageotp; c=d"], &["a=b", "NSC_TASS=\"manageOTP\""]] {
            assert!(wanted(yes), "{yes:?}");
        }
        for no in [&[][..], &["NSC_TASS=store"], &["nsc_tass=manageotp"], &["XNSC_TASS=manageotp"], &["NSC_TASS=manageotp1"]] {
            assert!(!wanted(no), "{no:?}");
        }
    }
}
