//! `ns auditParam`: where it is written down who did what.

use std::path::PathBuf;

use crate::model::{Audit, Model};
use crate::print::Writer;

use super::ns::something;
use super::site::{Refused, Site};
use super::{Argument, Command, Effect, Form, Kind, Op, Origin, Rank, Said};

/// `set ns auditParam`
pub(super) const AUDIT: Command = Command {
    group: "ns",
    object: "auditParam",
    words: "ns auditParam",
    summary: "Where it is written down who did what.",
    notes: "Every change, every end of a session by an operator and every refusal at the control socket is a record, with user and \
            process. Records are chained to each other and stamped with a key, so that `sluicectl audit verify` sees \
            whether one was edited, dropped, moved or cut off: `docs/operate/audit.md`.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::Restart,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: AUDIT_KEYWORDS,
            example: "set ns auditParam -file /var/log/sluicegate/audit.log -onFailure REFUSE",
            apply: audit,
            print: Some((Rank::NsAuditParam, print_audit)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: AUDIT_KEYWORDS,
            example: "unset ns auditParam -onFailure",
            apply: audit,
            print: None,
        },
    ],
};

const AUDIT_KEYWORDS: &[Argument] = &[
    Argument::optional(
        "file",
        Kind::File,
        "The file; a relative path is below the configuration's own directory. Its key and its head are beside it, in `.key` and `.head`. \
         Without a file, what would be written there stands in the log only.",
    )
    .or("none"),
    Argument::optional(
        "onFailure",
        Kind::Choice(&["CONTINUE", "REFUSE"]),
        "What happens while it cannot be written. CONTINUE says so in the log and goes on; REFUSE refuses every change at the control socket \
         and every login until it can be written again. Who is in and what runs goes on in any case.",
    )
    .or("CONTINUE"),
];

fn audit(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let default = Audit::default();
    let audit = &mut site.model.audit;
    said.put("file", &mut audit.file, default.file, |s| s.text("file").map(|file| Some(PathBuf::from(file))));
    said.put("onFailure", &mut audit.refuse, default.refuse, |s| s.text("onFailure").map(|word| word == "REFUSE"));
    site.keep_arguments(said, "");
    Ok(())
}

fn print_audit(model: &Model, out: &mut Writer<'_>) {
    out.line(Op::Set, &AUDIT, "")
        .keyword_if("file", model.audit.file.as_ref().map(|file| file.display()))
        .keyword_if("onFailure", model.audit.refuse.then_some("REFUSE"))
        .end();
}
