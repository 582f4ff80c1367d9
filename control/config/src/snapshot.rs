//! Model and files to what the workers need: the last step of a configuration's way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sluice_link::id::{ListenerId, SnapshotId};
use sluice_link::snapshot::{
    Asked, Authority, CertKey, Cgp, Clients, HostTlsProfile, Listener, Rates, Revocation, Snapshot, Tls,
};
use thiserror::Error;

use crate::files::Loaded;
use crate::model::{
    self, AuthnVserverName, CertKeyName, Crl, CrlName, DeviceCertificates, Front, IssuerBinding, Model, Need, VserverName,
};

/// Numbers of virtual servers. A name keeps its number as long as this lives, and no number is ever given twice, so that a message
/// about a virtual server that is gone cannot be taken for one about another.
#[derive(Clone, Debug, Default)]
pub struct ListenerIds {
    by_name: BTreeMap<VserverName, ListenerId>,
    /// Those of authentication virtual servers.
    of_logins: BTreeMap<AuthnVserverName, ListenerId>,
    given: u32,
}

impl ListenerIds {
    /// The number of a virtual server.
    #[must_use]
    pub fn find(&self, name: &VserverName) -> Option<ListenerId> {
        self.by_name.get(name).copied()
    }

    /// Forgets virtual servers that `model` has not. One that is made later under the same name gets a number of its own, so that
    /// what is still said about the old one is not taken for the new one's.
    pub fn keep_only(&mut self, model: &Model) {
        self.by_name.retain(|name, _| model.vservers.has(name.as_str()));
        self.of_logins.retain(|name, _| model.authentication.vservers.has(name.as_str()));
    }

    fn of(&mut self, name: &VserverName) -> ListenerId {
        let Self { by_name, given, .. } = self;
        *by_name.entry(name.clone()).or_insert_with(|| next(given))
    }

    fn of_logins(&mut self, name: &AuthnVserverName) -> ListenerId {
        let Self { of_logins, given, .. } = self;
        *of_logins.entry(name.clone()).or_insert_with(|| next(given))
    }
}

fn next(given: &mut u32) -> ListenerId {
    let id = ListenerId(*given);
    // 2³² virtual servers are not made in the life of a process.
    *given = given.saturating_add(1);
    id
}

/// A file is missing that the model names: it was not loaded with the model. Ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name} needs {path}, which was not loaded with this configuration")]
pub struct NotLoaded {
    /// Which certificate or profile.
    pub name: String,
    /// Which file.
    pub path: String,
}

/// Everything that workers need to know of `model`. Virtual servers that are not to be served are left out.
///
/// # Errors
/// [`NotLoaded`] if `files` are not those that came with the model.
pub fn snapshot(model: &Model, files: &Loaded, id: SnapshotId, ids: &mut ListenerIds) -> Result<Snapshot, NotLoaded> {
    let mut listeners = Vec::new();
    for (name, vserver) in model.vservers.iter().filter(|(_, vserver)| model.serves(vserver)) {
        listeners.push(Listener {
            id: ids.of(name),
            name: name.to_string(),
            address: vserver.address,
            tls: tls(model, files, &vserver.front, &vserver.devices)?,
            cgp: vserver.cgp,
            rates: vserver.rates,
        });
    }
    for (name, vserver) in model.authentication.vservers.iter() {
        let Some(address) = model.listens(name.as_str(), vserver) else { continue };
        listeners.push(Listener {
            id: ids.of_logins(name),
            name: name.to_string(),
            address,
            tls: tls(model, files, &vserver.front, &DeviceCertificates::default())?,
            cgp: Cgp::Reject,
            rates: Rates::default(),
        });
    }
    let mut host_tls = Vec::with_capacity(model.farm.host_tls.len());
    for (name, profile) in model.farm.host_tls.iter() {
        let roots = files.certificate(&profile.roots).ok_or_else(|| not_loaded(name.as_str(), &profile.roots))?;
        host_tls.push(HostTlsProfile { id: name.as_str().into(), roots_pem: Arc::clone(roots) });
    }
    Ok(Snapshot { id, listeners, inner: model.paths.inner_socket.clone(), host_tls, limits: model.limits })
}

fn tls(model: &Model, files: &Loaded, front: &Front, devices: &DeviceCertificates) -> Result<Tls, NotLoaded> {
    let names = front.certificate.iter().chain(&front.sni_certificates);
    let certificates = names.map(|name| cert_key(model, files, name)).collect::<Result<_, _>>()?;
    Ok(Tls {
        certificates,
        tls12: front.tls.tls12,
        tls13: front.tls.tls13,
        post_quantum: front.tls.post_quantum,
        resumption: front.tls.resumption,
        suites: front.ciphers.clone(),
        groups: front.curves.clone(),
        records: front.tls.records,
        engine: front.tls.engine,
        clients: clients(model, files, front, devices)?,
    })
}

