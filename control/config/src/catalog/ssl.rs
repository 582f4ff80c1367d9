//! `ssl`: certificates, and TLS towards clients.

use std::time::SystemTime;

use sluice_link::snapshot::{KeyGroup, RecordEngine, Suite};

use crate::code::Code;
use crate::files::{Files, Life, Loaded, Purpose, Useless};
use crate::model::authentication::Action;
use crate::model::{CertKey, CertKeyName, Front, IssuerBinding, Model, Need, VserverTls};
use crate::print::{Writer, enabled};
use crate::problem::Severity;
use crate::text::time::Utc;

use super::ns::something;
use super::site::{Note, Refused, Site, in_use, incomplete, missing, taken};
use super::{Argument, Command, Effect, Form, Kind, Op, Origin, Rank, Said};

const ENABLED: Kind = Kind::Choice(&["ENABLED", "DISABLED"]);
/// Most authorities whose certificates one virtual server trusts.
pub(super) const AUTHORITIES_MAX: usize = 32;
/// What is said of an authority only.
const OF_AUTHORITIES: [&str; 3] = ["crlCheck", "ocspCheck", "skipCAName"];
/// Most certificates that one virtual server chooses from by name.
const SNI_CERTIFICATES_MAX: usize = 1024;

/// `add ssl certKey`
pub(super) const CERT_KEY: Command = Command {
    group: "ssl",
    object: "certKey",
    words: "ssl certKey",
    summary: "A certificate with its private key, by their files.",
    notes: "Files are PEM; a relative path is below the configuration's own directory. The certificate file begins with the server's own \
            certificate, issuers follow. The key is PKCS#8, PKCS#1 or SEC1, not locked with a pass phrase, and readable by nobody but \
            the gateway.\n\n\
            A certificate is renewed in place with `update`: its files are read anew, even if their names are the same, and new \
            connections see them. `link` names the certificate of its issuer, which is then shown behind it; whoever has whole \
            chains in one file needs no links.\n\n\
            A key that does not belong to its certificate is refused where it is named. A certificate that is not yet valid or has expired \
            is a warning: it is shown all the same.",
    origin: Origin::NetScaler,
    feature: None,
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[CERT_KEY_NAME],
            keywords: &[
                Argument::required("cert", Kind::File, "File of the certificate, with its chain."),
                Argument::optional("key", Kind::File, "File of the private key. Without it, the certificate cannot be served."),
                Argument::optional("passplain", Kind::Secret, "Refused: keys that are locked with a pass phrase are not read."),
                Argument::always("inform", "PEM", "Format of the files."),
                Argument::kept("password"),
                Argument::kept("expiryMonitor").takes(ENABLED).or("ENABLED").means("An alert before the certificate ends."),
                Argument::kept("notificationPeriod")
                    .takes(Kind::Number { min: 10, max: 100, unit: "days" })
                    .or("30")
                    .means("How long before its end."),
                Argument::always("bundle", "YES", "The file is read with all certificates in it.")
                    .takes(Kind::Choice(&["YES", "NO"])),
            ],
            example: "add ssl certKey demo -cert demo.pem -key demo.key",
            apply: add_cert_key,
            print: Some((Rank::SslCertKey, print_cert_key)),
        },
        Form {
            op: Op::Rm,
            positionals: &[CERT_KEY_NAME],
            keywords: &[],
            example: "rm ssl certKey demo",
            apply: rm_cert_key,
            print: None,
        },
        Form {
            op: Op::Update,
            positionals: &[CERT_KEY_NAME],
            keywords: &[
                Argument::optional("cert", Kind::File, "File of the new certificate.").or("the file that it has"),
                Argument::optional("key", Kind::File, "File of the new private key.").or("the file that it has"),
                Argument::optional(
                    "noDomainCheck",
                    Kind::Switch,
                    "Accepted: names of the old and the new certificate are not compared.",
                ),
                Argument::optional("passplain", Kind::Secret, "Refused: keys that are locked with a pass phrase are not read."),
                Argument::always("inform", "PEM", "Format of the files.").takes(Kind::Choice(&["PEM", "DER", "PFX"])),
                Argument::kept("fipsKey").takes(Kind::Text).means("A key in a module."),
            ],
            example: "update ssl certKey demo -cert demo.pem -key demo.key",
            apply: update_cert_key,
            print: None,
        },
        Form {
            op: Op::Link,
            positionals: LINK,
            keywords: &[],
            example: "add ssl certKey demo_ca -cert ca.pem\nlink ssl certKey demo demo_ca",
            apply: link,
            print: Some((Rank::SslLink, print_links)),
        },
        Form {
            op: Op::Unlink,
            positionals: &[CERT_KEY_NAME],
            keywords: &[],
            example: "unlink ssl certKey demo",
            apply: unlink,
            print: None,
        },
    ],
};

