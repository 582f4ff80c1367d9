//! The text with a user's devices for codes: read with the user, written so that nobody's change is lost.
//!
//! ```text
//!   devices ─► find the user ─► his groups, his text
//!   change ──► find the user ─► what is it to be? ─► delete the old text, add the new one: one request ─┬─ done
//!                   ▲                                                                                   ├─ the old one is not there any more ─┐
//!                   └───────────────────────────────────────────────────────────────────────────────────┴─ a few times at most ◄──────────────┘
//! ```
//!
//! Texts are written over TLS only: they hold secrets, and whoever could change one on its way would have a device of his own.

use gate_proto::ldap::{Op, Reply, code, say};
use secrecy::zeroize::Zeroizing;

use super::{Directory, Found, Outage, Outcome, USER_BYTES_MAX, Wrong};

/// How often a text is written that somebody else has changed meanwhile.
const WRITES_MAX: usize = 4;

/// What stands in the attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// Nothing.
    None,
    /// This.
    One(Zeroizing<String>),
    /// Several values, or one that is no text.
    Other,
}

/// A user, and what stands there of his devices.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) found: Found,
    pub(crate) text: Text,
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotWritten<E> {
    /// Whoever was asked what it is to be has said no.
    No(E),
    /// There is no such user, or several.
    Wrong(Wrong),
    /// It would go in the clear.
    Clear,
    /// The service account may not; the result code.
    NotAllowed(u32),
    /// The directory cannot be asked. Whether it was written is not known if it had been sent.
    Outage(Outage),
}

impl Directory {
    /// The user, and the text with his devices; or why he is not there.
    pub(crate) async fn devices(&self, user: &str) -> Result<Held, Outcome> {
        if user.is_empty() || user.len() > USER_BYTES_MAX {
            return Err(Outcome::Wrong(Wrong::Unknown));
        }
        self.within_limits(self.hold(user)).await.unwrap_or_else(|why| Err(Outcome::Outage(why)))
    }

    async fn hold(&self, user: &str) -> Result<Result<Held, Outcome>, Outage> {
        let mut line = self.reach.open().await?;
        self.serve(&mut line).await?;
        let mut entries = self.find(&mut line, user).await?;
        let (Some(mut entry), true) = (entries.pop(), entries.is_empty()) else {
            line.leave().await;
            let wrong = if entries.is_empty() { Wrong::Unknown } else { Wrong::Ambiguous };
            return Ok(Err(Outcome::Wrong(wrong)));
        };
        let text = self.text_of(&mut entry);
        let found = self.describe(&mut line, user, &entry, false).await?;
        line.leave().await;
        Ok(Ok(Held { found, text }))
    }

    fn text_of(&self, entry: &mut super::Entry) -> Text {
        let Some(attribute) = &self.plan.codes else { return Text::None };
        let mut values = entry.take(attribute);
        match (values.pop(), values.is_empty()) {
            (None, _) => Text::None,
            (Some(text), true) => Text::One(text),
            (Some(_), false) => Text::Other,
        }
    }

    /// Writes what `change` makes of the text that is there, which may be called several times. An empty text is none.
    pub(crate) async fn change_devices<T, E>(
        &self,
        user: &str,
        change: impl FnMut(&str, &Text) -> Result<(Zeroizing<String>, T), E>,
    ) -> Result<T, NotWritten<E>> {
        if !self.reach.is_private() {
            return Err(NotWritten::Clear);
        }
        if user.is_empty() || user.len() > USER_BYTES_MAX {
            return Err(NotWritten::Wrong(Wrong::Unknown));
        }
        self.within_limits(self.write(user, change)).await.unwrap_or_else(|why| Err(NotWritten::Outage(why)))
    }

    async fn write<T, E>(
        &self,
        user: &str,
        mut change: impl FnMut(&str, &Text) -> Result<(Zeroizing<String>, T), E>,
    ) -> Result<Result<T, NotWritten<E>>, Outage> {
        let Some(attribute) = &self.plan.codes else { return Err(Outage::Nonsense) };
        let mut line = self.reach.open().await?;
        self.serve(&mut line).await?;
        let mut refused = code::SUCCESS;
        for _ in 0..WRITES_MAX {
            let mut entries = self.find(&mut line, user).await?;
            let (Some(mut entry), true) = (entries.pop(), entries.is_empty()) else {
                let wrong = if entries.is_empty() { Wrong::Unknown } else { Wrong::Ambiguous };
                return Ok(Err(NotWritten::Wrong(wrong)));
            };
            let before = self.text_of(&mut entry);
            let name = entry.values(&self.plan.login).first().cloned().unwrap_or_else(|| user.to_owned());
            let (after, made) = match change(&name, &before) {
                Ok(changed) => changed,
                Err(no) => {
                    line.leave().await;
                    return Ok(Err(NotWritten::No(no)));
                }
            };
            let old = if let Text::One(text) = &before { Some(text.as_str()) } else { None };
            let new = Some(after.as_str()).filter(|text| !text.is_empty());
            if old == new {
                line.leave().await;
                return Ok(Ok(made));
            }
            let message = line.exchange(Op::Modified, |id| say::replace_value(id, &entry.dn, attribute, old, new)).await?;
            let reply = Reply::read(&message).ok_or(Outage::Nonsense)?;
            match reply.code {
                code::SUCCESS => {
                    line.leave().await;
                    return Ok(Ok(made));
                }
                // Somebody was faster: his change is seen now. Some say that there may be one value only with a constraint.
                code::NO_SUCH_VALUE | code::VALUE_EXISTS | code::CONSTRAINT => refused = reply.code,
                code::NO_ACCESS | code::UNWILLING => return Ok(Err(NotWritten::NotAllowed(reply.code))),
                code::REFERRAL => return Err(Outage::Referral),
                other => return Err(Outage::Write(other)),
            }
        }
        Err(Outage::Write(refused))
    }
}
