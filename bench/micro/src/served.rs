//! What the benchmarks with TLS share: a snapshot that trusts itself, and the sizes that are measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use sluice_flow::tls::{Served, TicketKeys};
use sluice_link::id::{ListenerId, SnapshotId};
use sluice_link::snapshot::{CertKey, Cgp, HostTlsProfile, Limits, Listener, Rates, RecordEngine, Snapshot, Tls};
use sluice_link::time::Moment;
use zeroize::Zeroizing;

/// A key stroke's, a full segment's and a full record's bytes.
pub(crate) const SIZES: [(usize, &str); 3] = [(64, "64 B"), (1460, "1460 B"), (16 * 1024, "16 KiB")];
/// The one virtual server.
pub(crate) const LISTENER: ListenerId = ListenerId(1);
/// What its certificate is for.
pub(crate) const NAME: &str = "host.example.test";

/// A listener and a profile for hosts that trust each other.
pub(crate) fn served() -> Served {
    served_by(RecordEngine::Own)
}

/// The same, where the listener's records are `engine`'s.
#[expect(clippy::expect_used, reason = "a benchmark that cannot make its own certificate has nothing to measure")]
pub(crate) fn served_by(engine: RecordEngine) -> Served {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
    let chain_pem: Arc<[u8]> = made.cert.pem().into_bytes().into();
    let key_pem = Arc::new(Zeroizing::new(made.signing_key.serialize_pem().into_bytes()));
    let listener = Listener {
        id: LISTENER,
        name: "micro".into(),
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        tls: Tls {
            certificates: vec![CertKey { name: "micro".into(), chain_pem: Arc::clone(&chain_pem), key_pem }],
            tls12: false,
            tls13: true,
            post_quantum: false,
            resumption: false,
            engine,
            ..Tls::default()
        },
        cgp: Cgp::Reject,
        rates: Rates::default(),
    };
    let snapshot = Snapshot {
        id: SnapshotId(1),
        listeners: vec![listener],
        inner: "unused".into(),
        host_tls: vec![HostTlsProfile { id: "micro".into(), roots_pem: chain_pem }],
        limits: Limits::default(),
    };
    let keys = Arc::new(TicketKeys::new(Moment(0)).expect("random numbers"));
    Served::build(Arc::new(snapshot), &keys).expect("a snapshot that holds together")
}