const CERT_KEY_NAME: Argument = Argument::required("name", Kind::Name, "Name of the pair.");
const LINK: &[Argument] =
    &[CERT_KEY_NAME, Argument::required("linkCertKeyName", Kind::Name, "The certificate of its issuer.").names("ssl certKey")];
/// Longest chain of certificates that are linked.
const CHAIN_MAX: usize = 10;

fn add_cert_key(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (Some(name), Some(certificate)) = (said.name::<CertKeyName>("name"), said.text("cert")) else {
        return Err(incomplete(said));
    };
    refuse_locked(said)?;
    let pair = CertKey { certificate: certificate.into(), key: said.text("key").map(Into::into), issuer: None };
    site.load(said, "cert", Purpose::Certificate)?;
    site.load(said, "key", Purpose::Key)?;
    match examine(said, site.files, site.loaded, &pair) {
        Ok(warning) => warning.into_iter().for_each(|note| site.warn(note)),
        Err(note) if site.firm => return Err(note.into()),
        Err(note) => site.notes.push((Severity::Error, note)),
    }
    let added = site.model.certificates.add(name.clone(), pair);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "certificate", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

/// What is wrong with a pair whose files have been read; or what is to be told about its certificate.
#[expect(clippy::result_large_err, reason = "a note is told once for each line")]
fn examine(said: &Said<'_>, files: &dyn Files, loaded: &Loaded, pair: &CertKey) -> Result<Option<Note>, Note> {
    let key = pair.key.as_deref();
    let (Some(pem), false) = (loaded.certificate(&pair.certificate), key.is_some_and(|key| loaded.key(key).is_none())) else {
        // Of a file that cannot be read it has been told.
        return Ok(None);
    };
    let certificate = pair.certificate.display().to_string();
    let life = files.examine(pem, key.and_then(|key| loaded.key(key)).map(|key| key.as_slice())).map_err(|useless| {
        let (argument, file) = match (&useless, key) {
            (Useless::Key | Useless::Strangers, Some(key)) => ("key", key.display().to_string()),
            (Useless::Key | Useless::Strangers, None) | (Useless::Certificate(_) | Useless::List, _) => {
                ("cert", certificate.clone())
            }
        };
        let cause = format!("cannot use {file}: {useless}");
        Note::new(useless.code(), said.place(argument), file, cause).cure(useless.cure())
    })?;
    let day = |time: SystemTime| Utc::from(time).to_string();
    let (code, cause, cure) = match life {
        Life::Current => return Ok(None),
        Life::NotYet(from) => {
            let cause = format!("{certificate} is valid from {}; clients refuse it until then", day(from));
            (Code::NotYetValid, cause, "is the clock of this machine right?")
        }
        Life::Over(until) => {
            let cause = format!("{certificate} was valid until {}; clients refuse it", day(until));
            (Code::Expired, cause, "put a new one in its place; a running gateway takes it with `update ssl certKey NAME`")
        }
    };
    Ok(Some(Note::new(code, said.place("cert"), certificate, cause).cure(cure)))
}

fn refuse_locked(said: &Said<'_>) -> Result<(), Refused> {
    if !said.has("passplain") {
        return Ok(());
    }
    let note = Note::new(Code::KeyPassword, said.place("passplain"), "-passplain", "locked private keys are not read");
    Err(note.cure("unlock it: openssl pkey -in FILE -out key.pem, and keep that file for the gateway only").into())
}

fn rm_cert_key(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let model = &mut *site.model;
    let is = |other: &CertKeyName| other.as_str() == name;
    let bound = |front: &Front| {
        let issuers = front.clients.authorities.iter().map(|issuer| &issuer.certificate);
        front.certificate.iter().chain(&front.sni_certificates).chain(issuers).any(is)
    };
    let devices = model.vservers.iter().find(|(_, v)| v.devices.authorities.iter().any(is)).map(|(name, _)| name.as_str());
    if let Some(vserver) = model.fronts().find(|(_, front)| bound(front)).map(|(name, _)| name).or(devices) {
        return Err(in_use(said, "name", Code::CertificateInUse, &format!("virtual server {vserver}")));
    }
    if let Some((list, _)) = model.crls.iter().find(|(_, list)| list.authority.as_ref().is_some_and(is)) {
        return Err(in_use(said, "name", Code::CertificateInUse, &format!("ssl crl {list}")));
    }
    if let Some((server, _)) = model.farm.servers.iter().find(|(_, s)| s.certificate.as_ref().is_some_and(is)) {
        return Err(in_use(said, "name", Code::CertificateInUse, &format!("farm server {server}")));
    }
    if let Some((linked, _)) = model.certificates.iter().find(|(_, pair)| pair.issuer.as_ref().is_some_and(is)) {
        return Err(in_use(said, "name", Code::CertificateInUse, &format!("certificate {linked}, which is linked to it")));
    }
    let saml = |action: &Action| {
        let Action::Saml(saml) = action else { return false };
        saml.provider_certificate.iter().chain(&saml.signing_certificate).any(is)
    };
    if let Some((action, _)) = model.authentication.actions.iter().find(|(_, action)| saml(action)) {
        return Err(in_use(said, "name", Code::CertificateInUse, &format!("authentication samlAction {action}")));
    }
    if model.certificates.remove(name).is_none() {
        return Err(no_certificate(said, "name", site.model));
    }
    site.forget_arguments(said, name);
    Ok(())
}

fn update_cert_key(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    refuse_locked(said)?;
    if let Some(kept) = said.kept.iter().find(|kept| &*kept.keyword == "fipsKey") {
        let note = Note::new(Code::NotImplemented, said.span, format!("-{}", kept.keyword), "there are no keys in modules");
        return Err(note.into());
    }
    let name = said.text("name").unwrap_or_default();
    let Some(pair) = site.model.certificates.find(name) else { return Err(no_certificate(said, "name", site.model)) };
    let mut pair = pair.clone();
    if let Some(certificate) = said.text("cert") {
        pair.certificate = certificate.into();
    }
    if let Some(key) = said.text("key") {
        pair.key = Some(key.into());
    }
    // Files are read anew even if their names are the same: that is how a certificate is renewed. All or nothing.
    let mut renewed = Loaded::default();
    let files = [(Some(&pair.certificate), "cert", Purpose::Certificate), (pair.key.as_ref(), "key", Purpose::Key)];
    for (path, argument, purpose) in files.into_iter().filter_map(|(path, a, p)| Some((path?, a, p))) {
        renewed.load(site.files, path, purpose).map_err(|not| {
            let shown = path.display().to_string();
            Note::new(not.code(), said.place(argument), shown.as_str(), format!("cannot use {shown}: {not}"))
                .cure(not.cure(purpose))
        })?;
    }
    if let Some(warning) = examine(said, site.files, &renewed, &pair)? {
        site.warn(warning);
    }
    site.loaded.renew(renewed);
    if let Some(there) = site.model.certificates.find_mut(name) {
        *there = pair;
    }
    Ok(())
}

fn link(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (name, issuer) = (said.text("name").unwrap_or_default(), said.text("linkCertKeyName").unwrap_or_default());
    let model = &mut *site.model;
    let Some((issuer, _)) = model.certificates.row(issuer) else { return Err(no_certificate(said, "linkCertKeyName", model)) };
    let issuer = issuer.clone();
    if !model.certificates.has(name) {
        return Err(no_certificate(said, "name", model));
    }
    let place = said.place("linkCertKeyName");
    let behind = model.chain(issuer.as_str()).take(CHAIN_MAX + 1).map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    if behind.contains(&name) {
        let cause = format!("{name} would be its own issuer");
        return Err(Note::new(Code::LinkedToItself, place, issuer.as_str(), cause).into());
    }
    if behind.len() >= CHAIN_MAX {
        let cause = format!("a chain has at most {CHAIN_MAX} certificates");
        return Err(Note::new(Code::TooManyValues, place, issuer.as_str(), cause).into());
    }
    let Some(pair) = model.certificates.find_mut(name) else { return Err(incomplete(said)) };
    if let Some(there) = &pair.issuer {
        let cause = format!("{name} is linked to {there} already");
        return Err(Note::new(Code::BindingExists, place, issuer.as_str(), cause).cure("unlink it first").into());
    }
    pair.issuer = Some(issuer);
    Ok(())
}

fn unlink(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let Some(pair) = site.model.certificates.find_mut(name) else { return Err(no_certificate(said, "name", site.model)) };
    if pair.issuer.take().is_none() {
        return Err(Note::new(Code::NotLinked, said.place("name"), name, "it is linked to no certificate").into());
    }
    Ok(())
}

fn print_links(model: &Model, out: &mut Writer<'_>) {
    for (name, pair) in model.certificates.iter() {
        if let Some(issuer) = &pair.issuer {
            out.line(Op::Link, &CERT_KEY, name.as_str()).word(name).word(issuer).end();
        }
    }
}

/// Refuses because there is no such certificate.
pub(super) fn no_certificate(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    missing(said, argument, Code::NoCertificate, "certificate", model.certificates.names().map(CertKeyName::as_str))
}

/// The certificate that `argument` names, which must exist and have its key.
pub(super) fn served_certificate(said: &Said<'_>, argument: &str, model: &Model) -> Result<CertKeyName, Refused> {
    let name = said.text(argument).unwrap_or_default();
    let (name, pair) = model.certificates.row(name).ok_or_else(|| no_certificate(said, argument, model))?;
    if pair.key.is_none() {
        let cause = format!("certificate {name} has no private key, so it cannot be served");
        let note = Note::new(Code::PrerequisiteMissing, said.place(argument), name.as_str(), cause);
        return Err(note.cure(format!("add -key to `add ssl certKey {name}`")).into());
    }
    Ok(name.clone())
}

fn print_cert_key(model: &Model, out: &mut Writer<'_>) {
    for (name, pair) in model.certificates.iter() {
        out.line(Op::Add, &CERT_KEY, name.as_str())
            .word(name)
            .keyword("cert", pair.certificate.display())
            .keyword_if("key", pair.key.as_ref().map(|key| key.display()))
            .end();
    }
}

/// `set ssl vserver`, `bind ssl vserver`
pub(super) const VSERVER: Command = Command {
    group: "ssl",
    object: "vserver",
    words: "ssl vserver",
    summary: "TLS of a virtual server towards its clients.",
    notes: "Older versions than TLS 1.2 are not spoken. Renegotiation and early data are off. A version for which no suite is bound is not \
            offered. The suites: `TLS1.3-AES256-GCM-SHA384`, `TLS1.3-AES128-GCM-SHA256`, `TLS1.3-CHACHA20-POLY1305-SHA256`, and \
            `TLS1.2-ECDHE-ECDSA-` or `TLS1.2-ECDHE-RSA-` with `AES256-GCM-SHA384`, `AES128-GCM-SHA256`, `CHACHA20-POLY1305`.\n\n\
            An authentication virtual server that has an address, a certificate and `-clientAuth ENABLED` listens there and asks browsers for \
            certificates; there is nothing else to see. A certificate is good if it leads to an authority bound with `-CA`, is valid, is for \
            clients, and was not revoked. What one authority says about revocation is not got round by a longer way to another.",
    origin: Origin::Extended,
    feature: None,
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[VSERVER_NAME],
            keywords: TLS_KEYWORDS,
            example: "set ssl vserver gw -tls12 DISABLED",
            apply: set_tls,
            print: Some((Rank::SslVserver, print_tls)),
        },
        Form {
            op: Op::Unset,
            positionals: &[VSERVER_NAME],
            keywords: TLS_KEYWORDS,
            example: "unset ssl vserver gw -tls12",
            apply: set_tls,
            print: None,
        },
        Form {
            op: Op::Bind,
            positionals: &[VSERVER_NAME],
            keywords: BIND_KEYWORDS,
            example: "bind ssl vserver gw -certkeyName demo",
            apply: bind,
            print: Some((Rank::SslVserverBind, print_bind)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[VSERVER_NAME],
            keywords: BIND_KEYWORDS,
            example: "unbind ssl vserver gw -certkeyName demo",
            apply: unbind,
            print: None,
        },
    ],
};

