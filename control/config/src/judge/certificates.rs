//! Certificates of clients: who is asked in vain, and who is trusted by nobody.

use std::collections::BTreeSet;

use crate::catalog::Note;
use crate::code::Code;
use crate::flow::{Flow, To};
use crate::lower::Origins;
use crate::model::authentication::Action;
use crate::model::{Front, Model, Need};
use crate::text::lex::Span;

use super::{Report, warn};

pub(super) fn judge(model: &Model, origins: &Origins, report: Report<'_>) {
    for (name, front) in model.fronts() {
        asked(model, name, front, origins, report);
    }
    for (name, vserver) in model.authentication.vservers.iter() {
        let Some(address) = vserver.address.filter(|_| model.listens(name.as_str(), vserver).is_none()) else { continue };
        let (cause, cure) = if model.vservers.has(name.as_str()) && vserver.front.clients.asked {
            ("a vpn vserver has its name, so it does not listen", "give it another name".to_owned())
        } else if vserver.front.clients.asked && vserver.front.certificate.is_none() {
            ("without a certificate of its own it asks nobody for one", format!("bind ssl vserver {name} -certkeyName NAME"))
        } else if vserver.front.clients.asked {
            continue;
        } else {
            (
                "an authentication virtual server listens only to ask for certificates: users reach it through virtual servers with -authnProfile",
                format!("set ssl vserver {name} -clientAuth ENABLED, or leave the address out"),
            )
        };
        let note = Note::new(Code::NotImplemented, Span::default(), format!("{name} at {address}"), cause);
        warn(report, origins.object("authentication vserver", name.as_str()), note.cure(cure));
    }
    factors(model, origins, report);
    cascades(model, origins, report);
}

/// A virtual server that asks for certificates.
fn asked(model: &Model, name: &str, front: &Front, origins: &Origins, report: Report<'_>) {
    let place = || {
        let own = origins.object("vpn vserver", name);
        own.or_else(|| origins.object("authentication vserver", name))
    };
    let clients = &front.clients;
    if clients.asked && clients.authorities.iter().all(|issuer| issuer.ocsp == Some(Need::Mandatory)) {
        let cause = "it asks for certificates and trusts nobody who issues them, so that none is good";
        let note = Note::new(Code::PrerequisiteMissing, Span::default(), name, cause);
        warn(report, place(), note.cure(format!("bind ssl vserver {name} -certkeyName AUTHORITY -CA")));
    }
    let must = clients.authorities.iter().find(|issuer| issuer.lists == Some(Need::Mandatory));
    if let Some(issuer) = must.filter(|_| model.crls.is_empty()) {
        let cause = format!(
            "{} needs a list of revoked certificates, and there is none: no certificate of it is good",
            issuer.certificate
        );
        let note = Note::new(Code::PrerequisiteMissing, Span::default(), name, cause);
        warn(report, place(), note.cure("add ssl crl NAME FILE"));
    }
    let devices = model.vservers.find(name).map(|vserver| vserver.devices.authorities.as_slice()).unwrap_or_default();
    let shared = clients.authorities.iter().find(|issuer| devices.contains(&issuer.certificate));
    if let Some(issuer) = shared.filter(|_| clients.asked) {
        let cause = format!(
            "{} issues the certificates of machines, and with -clientAuth ENABLED those of users, too",
            issuer.certificate
        );
        let note = Note::new(Code::InvalidArgument, Span::default(), name, cause);
        warn(report, place(), note.cure("ask users at an authentication vserver with an address and authorities of its own"));
    }
}

/// Factors that want a certificate for which nobody asks.
fn factors(model: &Model, origins: &Origins, report: Report<'_>) {
    let mut told = BTreeSet::new();
    for (name, vserver) in model.vservers.iter() {
        let profile = vserver.authn_profile.as_ref().and_then(|profile| model.authentication.profiles.find(profile.as_str()));
        let Some(profile) = profile else { continue };
        let Some(flow) = Flow::of(&model.authentication, profile.vserver.as_str()) else { continue };
        let edges = flow.nodes.iter().flat_map(|node| &node.edges).filter(|edge| edge.reached);
        let certificates = edges.filter_map(|edge| match model.authentication.actions.find(edge.action.as_str()) {
            Some(Action::Cert(cert)) => Some((edge, cert)),
            Some(_) | None => None,
        });
        for (edge, cert) in certificates {
            let place = || origins.object("authentication certAction", edge.action.as_str());
            if model.asked_at(vserver).is_none() && told.insert((name.clone(), edge.action.clone())) {
                let cause = format!("users of {name} are asked for a certificate nowhere, so this fails");
                let note = Note::new(Code::PrerequisiteMissing, Span::default(), edge.action.as_str(), cause);
                let cure = format!(
                    "give authentication vserver {} an address, then: set ssl vserver {} -clientAuth ENABLED -clientCert Optional",
                    profile.vserver, profile.vserver
                );
                warn(report, place(), note.cure(cure));
            }
            if cert.two_factor && edge.success == To::LoggedIn {
                let cause = "-twoFactor ON wants something else behind it, and there is no next factor: nobody comes through";
                let note = Note::new(Code::PrerequisiteMissing, Span::default(), edge.policy.as_str(), cause);
                warn(report, place(), note.cure("bind it with -nextFactor, or set -twoFactor OFF"));
            }
        }
    }
}

/// Cascades of a virtual server that want a certificate, which can come on its own connection only.
fn cascades(model: &Model, origins: &Origins, report: Report<'_>) {
    for (name, vserver) in model.vservers.iter().filter(|(_, vserver)| vserver.authn_profile.is_none()) {
        let policies = vserver.admission.policies.iter().filter_map(|b| model.authentication.policies.find(b.policy.as_str()));
        let mut actions = policies.map(|policy| &policy.action);
        let wants = actions.find(|action| matches!(model.authentication.actions.find(action.as_str()), Some(Action::Cert(_))));
        if let (Some(action), None) = (wants, model.asked_at(vserver)) {
            let cause = format!("users of {name} are asked for a certificate nowhere, so this fails");
            let note = Note::new(Code::PrerequisiteMissing, Span::default(), action.as_str(), cause);
            let place = origins.object("authentication certAction", action.as_str());
            warn(report, place, note.cure(format!("set ssl vserver {name} -clientAuth ENABLED -clientCert Optional")));
        }
    }
}
