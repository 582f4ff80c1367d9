//! What only shows when all lines have been read. Most of it is warnings: each line by itself is right.

use crate::catalog::{Feature, Note};
use crate::code::Code;
use crate::lower::Origins;
use crate::model::{Denied, Model, Vserver, VserverName};
use crate::problem::{Place, Severity};
use crate::text::lex::Span;
use sluice_link::snapshot::Tls;

mod certificates;
mod logins;

type Report<'r> = &'r mut dyn FnMut(Severity, Note, Option<Place>);

pub(crate) fn whole(model: &Model, origins: &Origins, report: Report<'_>) {
    features(model, origins, report);
    logins::judge(model, origins, report);
    certificates::judge(model, origins, report);
    for (name, vserver) in model.vservers.iter().filter(|(_, vserver)| vserver.enabled) {
        served(model, name, vserver, origins, report);
    }
    dialled(model, origins, report);
    reached(model, origins, report);
}

fn warn(report: Report<'_>, place: Option<Place>, note: Note) {
    report(Severity::Warning, note, place);
}

fn features(model: &Model, origins: &Origins, report: Report<'_>) {
    for (feature, place) in origins.features() {
        let (on, rests) = match feature {
            Feature::SslVpn => (model.features.ssl_vpn, "virtual servers are not served"),
            Feature::Aaa => (model.features.aaa, "users cannot log in"),
        };
        if !on {
            let word = feature.word();
            let note = Note::new(Code::FeatureOff, Span::default(), word, format!("until {word} is enabled, {rests}"));
            warn(report, Some(place), note.cure(format!("enable ns feature {word}")));
        }
    }
}

fn served(model: &Model, name: &VserverName, vserver: &Vserver, origins: &Origins, report: Report<'_>) {
    let place = || origins.object("vpn vserver", name.as_str());
    if vserver.front.certificate.is_none() {
        let cause = "without a certificate this virtual server is not served";
        let note = Note::new(Code::NoCertificate, Span::default(), name.as_str(), cause);
        warn(report, place(), note.cure(format!("bind ssl vserver {name} -certkeyName NAME")));
    }
    let tls = Tls {
        tls12: vserver.front.tls.tls12,
        tls13: vserver.front.tls.tls13,
        suites: vserver.front.ciphers.clone(),
        groups: vserver.front.curves.clone(),
        ..Tls::default()
    };
    if !tls.speaks(false) && !tls.speaks(true) {
        let cause = "no version that is enabled has a cipher suite and a curve that are bound, so no client could connect";
        let note = Note::new(Code::InvalidArgument, Span::default(), name.as_str(), cause);
        report(Severity::Error, note.cure(format!("bind ssl vserver {name} -cipherName NAME")), place());
    }
    if model.stas_of(vserver).is_empty() {
        let cause = "without a ticket authority no ticket can be redeemed here";
        let note = Note::new(Code::PrerequisiteMissing, Span::default(), name.as_str(), cause);
        warn(report, place(), note.cure(format!("bind vpn vserver {name} -staServer URL")));
    }
}

/// A virtual server that may connect to nothing.
fn dialled(model: &Model, origins: &Origins, report: Report<'_>) {
    let launches = model.vservers.iter().find(|(_, vserver)| !model.stas_of(vserver).is_empty());
    if let (Some((name, _)), true) = (launches, model.allowed_hosts.is_empty()) {
        let cause = "no host is allowed, so no ticket leads anywhere";
        let note = Note::new(Code::PrerequisiteMissing, Span::default(), name.as_str(), cause);
        let place = origins.object("vpn vserver", name.as_str());
        warn(report, place, note.cure("add vpn allowedHost NAME NETWORK -port 1494"));
    }
}

/// Resources whose launch will be refused.
fn reached(model: &Model, origins: &Origins, report: Report<'_>) {
    // With no entry at all there is one warning about that.
    if model.allowed_hosts.is_empty() {
        return;
    }
    let list = model.allow_list();
    for (name, resource) in model.farm.resources.iter() {
        let Some(address) = resource.host.address() else { continue };
        let Err(denied) = list.check(address) else { continue };
        let cure = match denied {
            Denied::NotListed => Some(format!("add vpn allowedHost NAME {} -port {}", address.ip(), address.port())),
            Denied::NotAHost if address.ip().is_loopback() => {
                Some("see -allowLoopback of `add vpn allowedHost`, and its risk".to_owned())
            }
            Denied::NotAHost | Denied::Own => None,
        };
        let cause = format!("its launches will be refused: {denied}");
        let mut note = Note::new(Code::PrerequisiteMissing, Span::default(), format!("{name} at {address}"), cause);
        note.cure = cure;
        warn(report, origins.object("farm resource", name.as_str()), note);
    }
}
