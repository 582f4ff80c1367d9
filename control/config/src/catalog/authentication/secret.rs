//! Secrets that must be recovered, with the words that say how they are written.

use crate::code::Code;
use crate::model::{Foreign, Recoverable, SEAL_EXTRA_BYTES, SEALABLE_BYTES_MAX, SEALED_CHARS_MAX, Secret};
use crate::print::LineWriter;

use super::super::kind::SECRET_BYTES_MAX;
use super::super::site::{Note, Refused, Site};
use super::super::{Argument, Kind, Said};
use super::setting::Setting;

/// Our own way of sealing.
const OURS: &str = "ENCMTHD_SG1";
/// What stands for a seal that has not been made yet.
const UNSEALED: &str = "UNSEALED";
// A sealed secret is read as what any secret is read as.
const _: () = assert!(SEALED_CHARS_MAX <= SECRET_BYTES_MAX);

/// Words behind a secret that say how it is written.
pub(super) const COMPANIONS: [&str; 4] = ["encrypted", "encryptmethod", "kek", "suffix"];

/// The settings of [`COMPANIONS`]. The secret's own setting reads and writes them.
pub(super) const fn companions<T>() -> [Setting<T>; 4] {
    [
        companion(Argument::optional(COMPANIONS[0], Kind::Switch, "The secret before it is not written openly.")),
        companion(Argument::optional(
            COMPANIONS[1],
            Kind::Word(32, "_-"),
            "How it is encrypted: ENCMTHD_SG1 is our own way, under the key file of this gateway.",
        )),
        companion(Argument::optional(COMPANIONS[2], Kind::Switch, "Another product used a key-encrypting key.")),
        companion(Argument::optional(COMPANIONS[3], Kind::Word(64, "_-"), "Which one.")),
    ]
}

const fn companion<T>(argument: Argument) -> Setting<T> {
    Setting { argument, change: |_, _, _, _, _| Ok(()), print: |_, line, _, _| line }
}

/// A setting whose value is an optional secret.
macro_rules! secret {
    ($argument:expr, $field:ident) => {
        $crate::catalog::authentication::setting::Setting {
            argument: $argument,
            change: |argument, said, site, object, _| {
                if said.form.op == Op::Unset && said.has(argument.name) {
                    object.$field = None;
                } else if let Some(secret) = $crate::catalog::authentication::secret::read(argument.name, said, site)? {
                    object.$field = Some(secret);
                }
                Ok(())
            },
            print: |argument, line, object, _| match &object.$field {
                Some(secret) => $crate::catalog::authentication::secret::write(argument.name, line, secret),
                None => line,
            },
        }
    };
}
pub(super) use secret;

/// The secret that a line gives, if it gives one.
pub(super) fn read(name: &str, said: &Said<'_>, site: &mut Site<'_>) -> Result<Option<Recoverable>, Refused> {
    let known = |name: &str| said.form.keywords.iter().any(|argument| argument.name == name);
    let companion = |from: usize| COMPANIONS.into_iter().skip(from).find(|name| known(name) && said.has(name));
    let needs = |one: &str, other: &str| {
        Note::new(Code::PrerequisiteMissing, said.place(one), format!("-{one}"), format!("it needs -{other}"))
    };
    let Some(secret) = said.secret(name) else {
        return match companion(0) {
            Some(alone) => Err(needs(alone, name).into()),
            None => Ok(None),
        };
    };
    if !said.has("encrypted") {
        return match companion(1) {
            Some(alone) => Err(needs(alone, "encrypted").cure("add -encrypted if the secret is not written openly").into()),
            None => open(name, said, secret).map(Some),
        };
    }
    let method = said.text("encryptmethod");
    if method.is_some_and(|method| method.eq_ignore_ascii_case(OURS)) {
        let sealed = secret.expose();
        let digits = sealed.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        let length = sealed.len() % 2 == 0 && (2 * SEAL_EXTRA_BYTES + 2..=SEALED_CHARS_MAX).contains(&sealed.len());
        if !digits || !length {
            let cause = format!("this was not written by {OURS}: it is not an even number of lower-case hexadecimal digits");
            return Err(Note::new(Code::InvalidValue, said.place(name), format!("-{name}"), cause).into());
        }
        return Ok(Some(Recoverable::Sealed(sealed.into())));
    }
    let cause = match method {
        Some(UNSEALED) => "this file was printed before the secret had been sealed",
        Some(_) | None => "it was encrypted under a key of another product",
    };
    let note = Note::new(Code::ValueMissing, said.place(name), format!("-{name}"), format!("secret unavailable: {cause}"));
    site.warn(note.cure("set it anew; until then this action fails"));
    Ok(Some(Recoverable::Unavailable(Foreign {
        encrypt_method: method.map(Into::into),
        hash_method: None,
        value: secret.expose().into(),
        kek: said.has("kek"),
        suffix: said.text("suffix").map(Into::into),
    })))
}

fn open(name: &str, said: &Said<'_>, secret: &Secret) -> Result<Recoverable, Refused> {
    if secret.expose().len() > SEALABLE_BYTES_MAX {
        let cause = format!("a secret that must be recovered has at most {SEALABLE_BYTES_MAX} bytes");
        return Err(Note::new(Code::InvalidValue, said.place(name), format!("-{name}"), cause).into());
    }
    Ok(Recoverable::Plain(secret.clone()))
}

/// Writes a secret: never an open one. Whoever reads that back learns that it has to be set.
pub(super) fn write<'w, 'm>(name: &str, line: LineWriter<'w, 'm>, secret: &Recoverable) -> LineWriter<'w, 'm> {
    match secret {
        Recoverable::Plain(_) => line.keyword(name, "*").switch("encrypted").keyword("encryptmethod", UNSEALED),
        Recoverable::Sealed(sealed) => line.keyword(name, sealed).switch("encrypted").keyword("encryptmethod", OURS),
        Recoverable::Unavailable(foreign) => {
            let line = line.keyword(name, &foreign.value).switch("encrypted");
            let line = line.keyword_if("encryptmethod", foreign.encrypt_method.as_deref());
            let line = if foreign.kek { line.switch("kek") } else { line };
            line.keyword_if("suffix", foreign.suffix.as_deref())
        }
    }
}
