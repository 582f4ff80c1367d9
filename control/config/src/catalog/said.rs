//! A line that has been understood: which command, with which values.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{KeptArgument, Name, Secret, Url};
use crate::text::lex::Span;

use super::kind::Value;
use super::{Argument, Command, Form, Op};

/// A line that has been understood.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub struct Said<'t> {
    /// About what.
    pub command: &'static Command,
    /// Which verb.
    pub form: &'static Form,
    /// What was given, in the order written.
    pub given: Vec<Given>,
    /// Arguments without effect, in the order written.
    pub kept: Vec<KeptArgument>,
    /// The whole line, fit for keeping: without a secret that stood in it openly.
    pub text: &'t str,
    /// From the first word to the last.
    pub span: Span,
    /// It will be tried again if it refers to something that does not exist yet.
    pub may_wait: bool,
    /// Somebody will read what was perhaps meant, so it is worth looking for.
    pub hints: bool,
}

/// An argument with its values.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub struct Given {
    /// Which.
    pub argument: &'static Argument,
    /// Values with their places; none for a switch.
    pub values: Vec<(Value, Span)>,
    /// The keyword, or the word itself.
    pub span: Span,
}

impl Said<'_> {
    /// An argument as given.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<&Given> {
        debug_assert!(
            self.command.forms.iter().flat_map(|form| form.positionals.iter().chain(form.keywords)).any(|a| a.name == name),
            "{} has no argument {name}",
            self.command.words
        );
        self.given.iter().find(|given| given.argument.name == name)
    }

    /// Whether an argument is there at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    /// Where the value of an argument stands, or its keyword, or the line.
    #[must_use]
    pub fn place(&self, name: &str) -> Span {
        let given = self.given(name);
        given.map_or(self.span, |given| given.values.first().map_or(given.span, |(_, span)| *span))
    }

    /// The value of an argument.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.given(name)?.values.first().map(|(value, _)| value)
    }

    /// All values of an argument.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.given(name).into_iter().flat_map(|given| given.values.iter().map(|(value, _)| value))
    }

    /// A text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_text()
    }

    /// A name.
    #[must_use]
    pub fn name<N: Name>(&self, name: &str) -> Option<N> {
        N::parse(self.text(name)?).ok()
    }

    /// One of two words.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.text(name).map(|word| matches!(word, "ENABLED" | "ON" | "YES"))
    }

    /// A number.
    #[must_use]
    pub fn number<T: TryFrom<u64>>(&self, name: &str) -> Option<T> {
        if let Value::Number(number) = self.value(name)? { T::try_from(*number).ok() } else { None }
    }

    /// An address.
    #[must_use]
    pub fn ip(&self, name: &str) -> Option<IpAddr> {
        if let Value::Ip(address) = self.value(name)? { Some(*address) } else { None }
    }

    /// A URL.
    #[must_use]
    pub fn url(&self, name: &str) -> Option<&Url> {
        if let Value::Url(url) = self.value(name)? { Some(url) } else { None }
    }

    /// A secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        if let Value::Secret(secret) = self.value(name)? { Some(secret) } else { None }
    }

    /// A number of milliseconds.
    #[must_use]
    pub fn millis(&self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_millis)
    }

    /// Changes `slot` if this line speaks of it: to what `read` says, or with `unset` to `default`.
    pub fn put<T>(&self, name: &str, slot: &mut T, default: T, read: impl FnOnce(&Self) -> Option<T>) {
        if !self.has(name) {
            return;
        }
        if self.form.op == Op::Unset {
            *slot = default;
        } else if let Some(value) = read(self) {
            *slot = value;
        }
    }
}