const VSERVER_NAME: Argument = Argument::required(
    "vServerName",
    Kind::Name,
    "Name of the virtual server, as in `add vpn vserver` or `add authentication vserver`.",
);

const TLS_KEYWORDS: &[Argument] = &[
    Argument::optional("tls12", ENABLED, "TLS 1.2 is offered.").or("ENABLED"),
    Argument::optional("tls13", ENABLED, "TLS 1.3 is offered.").or("ENABLED"),
    Argument::optional("sessReuse", ENABLED, "Sessions may be resumed by tickets.").or("ENABLED"),
    Argument::optional("postQuantum", ENABLED, "X25519MLKEM768 is offered, first. Needs TLS 1.3. Ours.").or("ENABLED"),
    Argument::optional(
        "maxRecord",
        Kind::Number { min: 512, max: 16_384, unit: "bytes" },
        "Most plaintext in one TLS record to a client. A client can use no byte of a record before it has all of it: less shows sooner on \
         slow lines, more costs less. Ours.",
    )
    .or("16384"),
    Argument::optional(
        "recordRamp",
        Kind::Number { min: 0, max: 16 * 1024 * 1024, unit: "bytes" },
        "So many bytes after a second of silence go in records of at most 2800 bytes (two segments), then in full ones; 0 is none. Ours.",
    )
    .or("65536"),
    Argument::optional(
        "recordEngine",
        Kind::Choice(&["OWN", "RUSTLS", "KERNEL_TX", "KERNEL_RX", "KERNEL"]),
        "Who opens and seals records after the handshake, with clients and with hosts that speak TLS. RUSTLS is there to fall back on, should a \
         fault be found in ours: it copies and allocates for every record. With KERNEL_TX the kernel (kTLS) seals what clients of ICA sessions \
         are sent, with KERNEL_RX it opens what they send, with KERNEL it does both; where it cannot, OWN serves. It needs the kernel's module \
         `tls` and costs more than OWN, for which a network card that seals may make up; and such a session ends when a key has to be changed. Ours.",
    )
    .or("OWN"),
    Argument::optional(
        "clientAuth",
        ENABLED,
        "Clients are asked for a certificate. Sessions are not resumed then. Who may have issued it is said with `bind ssl vserver … -CA`.",
    )
    .or("DISABLED"),
    Argument::optional(
        "clientCert",
        Kind::Choice(Need::WORDS),
        "Optional: whoever has none, or a bad one, connects all the same, and is nobody. Mandatory: without a good one there is no \
         connection.",
    )
    .or("Mandatory"),
    Argument::always("ssl3", "DISABLED", "Not spoken."),
    Argument::always("tls1", "DISABLED", "Not spoken."),
    Argument::always("tls11", "DISABLED", "Not spoken."),
    Argument::always("dtls1", "DISABLED", "Not spoken."),
    Argument::always("dtls12", "DISABLED", "Not spoken."),
    Argument::always("zeroRttEarlyData", "DISABLED", "Early data is never taken."),
    Argument::always("sendCloseNotify", "YES", "The end of a session is always said."),
    Argument::always("SNIEnable", "ENABLED", "Names are always looked at."),
    Argument::always("eRSA", "DISABLED", "Not spoken."),
    Argument::always("dh", "DISABLED", "Not spoken."),
    Argument::kept("sessTimeout"),
    Argument::kept("ocspStapling"),
    Argument::kept("HSTS"),
    Argument::kept("maxage"),
    Argument::kept("IncludeSubdomains"),
    Argument::kept("preload"),
    Argument::kept("sslProfile"),
    Argument::kept("strictSigDigestCheck"),
    Argument::kept("pushEncTrigger"),
    Argument::kept("tls13SessionTicketsPerAuthContext"),
    Argument::kept("dhFile"),
    Argument::kept("dhCount"),
    Argument::kept("eRSACount"),
    Argument::kept("sslRedirect"),
    Argument::kept("cipherRedirect"),
];

