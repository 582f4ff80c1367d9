//! Names that operators give: one newtype per kind of object, so that a user can never be bound where a group is meant.

use std::borrow::Borrow;
use std::fmt;

use thiserror::Error;

/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 127;
/// Longest name of a group that a login gives to a session, in characters.
pub const SESSION_GROUP_CHARS_MAX: usize = 64;

/// Why a text cannot name an object. All are the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAName {
    /// Nothing there.
    #[error("a name cannot be empty")]
    Empty,
    /// More characters than this.
    #[error("a name of this kind has at most {0} characters")]
    TooLong(usize),
    /// It begins with something other than a letter, a digit or an underscore.
    #[error("a name begins with a letter, a digit or an underscore, not with {0:?}")]
    First(char),
    /// A character that names cannot have.
    #[error("a name has letters, digits and any of _ - . # space @ = :, but not {0:?}")]
    Character(char),
    /// It ends with a blank, which nobody would see.
    #[error("a name cannot end with a blank")]
    TrailingBlank,
}

/// What all names have in common.
pub trait Name: Clone + Ord + fmt::Display {
    /// Checks the grammar of names.
    ///
    /// # Errors
    /// [`NotAName`] says which rule is broken.
    fn parse(text: &str) -> Result<Self, NotAName>;

    /// The text as written.
    fn as_str(&self) -> &str;
}

/// The rule for every name: letters and digits of any script, so that people can be named as they are called.
fn check(text: &str, chars_max: usize) -> Result<(), NotAName> {
    let mut characters = text.chars();
    let first = characters.next().ok_or(NotAName::Empty)?;
    if !(first.is_alphanumeric() || first == '_') {
        return Err(NotAName::First(first));
    }
    if let Some(wrong) = characters.find(|c| !(c.is_alphanumeric() || "_-.# @=:".contains(*c))) {
        return Err(NotAName::Character(wrong));
    }
    if text.ends_with(' ') {
        return Err(NotAName::TrailingBlank);
    }
    if text.chars().count() > chars_max {
        return Err(NotAName::TooLong(chars_max));
    }
    Ok(())
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $chars_max:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl Name for $name {
            fn parse(text: &str) -> Result<Self, NotAName> {
                check(text, $chars_max)?;
                Ok(Self(text.into()))
            }

            fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl $name {
            /// Checks the grammar of names.
            ///
            /// # Errors
            /// [`NotAName`] says which rule is broken.
            pub fn parse(text: &str) -> Result<Self, NotAName> {
                <Self as Name>::parse(text)
            }

            /// The text as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )+};
}

names! {
    /// A virtual server.
    VserverName, NAME_CHARS_MAX;
    /// A certificate with its key.
    CertKeyName, NAME_CHARS_MAX;
    /// A list of revoked certificates.
    CrlName, NAME_CHARS_MAX;
    /// A local user.
    UserName, NAME_CHARS_MAX;
    /// A local group.
    GroupName, NAME_CHARS_MAX;
    /// An entry of the list of hosts that may be connected to.
    AllowedHostName, NAME_CHARS_MAX;
    /// A listener of the embedded farm.
    FarmServerName, NAME_CHARS_MAX;
    /// A demonstration host run inside the process.
    FarmHostName, NAME_CHARS_MAX;
    /// A published resource, by its internal name.
    ResourceName, NAME_CHARS_MAX;
    /// A profile for TLS towards hosts.
    HostTlsName, NAME_CHARS_MAX;
    /// An authentication action, of whatever kind.
    ActionName, NAME_CHARS_MAX;
    /// A policy that may be bound to a factor, or a login schema policy.
    PolicyName, NAME_CHARS_MAX;
    /// A policy label: a factor of a login.
    LabelName, NAME_CHARS_MAX;
    /// An authentication virtual server: the first factor of a login.
    AuthnVserverName, NAME_CHARS_MAX;
    /// What ties a virtual server to an authentication virtual server.
    AuthnProfileName, NAME_CHARS_MAX;
    /// What follows from looking at a client before its login.
    PreauthActionName, NAME_CHARS_MAX;
    /// A session action.
    SessionActionName, NAME_CHARS_MAX;
    /// An object that is known by name only and has no effect.
    RestingName, NAME_CHARS_MAX;
    /// A login schema.
    SchemaName, NAME_CHARS_MAX;
    /// A set of patterns with which expressions compare texts.
    PatternSetName, NAME_CHARS_MAX;
    /// A group that a login gives to a session. It need not be a local group.
    SessionGroup, SESSION_GROUP_CHARS_MAX;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "_x", "7up", "Demo vs", "a-b.c#d@e=f:g", "日本語 メモ帳", &"x".repeat(127)] {
            assert_eq!(UserName::parse(good).map(|n| n.to_string()), Ok(good.to_owned()));
        }
        assert_eq!(UserName::parse(""), Err(NotAName::Empty));
        assert_eq!(UserName::parse("-a"), Err(NotAName::First('-')));
        assert_eq!(UserName::parse("a/b"), Err(NotAName::Character('/')));
        assert_eq!(UserName::parse("a\n"), Err(NotAName::Character('\n')));
        assert_eq!(UserName::parse("a "), Err(NotAName::TrailingBlank));
        assert_eq!(UserName::parse(&"x".repeat(128)), Err(NotAName::TooLong(127)));
    }
}
