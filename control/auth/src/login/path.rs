//! Why a login went as it did: every decision, for the operator who is asked "why can I not log in?".
//!
//! ```text
//!   +0.000s  MFA_AAA_vserver        entered (login 1)
//!   +0.000s  MFA_AAA_vserver        form LoginSchema
//!   +6.200s  MFA_AAA_vserver        ldap-auth: rule true, ldap_server1 asked
//!   +6.240s  MFA_AAA_vserver        ldap-auth: ldap_server1 succeeded
//!   +6.240s  post-ldap-epa-scan     entered
//!   …
//! ```
//!
//! Nothing that was typed is in it. A name stands there only once somebody has proven to have it, since people type passwords into the
//! field for names.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gate_config::expr::GroupOrigin;

use super::code::Code;
use super::devices::NotDone;
use super::event::Why;
use super::question::NotCode;
use super::scan::Lack;
use crate::Now;

/// Decisions kept of one conversation. The first ones stay; what comes behind them is counted.
pub const DECISIONS_MAX: usize = 256;

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When.
    pub at: Now,
    /// In which factor, by its name.
    pub factor: Arc<str>,
    /// About which policy, if about one.
    pub policy: Option<Box<str>>,
    /// What its rule said, if it was looked at.
    pub rule: Option<Rule>,
    /// What was decided.
    pub outcome: Outcome,
}

/// What a rule said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The policy applies.
    True,
    /// It does not.
    False,
    /// It can be neither, for what it asks for is not there. That counts as false.
    Undefined,
}

