//! From the model to what the workers get.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gate_config::files::Loaded;
use gate_config::{ListenerIds, NotLoaded, cert_key, snapshot};
use sluice_link::id::{ListenerId, SnapshotId};
use sluice_link::snapshot::{Cgp, Limits, Rates};

use crate::kit::{strict, told};

const TEXT: &str = "\
enable ns feature SSLVPN
set ns config -innerSocket /tmp/inner.sock
set ns limits -idleTimeoutMs 60000
set ns worker -sessions 100
add ssl certKey one -cert one.pem -key one.key
add ssl certKey two -cert two.pem -key two.key
add vpn vserver a SSL 192.0.2.1 443 -cgp RELAY -sessionRateDown 8000 -rateUp 1
add vpn vserver off SSL 192.0.2.2 443 -state DISABLED
add vpn vserver bare SSL 192.0.2.3 443
add vpn vserver b SSL :: 8443
set ssl vserver b -tls12 DISABLED -postQuantum DISABLED -sessReuse DISABLED
bind ssl vserver a -certkeyName one
bind ssl vserver a -certkeyName two -SNICert
bind ssl vserver off -certkeyName one
bind ssl vserver b -certkeyName two
add farm hostTls p -address 10.0.0.0/8 -CACert roots.pem
";

#[test]
fn workers_get_what_is_to_be_served() {
    let checked = strict(TEXT);
    let model = checked.model.as_ref().unwrap_or_else(|| panic!("{}", told(&checked)));
    let mut ids = ListenerIds::default();
    let made = snapshot(model, &checked.files, SnapshotId(7), &mut ids).unwrap();
    assert_eq!(made.id, SnapshotId(7));
    assert_eq!(made.inner, Path::new("/tmp/inner.sock"));
    let expected = Limits { idle: Some(Duration::from_secs(60)), sessions_per_worker: 100, ..Limits::default() };
    assert_eq!(made.limits, expected);
    assert_eq!(made.host_tls.iter().map(|p| &*p.id.0).collect::<Vec<_>>(), ["p"]);
    assert!(made.host_tls[0].roots_pem.starts_with(b"-----BEGIN CERTIFICATE-----\nroots.pem"));

    let names: Vec<_> = made.listeners.iter().map(|l| (l.name.as_str(), l.id, l.cgp)).collect();
    assert_eq!(names, [("a", ListenerId(0), Cgp::Relay), ("b", ListenerId(1), Cgp::Reject)]);
    let rates = made.listeners[0].rates;
    assert_eq!((rates.session.up, rates.session.down.map(NonZeroU64::get)), (None, Some(1_000_000)), "8 Mbit/s");
    assert_eq!((rates.together.up.map(NonZeroU64::get), rates.together.down), (Some(125), None));
    assert_eq!(made.listeners[1].rates, Rates::default());
    let certificates: Vec<_> = made.listeners[0].tls.certificates.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(certificates, ["one", "two"]);
    let tls = &made.listeners[1].tls;
    assert_eq!((tls.tls12, tls.tls13, tls.post_quantum, tls.resumption), (false, true, false, false));
    assert!(tls.certificates[0].key_pem.starts_with(b"-----BEGIN PRIVATE KEY-----\ntwo.key"));
}

#[test]
fn a_virtual_server_keeps_its_number_and_no_number_comes_back() {
    let mut ids = ListenerIds::default();
    let mut numbers = |text: &str| {
        let checked = strict(text);
        let made = snapshot(&checked.model.unwrap(), &checked.files, SnapshotId(1), &mut ids).unwrap();
        made.listeners.iter().map(|l| (l.name.clone(), l.id.0)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(TEXT), [("a".to_owned(), 0), ("b".to_owned(), 1)]);
    assert_eq!(numbers(&format!("{TEXT}rm vpn vserver a\n")), [("b".to_owned(), 1)]);
    assert_eq!(
        numbers(&format!("{TEXT}rm vpn vserver a\nenable vpn vserver off\n")),
        [("off".to_owned(), 2), ("b".to_owned(), 1)]
    );
    assert_eq!(numbers(TEXT), [("a".to_owned(), 0), ("b".to_owned(), 1)]);
}

#[test]
fn without_the_feature_nothing_is_served() {
    let checked = strict(&TEXT.replace("enable ns feature SSLVPN\n", ""));
    assert!(told(&checked).contains("warning 1067: Feature(s) not enabled [SSLVPN]"), "{}", told(&checked));
    let made = snapshot(&checked.model.unwrap(), &checked.files, SnapshotId(1), &mut ListenerIds::default()).unwrap();
    assert_eq!(made.listeners, []);
}

#[test]
fn files_of_another_configuration_are_noticed() {
    let model = strict(TEXT).model.unwrap();
    let refused = snapshot(&model, &Loaded::default(), SnapshotId(1), &mut ListenerIds::default()).unwrap_err();
    assert_eq!(refused, NotLoaded { name: "one".into(), path: PathBuf::from("one.pem").display().to_string() });
}

#[test]
fn a_certificate_for_an_inside_listener() {
    let checked = strict("add ssl certKey c -cert c.pem -key c.key\nadd farm server s 127.0.0.1 0 -certkeyName c\n");
    let model = checked.model.unwrap();
    let name = model.farm.servers.find("s").unwrap().certificate.clone().unwrap();
    assert!(cert_key(&model, &checked.files, &name).unwrap().chain_pem.starts_with(b"-----BEGIN CERTIFICATE-----\nc.pem"));
}
