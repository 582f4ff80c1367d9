//! Sealing and opening records, on two connections that shook hands in memory.
//!
//! The sizes are a key stroke's, a full segment's and a full record's. Opening is measured together with the sealing that
//! makes its input, since a record can be opened once: subtract. The handshake is that of TLS 1.3 with P-256, both sides. What
//! begins with "rustls" leaves both to that: what an operator pays who falls back on it.

use std::hint::black_box;

use sluice_flow::buf::{Buf, Class, Pool, PoolSizes};
use sluice_flow::tls::{Established, Handshake, Parts, Progress, Served};
use sluice_link::snapshot::RecordEngine;
use sluice_link::time::Moment;

use crate::measure::Meter;
use crate::served::{LISTENER, NAME, SIZES, served, served_by};

#[expect(clippy::expect_used, reason = "a benchmark that cannot shake hands with itself has nothing to measure")]
pub(crate) fn run(meter: &mut Meter) {
    let served = served();
    let mut pool = Pool::new(PoolSizes::default());
    meter.bench("handshake, both sides", 0, || {
        shake_hands(&served, RecordEngine::Own, &mut pool).expect("the handshake goes through")
    });
    let (mut near, _) = shake_hands(&served, RecordEngine::Own, &mut pool).expect("the handshake goes through");
    let mut parts = Parts::new();
    let payload = vec![0x5a; 16 * 1024];
    for (size, word) in SIZES {
        let payload = &payload[..size];
        meter.bench(&format!("seal in place {word}"), size, || {
            let mut buf = pool.take(Class::Large).expect("a buffer");
            buf.append(payload);
            near.records.seal_in_place(&mut buf).expect("sealed");
            black_box(buf.filled());
            pool.give(buf);
        });
    }
    // What was sealed above was never opened: that connection is spent.
    for (by, engine) in [("", RecordEngine::Own), ("rustls, ", RecordEngine::Rustls)] {
        let (mut near, mut far) = shake_hands(&served_by(engine), engine, &mut pool).expect("the handshake goes through");
        for (size, word) in SIZES {
            let payload = &payload[..size];
            meter.bench(&format!("{by}seal and open {word}"), size, || {
                let mut buf = pool.take(Class::Large).expect("a buffer");
                buf.append(payload);
                near.records.seal_in_place(&mut buf).expect("sealed");
                let opened = far.records.open(&mut buf, &mut parts, Moment(0)).expect("opened");
                assert!(opened.bytes == size);
                pool.give(buf);
            });
        }
    }
}

/// One connection, both of its ends, the client's records `engine`'s.
fn shake_hands(served: &Served, engine: RecordEngine, pool: &mut Pool) -> Option<(Established, Established)> {
    let mut client = Handshake::connect(served.host_profile(&"micro".into())?, NAME, engine).ok()?;
    let mut server = Handshake::accept(served.listener(LISTENER)?);
    let (mut up, mut down) = (pool.take(Class::Large)?, pool.take(Class::Large)?);
    let (mut client_done, mut server_done) = (false, false);
    while !(client_done && server_done) {
        client_done = client_done || step(&mut client, &mut down, &mut up)?;
        server_done = server_done || step(&mut server, &mut up, &mut down)?;
    }
    pool.give(up);
    pool.give(down);
    Some((client.finish().ok()?, server.finish().ok()?))
}

fn step(side: &mut Handshake, incoming: &mut Buf, out: &mut Buf) -> Option<bool> {
    match side.advance(incoming, out).ok()? {
        Progress::Done => Some(true),
        Progress::Waiting => Some(false),
        Progress::Flush => None,
    }
}