const BIND_KEYWORDS: &[Argument] = &[
    Argument::optional("certkeyName", Kind::Name, "The certificate.").names("ssl certKey"),
    Argument::optional("SNICert", Kind::Switch, "It is shown to clients that ask for one of its names, not to all others."),
    Argument::optional(
        "cipherName",
        Kind::Name,
        "A cipher suite that is offered, as NetScaler or IANA spells it; with none bound, all are. Groups of suites are kept without effect.",
    ),
    Argument::optional(
        "eccCurveName",
        Kind::Choice(&["P_256", "P_384", "X_25519", "X25519MLKEM768", "ALL", "P_224", "P_521"]),
        "A group for the key exchange. Of several that a client has guessed right it takes the one bound first. With none bound, all are offered, the post-quantum one as \
         `-postQuantum` says. P_224 and P_521 are kept without effect.",
    ),
    Argument::optional("CA", Kind::Switch, "Certificates of clients are trusted that it has issued. It needs no key."),
    Argument::optional(
        "crlCheck",
        Kind::Choice(Need::WORDS),
        "Whether such a certificate was revoked. Optional: it must not stand in a list of `add ssl crl`. Mandatory: there must also be such \
         a list, and not out of date. Needs -CA.",
    )
    .or("nobody looks"),
    Argument::optional(
        "ocspCheck",
        Kind::Choice(Need::WORDS),
        "No server is asked here. Optional: as if none answered. Mandatory: no certificate of it is good. Needs -CA.",
    )
    .or("nobody is asked"),
    Argument::optional("skipCAName", Kind::Switch, "Clients are not told of it when they are asked. Needs -CA."),
    Argument::kept("policyName"),
    Argument::kept("priority"),
    Argument::kept("type"),
    Argument::kept("gotoPriorityExpression"),
];