impl Rule {
    pub(super) const fn of(value: Option<bool>) -> Self {
        match value {
            Some(true) => Self::True,
            Some(false) => Self::False,
            None => Self::Undefined,
        }
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The factor was entered; it is the so-manieth.
    Entered(u32),
    /// A form is shown.
    Form(Box<str>),
    /// No form is shown: the factor goes on with what is there.
    PassedThrough,
    /// The client is asked about itself.
    ScanAsked {
        /// How many things.
        strings: usize,
        /// How many more there are, which are left out and count as failed.
        left_out: usize,
    },
    /// Entries of `-killProcess` and `-deletefiles` that are not handed out, since they are not what may stand there.
    OrdersRefused(usize),
    /// The client did not answer in a way that counts.
    ScanVoid(Void),
    /// The client answered.
    ScanAnswered {
        /// How many things are as they should be.
        passed: usize,
        /// Of how many.
        of: usize,
    },
    /// On whose account the client does not comply.
    Lacking(Lack),
    /// The policy does not apply.
    NotApplicable,
    /// Somebody outside is asked.
    Asked(Box<str>),
    /// The action succeeded.
    Succeeded(Box<str>),
    /// The action failed.
    Failed(Box<str>, Failure),
    /// Where a failure goes.
    Goto(Where),
    /// No policy of the factor applied.
    NoPolicy,
    /// The factor has failed.
    FactorFailed(Code),
    /// The client did not comply; it goes on with this group.
    Quarantined(Box<str>),
    /// A user has proven who he is.
    Identified(Arc<str>),
    /// Another user than before; the session is his.
    IdentityChanged(Arc<str>),
    /// Groups were added.
    Groups(usize, GroupOrigin),
    /// A group of a directory is not taken over, since the configuration gives this name to what is found at a client.
    GroupReserved(Box<str>),
    /// So many groups are not taken over: there are too many.
    GroupsDropped(usize),
    /// What was found about a user who was looked up only is not taken over, since somebody else has proven who he is, or nobody.
    LookUpDropped,
    /// An event did not belong to what is waited for.
    Stale,
    /// The user was asked for a new password.
    PasswordAsked,
    /// The new password was not taken.
    PasswordRefused(Code),
    /// The password was changed.
    PasswordChanged,
    /// A server asked back.
    Challenged,
    /// The user's devices for codes are shown; so many.
    DevicesShown(usize),
    /// A code on the page of devices does not count.
    CodeRefused(NotCode),
    /// A device was added.
    DeviceAdded(Box<str>),
    /// A device was removed.
    DeviceRemoved(Box<str>),
    /// A device was not added or removed.
    DeviceRefused(NotDone),
    /// The client is to show a certificate.
    CertificateAsked,
    /// A rule of classic preauthentication decides: the login may begin, or not.
    Before(bool),
    /// The look at the client that session settings want, after all factors.
    ClientSecurity {
        /// The client is as they say.
        complies: bool,
        /// They want that to be written down.
        log: bool,
    },
    /// What session settings want to know of the client cannot be asked.
    ClientSecurityUnreadable,
    /// The user is in none of the groups that may log in.
    NotAllowed,
    /// From now on the client is asked again and again; so many things, every so many minutes.
    Periodic(usize, u32),
    /// The login is complete.
    Granted,
    /// There is no login.
    Denied(Why, Code),
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It said so.
    Said(Code),
    /// Nobody could be asked, and why.
    Outage(Code, Cow<'static, str>),
    /// The user is held back for so long after too many guesses.
    Held(Duration),
    /// The account is locked.
    Locked,
    /// There is no user name.
    NoUser,
    /// There is no password, and an empty one is never sent.
    NoPassword,
    /// What was found at the client is not enough.
    Scan,
    /// The client was not asked, since the rule was not true when the factor was entered.
    NotScanned,
    /// Actions of this kind are not carried out by this gateway.
    NotBuilt,
    /// A RADIUS server says nothing of a user who does not show a secret.
    NoLookUp,
    /// The password must be changed, and the action does not let users do that.
    ChangeNotAllowed,
    /// The code does not count.
    Code(NotCode),
    /// Nobody has proven who he is, so that no devices are shown.
    NotProven,
    /// The code is of another user than the one who has proven who he is.
    OtherUser,
    /// The client has shown no certificate.
    NoCertificate,
    /// It has shown one that is not good, and why.
    BadCertificate(Cow<'static, str>),
    /// There is no user's name in it where it should be.
    NoName,
    /// Certificates are asked for nowhere.
    NobodyAsks,
    /// It may not be the only factor, and there is no next one.
    Alone,
}

/// Where a failure goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// To the next policy.
    Next,
    /// To the policy with this priority.
    To(u32),
    /// Nowhere.
    End,
    /// Nowhere: there is no such priority ahead.
    Undefined,
}

/// Why an answer to a scan does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Void {
    /// There is none, or it came before the question.
    Missing,
    /// The client cannot, or its user does not want to.
    Skipped,
    /// It does not say one thing about each that was asked.
    Malformed,
    /// It came too late after its question.
    Late,
}

/// The decisions of one conversation.
#[derive(Debug, Default)]
pub(super) struct Path {
    decisions: Vec<Decision>,
    dropped: u32,
}

impl Path {
    pub(super) fn push(&mut self, decision: Decision) {
        if self.decisions.len() < DECISIONS_MAX {
            self.decisions.push(decision);
        } else if let Some(last) = self.decisions.last_mut() {
            // The end says more than the middle: it takes the last place.
            *last = decision;
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    pub(super) fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    pub(super) const fn dropped(&self) -> u32 {
        self.dropped
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(policy) = &self.policy {
            write!(f, "{policy}: ")?;
        }
        match self.rule {
            Some(Rule::True) => f.write_str("rule true, ")?,
            Some(Rule::False) => f.write_str("rule false, ")?,
            Some(Rule::Undefined) => f.write_str("rule undefined, ")?,
            None => {}
        }
        self.outcome.fmt(f)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entered(count) => write!(f, "entered, factor {count}"),
            Self::Form(kind) => write!(f, "form {kind}"),
            Self::PassedThrough => f.write_str("no form, goes on with what is there"),
            Self::ScanAsked { strings, left_out: 0 } => write!(f, "client is asked {strings} things"),
            Self::ScanAsked { strings, left_out } => {
                write!(f, "client is asked {strings} things; {left_out} more are left out and count as failed")
            }
            Self::OrdersRefused(count) => write!(f, "{count} entries of -killProcess or -deletefiles are not handed out"),
            Self::ScanVoid(void) => write!(f, "scan counts as failed: {void}"),
            Self::ScanAnswered { passed, of } => write!(f, "client answered: {passed} of {of} passed"),
            Self::Lacking(lack) => write!(f, "not as it should be: {lack}"),
            Self::NotApplicable => f.write_str("does not apply"),
            Self::Asked(action) => write!(f, "{action} is asked"),
            Self::Succeeded(action) => write!(f, "{action} succeeded"),
            Self::Failed(action, failure) => write!(f, "{action} failed: {failure}"),
            Self::Goto(to) => write!(f, "after the failure: {to}"),
            Self::NoPolicy => f.write_str("no policy applied"),
            Self::FactorFailed(code) => write!(f, "failed: {} {}", code.number(), code.meaning()),
            Self::Quarantined(group) => write!(f, "client did not comply, goes on in quarantine group {group}"),
            Self::Identified(user) => write!(f, "user is {user}"),
            Self::IdentityChanged(user) => write!(f, "user is now {user}, another one than before"),
            Self::Groups(count, origin) => write!(f, "{count} groups added, {}", origin_text(*origin)),
            Self::GroupReserved(group) => {
                write!(f, "group {group} of the directory not taken over: the name stands for what is found at clients")
            }
            Self::GroupsDropped(count) => write!(f, "{count} groups not taken over: too many"),
            Self::LookUpDropped => {
                f.write_str("what was looked up is not taken over: it is about somebody who has not proven who he is")
            }
            Self::Stale => f.write_str("an answer to an earlier step, ignored"),
            Self::PasswordAsked => f.write_str("user is asked for a new password"),
            Self::PasswordRefused(code) => write!(f, "new password refused: {} {}", code.number(), code.meaning()),
            Self::PasswordChanged => f.write_str("password changed"),
            Self::Challenged => f.write_str("server asks back"),
            Self::DevicesShown(count) => write!(f, "page for devices, {count} registered"),
            Self::CodeRefused(why) => write!(f, "code refused: {why}"),
            Self::DeviceAdded(name) => write!(f, "device {name:?} added"),
            Self::DeviceRemoved(name) => write!(f, "device {name:?} removed"),
            Self::DeviceRefused(why) => write!(f, "devices not changed: {why}"),
            Self::CertificateAsked => f.write_str("client is asked for a certificate"),
            Self::Before(true) => f.write_str("the login may begin"),
            Self::Before(false) => f.write_str("the login may not begin"),
            Self::ClientSecurity { complies: true, log: _ } => f.write_str("-clientSecurity: client complies"),
            Self::ClientSecurity { complies: false, log: _ } => f.write_str("-clientSecurity: client does not comply"),
            Self::ClientSecurityUnreadable => f.write_str("-clientSecurity cannot be asked: counts as failed"),
            Self::NotAllowed => f.write_str("user is in none of -allowedLoginGroups"),
            Self::Periodic(strings, minutes) => write!(f, "{strings} things are asked again every {minutes} minutes"),
            Self::Granted => f.write_str("login complete"),
            Self::Denied(why, code) => write!(f, "no login: {why} ({} {})", code.number(), code.meaning()),
        }
    }
}

const fn origin_text(origin: GroupOrigin) -> &'static str {
    match origin {
        GroupOrigin::Local => "local",
        GroupOrigin::Directory => "of a directory",
        GroupOrigin::Epa => "for what was found at the client",
        GroupOrigin::Quarantine => "of the quarantine",
        GroupOrigin::Default => "of the action",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(code) => write!(f, "{} {}", code.number(), code.meaning()),
            Self::Outage(code, why) => write!(f, "nobody could be asked: {why} ({})", code.number()),
            Self::Held(time) => write!(f, "too many guesses, held back for {} s", time.as_secs()),
            Self::Locked => f.write_str("the account is locked here"),
            Self::NoUser => f.write_str("no user name"),
            Self::NoPassword => f.write_str("no password; an empty one is never sent"),
            Self::Scan => f.write_str("what was found at the client is not enough"),
            Self::NotScanned => f.write_str("the client was not asked about this when the factor was entered"),
            Self::NotBuilt => f.write_str("this gateway does not carry out actions of this kind"),
            Self::NoLookUp => f.write_str("a RADIUS server tells nothing of a user without a secret"),
            Self::ChangeNotAllowed => f.write_str("the password must be changed, and -passwdChange is not enabled"),
            Self::Code(why) => why.fmt(f),
            Self::NotProven => f.write_str("devices are shown only behind a factor that has proven who it is"),
            Self::OtherUser => f.write_str("the code is of another user than the one who has proven who he is"),
            Self::NoCertificate => f.write_str("the client has shown no certificate"),
            Self::BadCertificate(why) => write!(f, "the client's certificate is not good: {why}"),
            Self::NoName => f.write_str("the certificate has no name of a user where -userNameField says"),
            Self::NobodyAsks => f.write_str("certificates are asked for nowhere: set ssl vserver … -clientAuth ENABLED"),
            Self::Alone => f.write_str("-twoFactor is ON, and there is no next factor"),
        }
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Next => f.write_str("next policy"),
            Self::To(priority) => write!(f, "priority {priority}"),
            Self::End => f.write_str("end of the factor"),
            Self::Undefined => f.write_str("no such priority ahead, end of the factor"),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Void(void) => void.fmt(f),
            Self::Strings { first, more: 0 } => f.write_str(&first.join(", ")),
            Self::Strings { first, more } => write!(f, "{}, and {more} more", first.join(", ")),
        }
    }
}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no answer",
            Self::Skipped => "client cannot be looked at, or its user declined",
            Self::Malformed => "the answer does not cover what was asked",
            Self::Late => "the answer came too late",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Factor => "a factor without a form has failed",
            Self::Scan => "the client does not comply, and there is no quarantine group",
            Self::Tries => "too many failed tries",
            Self::Steps => "too many factors or forms",
            Self::Groups => "in none of the groups that may log in",
            Self::Cancelled => "cancelled by the user",
            Self::Finished => "this conversation has had its login",
            Self::Off => "logins are switched off here",
            Self::DevicesLeft => "the page for devices was left",
            Self::NoDevices => "it was about devices for codes, and its factors lead to no page for them",
        })
    }
}
