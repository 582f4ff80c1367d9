//! Settings: an argument together with the place in the model that it changes, so that reading and printing cannot disagree.
//!
//! ```text
//!              ┌─ argument: name, kind, default, help ──► grammar, pages
//!   Setting ───┼─ change: words ──► field               (set; unset puts the default back)
//!              └─ print:  field ──► words               (nothing if it is at its default)
//! ```
//!
//! The login commands have some two hundred of them; written out three times each, they would not stay the same for long.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::authentication::{Choice, ClientExpression, Expression};
use crate::model::{Host, Name, Url};
use crate::print::LineWriter;

use super::super::site::{Refused, Site};
use super::super::{Argument, Kind, Op, Said, Value};

/// An argument and its place in a `T`.
pub(super) struct Setting<T: 'static> {
    pub(super) argument: Argument,
    /// Changes the object if the line speaks of the argument. The second object has everything at its default.
    pub(super) change: Change<T>,
    /// Writes the argument if it is not at its default.
    pub(super) print: Print<T>,
}

pub(super) type Change<T> = fn(&Argument, &Said<'_>, &mut Site<'_>, &mut T, &T) -> Result<(), Refused>;
pub(super) type Print<T> = for<'w, 'm> fn(&Argument, LineWriter<'w, 'm>, &T, &T) -> LineWriter<'w, 'm>;

/// Settings, in the order in which they are printed.
pub(super) type Settings<T> = &'static [&'static [Setting<T>]];

/// An object that is made of settings, beside what `add` must say.
pub(super) trait Configured: Clone + 'static {
    const SETTINGS: Settings<Self>;

    /// The same object with every setting at its default.
    fn plain(&self) -> Self;
}

/// A setting whose value is a field.
macro_rules! setting {
    ($argument:expr, $($field:tt)+) => {
        $crate::catalog::authentication::setting::Setting {
            argument: $argument,
            change: |argument, said, _, object, plain| {
                $crate::catalog::authentication::setting::put(argument, said, &mut object.$($field)+, &plain.$($field)+);
                Ok(())
            },
            print: |argument, line, object, plain| {
                $crate::catalog::authentication::setting::show(argument, line, &object.$($field)+, &plain.$($field)+)
            },
        }
    };
}
pub(super) use setting;

/// Two settings, of which one says which server: by address or by name.
macro_rules! server {
    ($type:ty, $what:literal) => {
        &[
            $crate::catalog::authentication::setting::Setting {
                argument: Argument::optional(
                    "serverIP",
                    Kind::Ip,
                    concat!("Address of ", $what, ". Either this or -serverName."),
                ),
                change: |argument, said, _, object: &mut $type, _| {
                    if let Some(address) = said.ip(argument.name) {
                        object.server = $crate::model::Host::Ip(address);
                    }
                    Ok(())
                },
                print: |argument, line, object, _| match &object.server {
                    $crate::model::Host::Ip(address) => line.keyword(argument.name, address),
                    $crate::model::Host::Name(_) => line,
                },
            },
            $crate::catalog::authentication::setting::Setting {
                argument: Argument::optional(
                    "serverName",
                    Kind::DnsName,
                    concat!("Name of ", $what, "; it is resolved when it is needed."),
                ),
                change: |argument, said, _, object: &mut $type, _| {
                    if said.has("serverIP") && said.has(argument.name) {
                        return Err($crate::catalog::authentication::action::both(said, "serverIP", argument.name));
                    }
                    if let Some(name) = said.text(argument.name) {
                        object.server = $crate::model::Host::Name(name.into());
                    }
                    Ok(())
                },
                print: |argument, line, object, _| match &object.server {
                    $crate::model::Host::Ip(_) => line,
                    $crate::model::Host::Name(name) => line.keyword(argument.name, name),
                },
            },
        ]
    };
}
pub(super) use server;

/// `-Attribute1` to `-Attribute16` and `-Attributes`.
macro_rules! attributes {
    ($type:ty) => {
        attributes!(@ $type, "Attribute1" 0, "Attribute2" 1, "Attribute3" 2, "Attribute4" 3, "Attribute5" 4, "Attribute6" 5,
            "Attribute7" 6, "Attribute8" 7, "Attribute9" 8, "Attribute10" 9, "Attribute11" 10, "Attribute12" 11, "Attribute13" 12,
            "Attribute14" 13, "Attribute15" 14, "Attribute16" 15)
    };
    (@ $type:ty, $($name:literal $at:literal),+) => {{
        const ALL: &[$crate::catalog::authentication::setting::Setting<$type>] = &[
            $($crate::catalog::authentication::setting::setting!(
                Argument::optional($name, Kind::Text, "Attribute of the user's that the session remembers under this number."),
                attributes.numbered[$at]
            ),)+
            $crate::catalog::authentication::setting::setting!(
                Argument::optional(
                    "Attributes",
                    Kind::Text,
                    "Attributes of the user's that the session remembers under their own names; commas between them.",
                ),
                attributes.named
            ),
        ];
        ALL
    }};
}
pub(super) use attributes;

