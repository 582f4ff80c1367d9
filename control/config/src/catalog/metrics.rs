//! `ns metrics`: where Prometheus fetches the figures.

use crate::code::Code;
use crate::model::Model;
use crate::print::Writer;

use super::ns::something;
use super::site::{Note, Refused, Site};
use super::{Argument, Command, Effect, Form, Kind, Op, Origin, Rank, Said, Value};

/// `set ns metrics`
pub(super) const METRICS: Command = Command {
    group: "ns",
    object: "metrics",
    words: "ns metrics",
    summary: "Where Prometheus may fetch the figures.",
    notes: "Plain HTTP: `/metrics`, `/healthz` and `/readyz`. They name virtual servers, certificates and addresses of ticket authorities, \
            and are for whoever reaches the address. So it must be one of this machine alone (127.0.0.0/8 or ::1). See \
            `docs/operate/monitoring.md`.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: METRICS_KEYWORDS,
            example: "set ns metrics -address 127.0.0.1:9464",
            apply: metrics,
            print: Some((Rank::NsMetrics, print_metrics)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: METRICS_KEYWORDS,
            example: "unset ns metrics -address",
            apply: metrics,
            print: None,
        },
    ],
};

/// The port without a number, as registered for exporters of this kind.
const METRICS_PORT: u16 = 9464;

const METRICS_KEYWORDS: &[Argument] =
    &[Argument::optional("address", Kind::Listen(METRICS_PORT), "Where to listen. Port 0 lets the system choose.").or("nowhere")];

fn metrics(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let mut address = site.model.metrics;
    said.put("address", &mut address, None, |s| {
        if let Value::HostPort(at) = s.value("address")? { at.address().map(Some) } else { None }
    });
    if let Some(elsewhere) = address.filter(|address| !address.ip().to_canonical().is_loopback()) {
        let cause = format!("figures are served without a password, and {} can be reached from other machines", elsewhere.ip());
        let note = Note::new(Code::InvalidValue, said.place("address"), elsewhere.to_string(), cause);
        return Err(note.cure("listen at 127.0.0.1 or ::1, behind a proxy of yours if others shall see them").into());
    }
    site.model.metrics = address;
    site.keep_arguments(said, "");
    Ok(())
}

fn print_metrics(model: &Model, out: &mut Writer<'_>) {
    out.line(Op::Set, &METRICS, "").keyword_if("address", model.metrics).end();
}
