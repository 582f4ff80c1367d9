//! What one client's first flight costs to read. The inputs are those of `tests/corpus`.

use std::hint::black_box;

use sluice_proto::cgp::TicketFinder;
use sluice_proto::hello;
use sluice_proto::preface;
use sluice_proto::proxy::{HEADER_BYTES_MAX, Header};
use sluice_proto::socks5::{Opening, Step};
use sluice_proto::ticket::Ticket;

use crate::measure::Meter;

macro_rules! corpus {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/", $path))
    };
}

const HELLO: &[u8] = corpus!("hello/ok-openssl-sni-alpn.bin");
const PREFACE: &[u8] = corpus!("preface/ok-cgp.bin");
const SOCKS5: &[u8] = corpus!("socks5/ok-bare.bin");
const CGP: &[u8] = corpus!("cgp/ok-ticket-at-end.bin");
const PROXY: &[u8] = corpus!("proxy/ok-v4-all.bin");
const TICKET: &[u8] = corpus!("ticket/ok-single.bin");

pub(crate) fn run(meter: &mut Meter) {
    meter.bench("hello scan", HELLO.len(), || hello::scan(black_box(HELLO)));
    meter.bench("preface", PREFACE.len(), || preface::read(black_box(PREFACE)));
    meter.bench("ticket parse", TICKET.len(), || Ticket::parse(black_box(TICKET)));
    meter.bench("socks5 bare request", SOCKS5.len(), || {
        let step = Opening::new().read(black_box(SOCKS5));
        assert!(matches!(&step, Ok(Step::Request { request, .. }) if black_box(request.ticket()).is_ok()));
    });
    meter.bench("cgp find ticket", CGP.len(), || TicketFinder::default().read(black_box(CGP)));
    meter.bench("proxy read", PROXY.len(), || Header::read(black_box(PROXY)));
    if let Ok((header, bytes)) = Header::read(PROXY) {
        let mut room = [0; HEADER_BYTES_MAX];
        meter.bench("proxy write", bytes, || black_box(&header).write(black_box(&mut room)).map(<[u8]>::len));
    }
}