/// Keeps a line about an authentication virtual server without an address, and says so: that one does not listen, so it speaks no TLS.
fn rests(said: &Said<'_>, site: &mut Site<'_>) -> bool {
    let name = said.text("vServerName").unwrap_or_default();
    if site.model.front(name).is_some() || !site.model.authentication.vservers.has(name) {
        return false;
    }
    let cause =
        "an authentication virtual server without an address does not listen: the line is kept for printing back, without effect";
    site.warn(Note::new(Code::NotImplemented, said.place("vServerName"), name, cause));
    site.keep_line(said);
    true
}

fn set_tls(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    if rests(said, site) {
        return Ok(());
    }
    let name = said.text("vServerName").unwrap_or_default();
    let Some(front) = site.model.front_mut(name) else {
        return Err(super::vpn::no_vserver(said, "vServerName", site.model));
    };
    let default = VserverTls::default();
    let mut tls = front.tls;
    said.put("tls12", &mut tls.tls12, default.tls12, |s| s.flag("tls12"));
    said.put("tls13", &mut tls.tls13, default.tls13, |s| s.flag("tls13"));
    said.put("sessReuse", &mut tls.resumption, default.resumption, |s| s.flag("sessReuse"));
    said.put("postQuantum", &mut tls.post_quantum, default.post_quantum, |s| s.flag("postQuantum"));
    said.put("maxRecord", &mut tls.records.most, default.records.most, |s| s.number("maxRecord"));
    said.put("recordRamp", &mut tls.records.ramp_bytes, default.records.ramp_bytes, |s| s.number("recordRamp"));
    said.put("recordEngine", &mut tls.engine, default.engine, |s| {
        s.text("recordEngine")
            .map(|word| RECORD_ENGINES.iter().find(|(known, _)| *known == word).map_or(default.engine, |(_, engine)| *engine))
    });
    if !tls.tls12 && !tls.tls13 {
        let cause = "with TLS 1.2 and TLS 1.3 both off, no client could connect";
        let argument = if said.has("tls13") { "tls13" } else { "tls12" };
        return Err(Note::new(Code::InvalidArgument, said.place(argument), name, cause).cure("leave one ENABLED").into());
    }
    front.tls = tls;
    said.put("clientAuth", &mut front.clients.asked, false, |s| s.flag("clientAuth"));
    said.put("clientCert", &mut front.clients.need, None, |s| s.text("clientCert").map(Need::of));
    site.keep_arguments(said, name);
    Ok(())
}

