//! The endpoint agent for users who lack it: packages that the operator has put beside the configuration.
//!
//! ```text
//!   folder ── with the configuration, on a helper thread ─► Agents: bytes, SHA-256 ─► page: name, size, digits
//!                                                                                └─► /epa/scripts/linux/NAME
//! ```
//!
//! They are in memory once, however many load them, and no request opens a file. Which files there are is fixed; what is in a request is
//! compared with these names and never becomes a path.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use gate_config::files::Loaded;
use gate_config::model::Model;
use gate_proto::sha256;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, StatusCode};

use super::pages;
use crate::http::Reply;

/// A package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Package {
    /// For Debian and its relatives; named as NetScaler names its own.
    Deb,
    /// The program alone.
    Program,
    /// With desktop file and icon.
    Archive,
}

impl Package {
    /// All, the one that installs itself first.
    pub(crate) const ALL: [Self; 3] = [Self::Deb, Self::Archive, Self::Program];

    /// Its file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Deb => "nsepa.deb",
            Self::Program => "sluice-epa",
            Self::Archive => "sluice-epa.tar.gz",
        }
    }

    /// Where browsers find it.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Deb => "/epa/scripts/linux/nsepa.deb",
            Self::Program => "/epa/scripts/linux/sluice-epa",
            Self::Archive => "/epa/scripts/linux/sluice-epa.tar.gz",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Deb => "application/vnd.debian.binary-package",
            Self::Program => "application/octet-stream",
            Self::Archive => "application/gzip",
        }
    }
}

/// One that is there.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) package: Package,
    /// As it was loaded, to see whether it still is that one.
    loaded: Arc<[u8]>,
    /// The same bytes.
    body: Bytes,
    /// In hexadecimal digits.
    pub(crate) sha256: String,
}

/// All that are there.
#[derive(Clone, Default)]
pub(crate) struct Agents(Vec<Agent>);

impl Agents {
    /// What the configuration has. Those that are as `before` are not looked at again. Takes its time: for the start or a helper thread.
    pub(crate) fn of(model: &Model, files: &Loaded, before: Option<&Self>) -> Self {
        let Some(folder) = &model.vpn.agents else { return Self::default() };
        let load = |package: Package| {
            let loaded = files.agent(&folder.join(Path::new(package.name())))?;
            let known = before.and_then(|before| before.find(package)).filter(|known| Arc::ptr_eq(&known.loaded, loaded));
            Some(known.cloned().unwrap_or_else(|| Agent {
                package,
                loaded: loaded.clone(),
                body: Bytes::from_owner(loaded.clone()),
                sha256: sha256::hex(loaded),
            }))
        };
        Self(Package::ALL.into_iter().filter_map(load).collect())
    }

    pub(crate) fn all(&self) -> &[Agent] {
        &self.0
    }

    fn find(&self, package: Package) -> Option<&Agent> {
        self.0.iter().find(|agent| agent.package == package)
    }

    /// The file. `None`: it is not there.
    pub(super) fn reply(&self, package: Package, headers: &HeaderMap) -> Option<Reply> {
        let agent = self.find(package)?;
        let tag = format!("\"{}\"", agent.sha256);
        let has_it = headers.get_all(IF_NONE_MATCH).iter().any(|tags| tags.to_str().is_ok_and(|tags| tags.contains(&tag)));
        let mut reply = pages::bare(if has_it { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
        let fields = reply.headers_mut();
        if !has_it {
            fields.insert(CONTENT_TYPE, HeaderValue::from_static(package.content_type()));
        }
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        fields.extend(HeaderValue::from_str(&tag).map(|tag| (ETAG, tag)));
        let attached = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", package.name()));
        fields.extend(attached.map(|attached| (CONTENT_DISPOSITION, attached)));
        if !has_it {
            *reply.body_mut() = Full::new(agent.body.clone());
        }
        Some(reply)
    }
}

impl Agent {
    /// Its length, as people read it.
    pub(super) fn size(&self) -> String {
        const KIB: usize = 1024;
        const MIB: usize = KIB * KIB;
        let tenths = self.body.len() * 10 / MIB;
        if tenths < 10 {
            format!("{} KiB", self.body.len().div_ceil(KIB))
        } else {
            format!("{}.{} MiB", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use gate_config::files::AGENT_FILES;

    use super::*;

    fn agent(package: Package, bytes: &[u8]) -> Agent {
        let loaded: Arc<[u8]> = bytes.into();
        Agent { package, body: Bytes::from_owner(loaded.clone()), loaded, sha256: sha256::hex(bytes) }
    }

    #[test]
    fn each_file_of_the_folder_has_its_place() {
        for name in AGENT_FILES {
            assert!(Package::ALL.iter().any(|package| package.name() == name && package.path().ends_with(&format!("/{name}"))));
        }
        assert_eq!(Package::ALL.len(), AGENT_FILES.len());
    }

    #[test]
    fn a_package_is_kept_and_not_shown() {
        let agents = Agents(vec![agent(Package::Program, b"\x7fELF")]);
        let whole = agents.reply(Package::Program, &HeaderMap::new()).unwrap();
        let tag = whole.headers().get("etag").unwrap().clone();
        for (name, value) in [
            ("content-type", "application/octet-stream"),
            ("content-disposition", "attachment; filename=\"sluice-epa\""),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "private, no-cache"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
        ] {
            assert_eq!(whole.headers().get(name).unwrap(), value, "{name}");
        }
        let mut asks = HeaderMap::new();
        asks.insert(IF_NONE_MATCH, tag);
        assert_eq!(agents.reply(Package::Program, &asks).unwrap().status(), StatusCode::NOT_MODIFIED);
        assert!(agents.reply(Package::Deb, &HeaderMap::new()).is_none());
    }

    #[test]
    fn sizes_are_for_people() {
        for (bytes, size) in [(4, "1 KiB"), (400_000, "391 KiB"), (1 << 20, "1.0 MiB"), (2_700_000, "2.5 MiB")] {
            assert_eq!(agent(Package::Deb, &vec![0; bytes]).size(), size);
        }
    }
}