/// `-defaultAuthenticationGroup`.
macro_rules! default_group {
    () => {
        $crate::catalog::authentication::setting::setting!(
            Argument::optional("defaultAuthenticationGroup", Kind::SessionGroup, "Group that the session gets on success."),
            default_group
        )
    };
}
pub(super) use default_group;

/// What a field can hold.
pub(super) trait Slot: Clone + PartialEq {
    /// From what the line says.
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self>;

    /// As it is written; `None` if there is nothing to write.
    fn write(&self, argument: &Argument) -> Option<String>;
}

/// Changes a field, if the line speaks of it.
pub(super) fn put<S: Slot>(argument: &Argument, said: &Said<'_>, field: &mut S, default: &S) {
    said.put(argument.name, field, default.clone(), |said| S::read(argument, said));
}

/// Writes a field, if it is not at its default. What `add` must say is always written.
pub(super) fn show<'w, 'm, S: Slot>(argument: &Argument, line: LineWriter<'w, 'm>, field: &S, default: &S) -> LineWriter<'w, 'm> {
    if field == default && !argument.required { line } else { line.keyword_if(argument.name, field.write(argument)) }
}

/// One of two words, of which the first means yes.
impl Slot for bool {
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
        said.flag(argument.name)
    }

    fn write(&self, argument: &Argument) -> Option<String> {
        let Kind::Choice(words) = argument.kind else { return None };
        words.get(usize::from(!*self)).map(|word| (*word).to_owned())
    }
}

macro_rules! number_slots {
    ($($type:ty),+) => {$(
        impl Slot for $type {
            fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
                said.number(argument.name)
            }

            fn write(&self, _: &Argument) -> Option<String> {
                Some(self.to_string())
            }
        }

        impl Slot for Option<$type> {
            fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
                said.number(argument.name).map(Some)
            }

            fn write(&self, _: &Argument) -> Option<String> {
                self.as_ref().map(ToString::to_string)
            }
        }
    )+};
}

number_slots!(u8, u16, u32);

/// A whole number of what the argument counts.
impl Slot for Duration {
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
        said.number::<u64>(argument.name).map(|number| Self::from_secs(number * seconds(argument)))
    }

    fn write(&self, argument: &Argument) -> Option<String> {
        Some((self.as_secs() / seconds(argument)).to_string())
    }
}

/// How many seconds one of what the argument counts has.
fn seconds(argument: &Argument) -> u64 {
    if matches!(argument.kind, Kind::Number { unit: MINUTES, .. }) { 60 } else { 1 }
}

/// The unit of arguments that count minutes.
pub(super) const MINUTES: &str = "minutes";
/// The unit of arguments that count seconds.
pub(super) const SECONDS: &str = "seconds";

impl<C: Choice> Slot for C {
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
        C::of(said.text(argument.name)?)
    }

    fn write(&self, _: &Argument) -> Option<String> {
        Some(self.word().to_owned())
    }
}

/// What is written as a text and read by `$read`.
macro_rules! text_slots {
    ($($type:ty: $read:expr;)+) => {$(
        impl Slot for $type {
            fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
                $read(said.text(argument.name)?)
            }

            fn write(&self, _: &Argument) -> Option<String> {
                Some(self.to_string())
            }
        }

        impl Slot for Option<$type> {
            fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
                $read(said.text(argument.name)?).map(Some)
            }

            fn write(&self, _: &Argument) -> Option<String> {
                self.as_ref().map(ToString::to_string)
            }
        }
    )+};
}

text_slots! {
    Box<str>: |text: &str| Some(Box::<str>::from(text));
    Expression: |text: &str| Expression::parse(text).ok();
    ClientExpression: |text: &str| ClientExpression::parse(text).ok();
}

impl<N: Name> Slot for Option<N> {
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
        said.name(argument.name).map(Some)
    }

    fn write(&self, _: &Argument) -> Option<String> {
        self.as_ref().map(ToString::to_string)
    }
}

impl Slot for Url {
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
        said.url(argument.name).cloned()
    }

    fn write(&self, _: &Argument) -> Option<String> {
        Some(self.to_string())
    }
}

