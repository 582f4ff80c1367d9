//! Directories that are real, and such as no directory should be.

mod hostile;
mod real;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gate_config::model::Host;
use gate_config::model::authentication::{Ldap, LdapSecurity, LdapServerType};
use secrecy::SecretString;
use sluicegate_tests::directory::{BASE, SERVICE, SERVICE_PASSWORD};

use super::Directory;
use crate::helpers::Helpers;

/// The action for the directory at `at`, as the kit's is made.
fn settings(at: SocketAddr, security: LdapSecurity) -> Ldap {
    Ldap {
        port: at.port(),
        base: Some(BASE.into()),
        bind_dn: Some(SERVICE.into()),
        login_name: Some("uid".into()),
        security,
        server_type: LdapServerType::Novell,
        group_attribute: Some("memberOf".into()),
        sub_attribute: Some("cn".into()),
        // Machines that run tests are slow at times, and nobody's verdict hangs on it.
        timeout: Duration::from_secs(5),
        ..Ldap::new(Host::Ip(at.ip()))
    }
}

fn directory(settings: &Ldap, roots_pem: Option<&str>) -> Directory {
    let password = settings.bind_dn.is_some().then(|| SecretString::from(SERVICE_PASSWORD));
    Directory::new("test", settings, password, roots_pem.map(str::as_bytes), Arc::new(Helpers::new())).unwrap()
}

fn secret(text: &str) -> SecretString {
    text.into()
}
