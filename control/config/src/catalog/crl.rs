//! `ssl crl`: lists of revoked certificates.

use std::time::SystemTime;

use crate::code::Code;
use crate::files::{Life, Loaded, Purpose};
use crate::model::{CertKeyName, Crl, CrlName, Model};
use crate::print::Writer;
use crate::problem::Severity;
use crate::text::time::Utc;

use super::ns::something;
use super::site::{Note, Refused, Site, incomplete, missing, taken};
use super::ssl::no_certificate;
use super::{Argument, Command, Effect, Form, Kind, Op, Origin, Rank, Said};

/// Most lists.
const LISTS_MAX: usize = 64;

const NAME: Argument = Argument::required("crlName", Kind::Name, "Name of the list.");
const AUTHORITY: Argument =
    Argument::optional("CAcert", Kind::Name, "Whose list it is, for people: the list itself says so.").names("ssl certKey");
const FORMAT: Argument =
    Argument::always("inform", "PEM", "PEM and DER are told apart by themselves.").takes(Kind::Choice(&["PEM", "DER"]));

/// `add ssl crl`
pub(super) const CRL: Command = Command {
    group: "ssl",
    object: "crl",
    words: "ssl crl",
    summary: "A list of revoked certificates of clients.",
    notes: "Looked at where an authority is bound with `-crlCheck`. `set ssl crl NAME -crlPath FILE` reads the file anew, also if its name is \
            the same, and so does `reload`: new certificates are judged by it at once. The gateway fetches no lists itself: a timer of \
            the system can, and then say that line.",
    origin: Origin::NetScaler,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[NAME, Argument::required("crlPath", Kind::File, "Its file, PEM or DER.")],
            keywords: KEYWORDS_ADD,
            example: "add ssl crl corp ca.crl",
            apply: add,
            print: Some((Rank::SslCrl, print)),
        },
        Form {
            op: Op::Set,
            positionals: &[NAME],
            keywords: KEYWORDS_SET,
            example: "set ssl crl corp -crlPath ca.crl",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[NAME],
            keywords: KEYWORDS_ADD,
            example: "unset ssl crl corp -CAcert",
            apply: set,
            print: None,
        },
        Form { op: Op::Rm, positionals: &[NAME], keywords: &[], example: "rm ssl crl corp", apply: rm, print: None },
    ],
};

const KEYWORDS_ADD: &[Argument] = &[
    AUTHORITY,
    FORMAT,
    Argument::kept("refresh"),
    Argument::kept("method"),
    Argument::kept("server"),
    Argument::kept("url"),
    Argument::kept("port"),
    Argument::kept("baseDN"),
    Argument::kept("scope"),
    Argument::kept("interval"),
    Argument::kept("day"),
    Argument::kept("time"),
    Argument::kept("bindDN"),
    Argument::kept("binary"),
];

const KEYWORDS_SET: &[Argument] = &[
    Argument::optional("crlPath", Kind::File, "Its file, which is read anew. Ours.").or("the file that it has"),
    AUTHORITY,
    FORMAT,
    Argument::kept("refresh"),
    Argument::kept("method"),
    Argument::kept("server"),
    Argument::kept("url"),
    Argument::kept("port"),
    Argument::kept("baseDN"),
    Argument::kept("scope"),
    Argument::kept("interval"),
    Argument::kept("day"),
    Argument::kept("time"),
    Argument::kept("bindDN"),
    Argument::kept("binary"),
];