/// Whose certificates are asked for at a virtual server, and by whom they are judged.
///
/// # Errors
/// [`NotLoaded`] if `files` are not those that came with the model.
pub fn clients(model: &Model, files: &Loaded, front: &Front, devices: &DeviceCertificates) -> Result<Clients, NotLoaded> {
    let authority = |name: &CertKeyName, bound: Option<&IssuerBinding>| {
        let nothing = || NotLoaded { name: name.to_string(), path: String::new() };
        let pair = model.certificates.find(name.as_str()).ok_or_else(nothing)?;
        let pem = files.certificate(&pair.certificate).ok_or_else(|| not_loaded(name.as_str(), &pair.certificate))?;
        let revocation = match bound.map(|bound| (bound.ocsp, bound.lists)) {
            // No server is asked.
            Some((Some(Need::Mandatory), _)) => Revocation::Unanswered,
            Some((_, Some(Need::Mandatory))) => Revocation::Mandatory,
            Some((_, Some(Need::Optional))) => Revocation::Optional,
            Some((_, None)) | None => Revocation::Ignored,
        };
        Ok(Authority {
            name: name.to_string(),
            pem: Arc::clone(pem),
            revocation,
            named: !bound.is_some_and(|bound| bound.unnamed),
        })
    };
    let bound = |name: &CertKeyName| front.clients.authorities.iter().find(|issuer| issuer.certificate == *name);
    let asked = match (front.clients.asked, front.clients.need) {
        (false, _) => Asked::Nobody,
        (true, Some(Need::Optional)) => Asked::Optional,
        (true, Some(Need::Mandatory) | None) => Asked::Mandatory,
    };
    let issuers = front.clients.authorities.iter().filter(|_| asked != Asked::Nobody);
    let authorities = issuers.map(|issuer| authority(&issuer.certificate, Some(issuer))).collect::<Result<Vec<_>, _>>()?;
    let devices = devices.authorities.iter().map(|name| authority(name, bound(name))).collect::<Result<Vec<_>, _>>()?;
    let looks = authorities.iter().chain(&devices).any(|authority| authority.revocation != Revocation::Ignored);
    let lists = model.crls.iter().filter(|_| looks);
    let list =
        |(name, list): (&CrlName, &Crl)| files.list(&list.file).cloned().ok_or_else(|| not_loaded(name.as_str(), &list.file));
    Ok(Clients { asked, authorities, devices, revoked: lists.map(list).collect::<Result<_, _>>()? })
}

/// A certificate with its key, as loaded; also for the farm's inside listeners.
///
/// # Errors
/// [`NotLoaded`] if `files` are not those that came with the model.
pub fn cert_key(model: &Model, files: &Loaded, name: &CertKeyName) -> Result<CertKey, NotLoaded> {
    let nothing = || NotLoaded { name: name.to_string(), path: String::new() };
    let pair = model.certificates.find(name.as_str()).ok_or_else(nothing)?;
    let key = pair.key.as_deref().ok_or_else(nothing)?;
    let chain_pem = chain(model, files, name)?;
    let key_pem = files.key(key).ok_or_else(|| not_loaded(name.as_str(), key))?;
    Ok(CertKey { name: name.to_string(), chain_pem, key_pem: Arc::clone(key_pem) })
}

/// A certificate with those that it is linked to.
fn chain(model: &Model, files: &Loaded, name: &CertKeyName) -> Result<Arc<[u8]>, NotLoaded> {
    let of = |name: &CertKeyName, pair: &model::CertKey| {
        files.certificate(&pair.certificate).ok_or_else(|| not_loaded(name.as_str(), &pair.certificate))
    };
    let parts = model.chain(name.as_str()).map(|(name, pair)| of(name, pair)).collect::<Result<Vec<_>, _>>()?;
    if let [alone] = parts.as_slice() {
        return Ok(Arc::clone(alone));
    }
    let mut whole = Vec::new();
    for part in parts {
        if !whole.is_empty() && !whole.ends_with(b"\n") {
            whole.push(b'\n');
        }
        whole.extend_from_slice(part);
    }
    Ok(whole.into())
}

fn not_loaded(name: &str, path: &Path) -> NotLoaded {
    NotLoaded { name: name.to_owned(), path: path.display().to_string() }
}