impl Slot for Option<Url> {
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
        said.url(argument.name).cloned().map(Some)
    }

    fn write(&self, _: &Argument) -> Option<String> {
        self.as_ref().map(ToString::to_string)
    }
}

impl Slot for Host {
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
        said.ip(argument.name).map(|address: IpAddr| Self::Ip(address))
    }

    fn write(&self, _: &Argument) -> Option<String> {
        Some(self.to_string())
    }
}

/// A file, by the path as it is written.
impl Slot for Option<PathBuf> {
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
        said.text(argument.name).map(|path| Some(path.into()))
    }

    fn write(&self, _: &Argument) -> Option<String> {
        self.as_ref().map(|path| path.display().to_string())
    }
}

/// Several words, with commas.
impl Slot for Vec<Box<str>> {
    fn read(argument: &Argument, said: &Said<'_>) -> Option<Self> {
        let word = |value: &Value| {
            if let Value::Text(text) = value {
                Some(text.clone())
            } else if let Value::Choice(word) = value {
                Some((*word).into())
            } else {
                None
            }
        };
        said.values(argument.name).map(word).collect()
    }

    fn write(&self, _: &Argument) -> Option<String> {
        (!self.is_empty()).then(|| self.join(","))
    }
}

/// Applies what a line says to an object. On refusal the object is of no use.
pub(super) fn change<T: 'static>(
    settings: &[&[Setting<T>]],
    said: &Said<'_>,
    site: &mut Site<'_>,
    object: &mut T,
    plain: &T,
) -> Result<(), Refused> {
    for setting in settings.iter().copied().flatten() {
        // The form may have fewer arguments than the object has settings.
        if said.form.keywords.iter().any(|argument| argument.name == setting.argument.name) {
            (setting.change)(&setting.argument, said, site, object, plain)?;
        }
    }
    Ok(())
}

/// Writes what differs from the defaults.
pub(super) fn print<'w, 'm, T: Configured>(mut line: LineWriter<'w, 'm>, object: &T) -> LineWriter<'w, 'm> {
    let plain = object.plain();
    for setting in T::SETTINGS.iter().copied().flatten() {
        line = (setting.print)(&setting.argument, line, object, &plain);
    }
    line
}

/// Which arguments a verb has, of those that there are settings for.
const fn has(op: Op, argument: &Argument) -> bool {
    match op {
        // What must be there cannot go, and how a secret is written is nothing to take back.
        Op::Unset => !argument.required && !among(argument.name, &super::secret::COMPANIONS) && !among(argument.name, &SERVER),
        Op::Add
        | Op::Set
        | Op::Rm
        | Op::Bind
        | Op::Unbind
        | Op::Enable
        | Op::Disable
        | Op::Update
        | Op::Link
        | Op::Unlink
        | Op::Rename => true,
    }
}

/// Of these, one must be there.
const SERVER: [&str; 2] = ["serverIP", "serverName"];

const fn among(name: &str, names: &[&str]) -> bool {
    let mut at = 0;
    while at < names.len() {
        if same(name.as_bytes(), names[at].as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// How many arguments a verb has, with those without effect.
pub(super) const fn count<T>(op: Op, settings: &[&[Setting<T>]], kept: &[Argument]) -> usize {
    let mut number = kept.len();
    let mut group = 0;
    while group < settings.len() {
        let mut at = 0;
        while at < settings[group].len() {
            if has(op, &settings[group][at].argument) {
                number += 1;
            }
            at += 1;
        }
        group += 1;
    }
    number
}

/// The arguments of a verb. `N` is their [`count`]. Only `add` needs what is required.
pub(super) const fn arguments<T, const N: usize>(op: Op, settings: &[&[Setting<T>]], kept: &[Argument]) -> [Argument; N] {
    let mut all = [Argument::kept(""); N];
    let mut number = 0;
    let mut group = 0;
    while group < settings.len() {
        let mut at = 0;
        while at < settings[group].len() {
            let argument = settings[group][at].argument;
            if has(op, &argument) {
                all[number] = argument;
                all[number].required = argument.required && matches!(op, Op::Add);
                number += 1;
            }
            at += 1;
        }
        group += 1;
    }
    let mut at = 0;
    while at < kept.len() {
        all[number] = kept[at];
        number += 1;
        at += 1;
    }
    all
}

/// The keywords of a verb, as a slice that lives for ever.
macro_rules! keywords {
    ($op:expr, $settings:expr, $kept:expr) => {{
        const COUNT: usize = $crate::catalog::authentication::setting::count($op, $settings, $kept);
        const ALL: [Argument; COUNT] = $crate::catalog::authentication::setting::arguments($op, $settings, $kept);
        &ALL
    }};
}
pub(super) use keywords;