/// By name.
const RECORD_ENGINES: [(&str, RecordEngine); 5] = [
    ("OWN", RecordEngine::Own),
    ("RUSTLS", RecordEngine::Rustls),
    ("KERNEL_TX", RecordEngine::KernelTx),
    ("KERNEL_RX", RecordEngine::KernelRx),
    ("KERNEL", RecordEngine::Kernel),
];

fn record_engine(engine: &RecordEngine) -> String {
    RECORD_ENGINES.iter().find(|(_, known)| known == engine).map_or("OWN", |(word, _)| word).to_owned()
}

fn print_tls(model: &Model, out: &mut Writer<'_>) {
    let default = VserverTls::default();
    for (name, front) in model.fronts() {
        out.line(Op::Set, &VSERVER, name)
            .word(name)
            .differs("tls12", &front.tls.tls12, &default.tls12, enabled)
            .differs("tls13", &front.tls.tls13, &default.tls13, enabled)
            .differs("sessReuse", &front.tls.resumption, &default.resumption, enabled)
            .differs("postQuantum", &front.tls.post_quantum, &default.post_quantum, enabled)
            .differs("maxRecord", &front.tls.records.most, &default.records.most, u16::to_string)
            .differs("recordRamp", &front.tls.records.ramp_bytes, &default.records.ramp_bytes, u32::to_string)
            .differs("recordEngine", &front.tls.engine, &default.engine, record_engine)
            .differs("clientAuth", &front.clients.asked, &false, enabled)
            .keyword_if("clientCert", front.clients.need.map(Need::word))
            .end();
    }
}

fn bind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let vserver = said.text("vServerName").unwrap_or_default();
    if rests(said, site) {
        return Ok(());
    }
    if site.model.front(vserver).is_none() {
        return Err(super::vpn::no_vserver(said, "vServerName", site.model));
    }
    if !said.kept.is_empty() {
        site.keep_line(said);
        return Ok(());
    }
    let what = one_of(said)?;
    if what == "cipherName" {
        return bind_cipher(said, site);
    } else if what == "eccCurveName" {
        return bind_curve(said, site);
    } else if said.has("CA") {
        return bind_authority(said, site);
    }
    if let Some(argument) = OF_AUTHORITIES.into_iter().find(|argument| said.has(argument)) {
        let cause = format!("-{argument} is said of those who issue certificates of clients");
        return Err(Note::new(Code::ArgumentMissing, said.place(argument), format!("-{argument}"), cause).cure("add -CA").into());
    }
    let name = served_certificate(said, "certkeyName", site.model)?;
    let place = said.place("certkeyName");
    let Some(front) = site.model.front_mut(vserver) else { return Err(incomplete(said)) };
    if said.has("SNICert") {
        if front.sni_certificates.contains(&name) {
            return Err(Note::new(Code::BindingExists, place, name.as_str(), "this certificate is bound here already").into());
        }
        if front.sni_certificates.len() >= SNI_CERTIFICATES_MAX {
            let cause = format!("a virtual server chooses from at most {SNI_CERTIFICATES_MAX} certificates");
            return Err(Note::new(Code::TooManyValues, place, name.as_str(), cause).into());
        }
        front.sni_certificates.push(name);
    } else if front.certificate.as_ref() == Some(&name) {
        return Err(Note::new(Code::BindingExists, place, name.as_str(), "this certificate is bound here already").into());
    } else if let Some(before) = front.certificate.replace(name.clone()) {
        let cause = format!("{name} takes the place of {before}");
        site.warn(Note::new(Code::Replaces, place, name.as_str(), cause).cure("bind one of them with -SNICert to have both"));
    }
    Ok(())
}

