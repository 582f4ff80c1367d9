//! A certificate of the client's as a factor: whoever has its key is the user whom it names.
//!
//! ```text
//!   certAction ─► somebody asks for certificates? ─ no ─► failure
//!                    │ yes
//!                    ▼
//!              Step::Certificate ─► Event::Certificate ─┬─ good, with a name where it should be ─► proven, the factor is passed
//!                                                       └─ none, bad, without a name ────────────► failure, perhaps the next policy
//! ```
//!
//! That the client has the key was proven in a TLS handshake, and that the certificate is good was judged before the event comes. It is
//! no guess at a secret, so it counts to no lock-out and no lock holds it back.

use std::borrow::Cow;
use std::sync::Arc;

use gate_config::expr::GroupOrigin;
use gate_config::model::AskedAt;
use gate_config::model::authentication::{Action, Cert, CertField};

use super::code::Code;
use super::event::{Denial, Step, Why};
use super::gathered::Reserved;
use super::path::{Failure, Outcome};
use super::place::Tried;
use super::question::Proven;
use super::state::{Round, Showing, State};
use super::view::CertificateView;
use super::walk::{Move, Walk};
use crate::users::canonical;

/// What a client has shown when it was asked for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// A good one, of whose key it has given proof.
    Good(Box<Owner>),
    /// One that is not good, and why.
    Bad(Cow<'static, str>),
    /// None.
    None,
}

/// What a good certificate says about its owner. All of it is text that may be shown, and bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Attributes of its name: kind, in capitals or as numbers, and value.
    pub subject: Vec<(Box<str>, Box<str>)>,
    /// Attributes of the name of its issuer.
    pub issuer: Vec<(Box<str>, Box<str>)>,
    /// Names by which it logs in.
    pub principal_names: Vec<Box<str>>,
    /// Addresses for mail.
    pub emails: Vec<Box<str>>,
    /// Names of machines.
    pub dns: Vec<Box<str>>,
}

impl Owner {
    /// The values in a field, in their order.
    fn values<'o>(&'o self, field: &'o CertField) -> Box<dyn Iterator<Item = &'o str> + 'o> {
        let of = |list: &'o [(Box<str>, Box<str>)], wanted: &'o str| {
            list.iter().filter(move |(kind, _)| &**kind == wanted).map(|(_, value)| &**value)
        };
        match field {
            CertField::Subject(kind) => Box::new(of(&self.subject, kind)),
            CertField::Issuer(kind) => Box::new(of(&self.issuer, kind)),
            CertField::PrincipalName => Box::new(self.principal_names.iter().map(|value| &**value)),
            CertField::Email => Box::new(self.emails.iter().map(|value| &**value)),
            CertField::Dns => Box::new(self.dns.iter().map(|value| &**value)),
        }
    }

    /// The user whom it names, where `cert` says. `None`: nobody, or not by a name that a user can have.
    fn user(&self, cert: &Cert) -> Option<Proven> {
        let field = cert.user_from()?;
        let mut all = self.values(&field);
        let user = match &field {
            // A directory's names begin with the folders in which somebody is, which may be of the same kind: CN=Users,CN=Ann.
            CertField::Subject(_) | CertField::Issuer(_) => all.last()?,
            CertField::PrincipalName | CertField::Email | CertField::Dns => all.next()?,
        };
        canonical(user)?;
        let groups = cert.groups_from();
        let groups = groups.iter().flat_map(|field| self.values(field)).map(str::to_owned).collect();
        Some(Proven { user: user.to_owned(), groups, ..Proven::default() })
    }
}

impl Walk<'_> {
    /// Where the client is asked, or why it is not.
    pub(super) fn where_to_ask(&self, one: &Tried<'_>, cert: &Cert) -> Result<AskedAt, Failure> {
        // Alone it would let in who is to prove something else, too.
        if cert.two_factor && one.next.is_none() {
            return Err(Failure::Alone);
        }
        let setting = &self.core.setting;
        let vserver = setting.model.vservers.find(setting.vserver.as_str());
        vserver.and_then(|vserver| setting.model.asked_at(vserver)).ok_or(Failure::NobodyAsks)
    }

    /// Has the client show one.
    pub(super) fn ask_certificate(&mut self, round: Round, at: AskedAt) -> Move {
        if !self.core.may_show() {
            return self.deny(Denial::of(Why::Steps, Code::Unprocessable));
        }
        let factor = Arc::clone(&self.core.factor);
        let view = CertificateView { factor, step: self.core.next_step(), at, again: false };
        let shown = view.clone();
        Move::Rest(State::Certificate(Box::new(Showing { view, round })), Step::Certificate(shown))
    }

    /// The client has shown something, or nothing.
    pub(super) fn shown(&mut self, showing: Showing, shown: Certificate) -> Move {
        let Showing { mut round, .. } = showing;
        let setting = self.core.setting.clone();
        let tried = round.place.tried(&setting);
        let Some(one) = tried.get(round.at) else { return self.failed(round) };
        let Action::Cert(cert) = one.action else { return self.failed(round) };
        let failure = match shown {
            Certificate::Good(owner) => match owner.user(cert) {
                Some(proven) => {
                    round.input.user.clone_from(&proven.user);
                    return self.proven_by_key(round, one, &proven);
                }
                None => Failure::NoName,
            },
            Certificate::Bad(why) => Failure::BadCertificate(why),
            Certificate::None => Failure::NoCertificate,
        };
        if self.after(&mut round, &tried, one, None, failure) { Move::Try(Box::new(round)) } else { self.failed(round) }
    }

    fn proven_by_key(&mut self, round: Round, one: &Tried<'_>, proven: &Proven) -> Move {
        self.note(Some(one.name()), None, Outcome::Succeeded(one.action_name.as_str().into()));
        let model = &self.core.setting.model;
        let reserved = Reserved::of(&model.authentication, &model.sessions);
        let noted = self.core.gathered.prove(&proven.user, proven, GroupOrigin::Directory, &reserved);
        self.core.code_was_right &= !noted.identity_changed;
        self.identified(one, noted);
        self.passed(round, one, None)
    }
}