fn add(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (Some(name), Some(file)) = (said.name::<CrlName>("crlName"), said.text("crlPath")) else { return Err(incomplete(said)) };
    if site.model.crls.len() >= LISTS_MAX {
        let cause = format!("there are at most {LISTS_MAX} lists");
        return Err(Note::new(Code::TooManyValues, said.place("crlName"), name.as_str(), cause).into());
    }
    let list = Crl { file: file.into(), authority: authority(said, site.model)? };
    site.load(said, "crlPath", Purpose::Revoked)?;
    match examine(said, site, &list, None) {
        Ok(warning) => warning.into_iter().for_each(|note| site.warn(note)),
        Err(note) if site.firm => return Err(note.into()),
        Err(note) => site.notes.push((Severity::Error, note)),
    }
    let added = site.model.crls.add(name.clone(), list);
    added.map_err(|there| taken(said, "crlName", Code::AlreadyExists, "list", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn authority(said: &Said<'_>, model: &Model) -> Result<Option<CertKeyName>, Refused> {
    let Some(name) = said.text("CAcert") else { return Ok(None) };
    match model.certificates.row(name) {
        Some((name, _)) => Ok(Some(name.clone())),
        None => Err(no_certificate(said, "CAcert", model)),
    }
}

/// What is wrong with a list that has been read; or what is to be told about it.
#[expect(clippy::result_large_err, reason = "a note is told once for each line")]
fn examine(said: &Said<'_>, site: &Site<'_>, list: &Crl, renewed: Option<&Loaded>) -> Result<Option<Note>, Note> {
    // Of a file that cannot be read it has been told.
    let Some(bytes) = renewed.unwrap_or(site.loaded).list(&list.file) else { return Ok(None) };
    let file = list.file.display().to_string();
    let at = said.place("crlPath");
    let life = site.files.examine_list(bytes).map_err(|useless| {
        Note::new(Code::InvalidCertificate, at, file.as_str(), format!("cannot use {file}: {useless}"))
            .cure("openssl crl -in FILE -noout -text")
    })?;
    let day = |time: SystemTime| Utc::from(time).to_string();
    let cause = match life {
        Life::Current => return Ok(None),
        Life::NotYet(from) => format!("{file} is of {}, which is still to come", day(from)),
        Life::Over(until) => {
            format!("{file} was to be replaced by {}: with -crlCheck Mandatory nobody is let in by it", day(until))
        }
    };
    Ok(Some(Note::new(Code::Expired, at, file, cause).cure("put a new one in its place: set ssl crl NAME -crlPath FILE")))
}

fn set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("crlName").unwrap_or_default();
    let Some(list) = site.model.crls.find(name) else { return Err(no_list(said, site.model)) };
    let mut list = list.clone();
    let authority = authority(said, site.model)?;
    said.put("CAcert", &mut list.authority, None, |_| Some(authority));
    if said.form.op == Op::Set
        && let Some(file) = said.text("crlPath")
    {
        list.file = file.into();
        // It is read anew even if its name is the same: that is how a list is renewed.
        let mut renewed = Loaded::default();
        renewed.load(site.files, &list.file, Purpose::Revoked).map_err(|not| {
            Note::new(not.code(), said.place("crlPath"), file, format!("cannot use {file}: {not}"))
                .cure(not.cure(Purpose::Revoked))
        })?;
        if let Some(warning) = examine(said, site, &list, Some(&renewed))? {
            site.warn(warning);
        }
        site.loaded.renew(renewed);
    }
    if let Some(there) = site.model.crls.find_mut(name) {
        *there = list;
    }
    site.keep_arguments(said, name);
    Ok(())
}

fn rm(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("crlName").unwrap_or_default();
    if site.model.crls.remove(name).is_none() {
        return Err(no_list(said, site.model));
    }
    site.forget_arguments(said, name);
    Ok(())
}

fn no_list(said: &Said<'_>, model: &Model) -> Refused {
    missing(said, "crlName", Code::NoSuchResource, "list of revoked certificates", model.crls.names().map(CrlName::as_str))
}

fn print(model: &Model, out: &mut Writer<'_>) {
    for (name, list) in model.crls.iter() {
        let line = out.line(Op::Add, &CRL, name.as_str()).word(name).word(list.file.display());
        line.keyword_if("CAcert", list.authority.as_ref()).end();
    }
}