/// Binds one who issues certificates of clients.
fn bind_authority(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    if said.has("SNICert") {
        let cause = "a certificate is shown to clients with -SNICert, and judges theirs with -CA";
        let note = Note::new(Code::BothSpecified, said.place("SNICert"), "-SNICert", cause);
        return Err(note.cure("write two lines").into());
    }
    let place = said.place("certkeyName");
    let Some((name, _)) = site.model.certificates.row(said.text("certkeyName").unwrap_or_default()) else {
        return Err(no_certificate(said, "certkeyName", site.model));
    };
    let name = name.clone();
    let need = |argument: &str| said.text(argument).and_then(Need::of);
    let issuer = IssuerBinding {
        certificate: name.clone(),
        lists: need("crlCheck"),
        ocsp: need("ocspCheck"),
        unnamed: said.has("skipCAName"),
    };
    let Some(front) = site.model.front_mut(said.text("vServerName").unwrap_or_default()) else { return Err(incomplete(said)) };
    let bound = &mut front.clients.authorities;
    if bound.iter().any(|other| other.certificate == name) {
        return Err(Note::new(Code::BindingExists, place, name.as_str(), "this authority is bound here already").into());
    }
    if bound.len() >= AUTHORITIES_MAX {
        let cause = format!("a virtual server trusts at most {AUTHORITIES_MAX} authorities");
        return Err(Note::new(Code::TooManyValues, place, name.as_str(), cause).into());
    }
    if let Some(need) = issuer.ocsp {
        let what = match need {
            Need::Mandatory => "no certificate that it has issued is good here",
            Need::Optional => "it is as if none answered",
        };
        let note =
            Note::new(Code::NotImplemented, said.place("ocspCheck"), "-ocspCheck", format!("no OCSP server is asked: {what}"));
        site.warn(note.cure("-crlCheck Mandatory, with `add ssl crl`"));
    }
    let Some(front) = site.model.front_mut(said.text("vServerName").unwrap_or_default()) else { return Err(incomplete(said)) };
    front.clients.authorities.push(issuer);
    Ok(())
}

/// The one binding that a line is about.
fn one_of(said: &Said<'_>) -> Result<&'static str, Refused> {
    let mut named = ["certkeyName", "cipherName", "eccCurveName"].into_iter().filter(|argument| said.has(argument));
    let Some(first) = named.next() else {
        return Err(Note::new(Code::ArgumentMissing, said.span, "-certkeyName", "which certificate, cipher or curve?").into());
    };
    match named.next() {
        Some(second) => {
            let cause = format!("-{first} and -{second} are two bindings");
            Err(Note::new(Code::BothSpecified, said.place(second), format!("-{second}"), cause).cure("write two lines").into())
        }
        None if first != "certkeyName" && said.has("SNICert") => {
            let cause = format!("-SNICert is said of a certificate, not of -{first}");
            Err(Note::new(Code::BothSpecified, said.place("SNICert"), "-SNICert", cause).into())
        }
        None => Ok(first),
    }
}

/// Whether a name is meant as that of one suite, as the other product or IANA would write it.
fn names_a_suite(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    ["TLS", "SSL2-", "SSL3-"].iter().any(|prefix| upper.starts_with(prefix)) && upper.contains(['-', '_'])
}

/// The suite that is named; none if it is a group of them.
fn suite(said: &Said<'_>) -> Result<Option<Suite>, Refused> {
    let name = said.text("cipherName").unwrap_or_default();
    match Suite::find(name) {
        Some(suite) => Ok(Some(suite)),
        None if names_a_suite(name) => {
            let all: Vec<_> = Suite::ALL.iter().map(|suite| suite.name()).collect();
            let cause = format!("this suite is not offered; there are {}", all.join(", "));
            let mut note = Note::new(Code::InvalidValue, said.place("cipherName"), name, cause);
            note.cure = super::nearest(name, all).map(|near| format!("did you mean {near}?"));
            Err(note.into())
        }
        None => Ok(None),
    }
}

fn bind_cipher(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let place = said.place("cipherName");
    let Some(suite) = suite(said)? else {
        let name = said.text("cipherName").unwrap_or_default();
        let cause = "a group of suites is kept for printing back, without effect in this gateway";
        site.warn(Note::new(Code::NotImplemented, place, name, cause).cure("bind the suites one by one"));
        site.keep_line(said);
        return Ok(());
    };
    let vserver = said.text("vServerName").unwrap_or_default();
    let Some(vserver) = site.model.front_mut(vserver) else { return Err(incomplete(said)) };
    if vserver.ciphers.contains(&suite) {
        return Err(Note::new(Code::BindingExists, place, suite.name(), "this suite is bound here already").into());
    }
    vserver.ciphers.push(suite);
    Ok(())
}

fn bind_curve(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let place = said.place("eccCurveName");
    let name = said.text("eccCurveName").unwrap_or_default();
    let wanted: Vec<KeyGroup> = if name == "ALL" { KeyGroup::ALL.to_vec() } else { KeyGroup::find(name).into_iter().collect() };
    if wanted.is_empty() {
        let cause = "this curve is kept for printing back, without effect in this gateway";
        site.warn(Note::new(Code::NotImplemented, place, name, cause));
        site.keep_line(said);
        return Ok(());
    }
    let vserver = said.text("vServerName").unwrap_or_default();
    let Some(vserver) = site.model.front_mut(vserver) else { return Err(incomplete(said)) };
    let new: Vec<KeyGroup> = wanted.into_iter().filter(|group| !vserver.curves.contains(group)).collect();
    if new.is_empty() {
        return Err(Note::new(Code::BindingExists, place, name, "this curve is bound here already").into());
    }
    vserver.curves.extend(new);
    Ok(())
}

fn unbind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let what = one_of(said)?;
    let vserver = said.text("vServerName").unwrap_or_default();
    let name = said.text(what).unwrap_or_default();
    let suite = if what == "cipherName" { suite(said)? } else { None };
    if site.model.front(vserver).is_none() && site.model.authentication.vservers.has(vserver) {
        return site.unkeep_line(said);
    }
    let Some(vserver) = site.model.front_mut(vserver) else {
        return Err(super::vpn::no_vserver(said, "vServerName", site.model));
    };
    let bound = vserver.ciphers.len() + vserver.curves.len();
    if what == "cipherName" {
        vserver.ciphers.retain(|other| Some(*other) != suite);
    } else if what == "eccCurveName" {
        let group = KeyGroup::find(name);
        vserver.curves.retain(|other| name != "ALL" && Some(*other) != group);
    }
    if what != "certkeyName" {
        if vserver.ciphers.len() + vserver.curves.len() == bound {
            return Err(Note::new(Code::NoSuchResource, said.place(what), name, "it is not bound here").into());
        }
        return Ok(());
    }
    let is = |other: &CertKeyName| other.as_str() == name;
    if said.has("CA") {
        let bound = &mut vserver.clients.authorities;
        let Some(at) = bound.iter().position(|issuer| is(&issuer.certificate)) else {
            let cause = "it is not bound here with -CA";
            return Err(Note::new(Code::NoSuchResource, said.place("certkeyName"), name, cause).into());
        };
        bound.remove(at);
    } else if said.has("SNICert") && vserver.sni_certificates.iter().any(is) {
        vserver.sni_certificates.retain(|other| !is(other));
    } else if !said.has("SNICert") && vserver.certificate.as_ref().is_some_and(is) {
        vserver.certificate = None;
    } else {
        return Err(Note::new(Code::NoSuchResource, said.place("certkeyName"), name, "it is not bound here").into());
    }
    Ok(())
}

fn print_bind(model: &Model, out: &mut Writer<'_>) {
    for (name, front) in model.fronts() {
        if let Some(certificate) = &front.certificate {
            out.line(Op::Bind, &VSERVER, name).word(name).keyword("certkeyName", certificate).end();
        }
        for certificate in &front.sni_certificates {
            out.line(Op::Bind, &VSERVER, name).word(name).keyword("certkeyName", certificate).switch("SNICert").end();
        }
        for issuer in &front.clients.authorities {
            let line = out.line(Op::Bind, &VSERVER, name).word(name).keyword("certkeyName", &issuer.certificate).switch("CA");
            let line = line.keyword_if("crlCheck", issuer.lists.map(Need::word));
            let line = line.keyword_if("ocspCheck", issuer.ocsp.map(Need::word));
            let line = if issuer.unnamed { line.switch("skipCAName") } else { line };
            line.end();
        }
        for suite in &front.ciphers {
            out.line(Op::Bind, &VSERVER, name).word(name).keyword("cipherName", suite.name()).end();
        }
        for group in &front.curves {
            out.line(Op::Bind, &VSERVER, name).word(name).keyword("eccCurveName", group.name()).end();
        }
    }
}
