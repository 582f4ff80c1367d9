//! What is bound for all: `bind vpn global`.

use crate::files::Purpose;
use crate::model::Model;
use crate::print::Writer;

use super::bound::{self, one_binding};
use super::express;
use super::site::{Refused, Site};
use super::vpn::{sta, tie, untie, write_sta};
use super::{Argument, Command, Effect, Form, Kind, Op, Origin, Rank, Said};

/// `bind vpn global`
pub(super) const VPN: Command = Command {
    group: "vpn",
    object: "global",
    words: "vpn global",
    summary: "What is bound for all virtual servers.",
    notes: "Ticket authorities bound here serve the virtual servers that have none of their own. Policies bound here are looked at after \
            those of the user, of the groups, and of the virtual server.",
    origin: Origin::Extended,
    feature: None,
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Bind,
            positionals: &[],
            keywords: KEYWORDS,
            example: "bind vpn global -staServer https://sta.example.com",
            apply: bind,
            print: Some((Rank::VpnGlobalBind, print)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[],
            keywords: KEYWORDS,
            example: "unbind vpn global -staServer https://sta.example.com",
            apply: unbind,
            print: None,
        },
    ],
};

const KEYWORDS: &[Argument] = &[
    Argument::optional("staServer", Kind::Url, "A secure ticket authority. The path is the protocol's own if none is written."),
    Argument::optional("staAddressType", Kind::Choice(&["IPV4", "IPV6"]), "Accepted; a name may resolve to either."),
    Argument::optional(
        "staInsecure",
        Kind::Choice(&["YES", "NO"]),
        "Tickets may travel in the clear to an STA on another machine. Ours.",
    )
    .or("NO"),
    Argument::optional("CACert", Kind::File, "Trust anchors for https, PEM. Ours.").or("those of the system"),
    bound::POLICY_NAME,
    bound::PRIORITY,
    bound::SECONDARY,
    bound::GROUP_EXTRACTION,
    bound::GOTO,
    bound::TYPE,
    Argument::kept("portaltheme").takes(Kind::Text).means("Look of the pages."),
    Argument::kept("eula").takes(Kind::Text).means("Terms that users accept."),
    Argument::kept("urlName").takes(Kind::Text).means("A bookmark."),
    Argument::kept("intranetApplication").takes(Kind::Text).means("What the tunnel reaches."),
    Argument::kept("intranetDomain").takes(Kind::Text).means("Names that are asked for inside."),
    Argument::kept("intranetIP").means("Addresses of the tunnel's clients, with a mask."),
    Argument::kept("intranetIP6").means("Likewise, IPv6, with a number."),
    Argument::kept("nextHopServer").takes(Kind::Text).means("The second gateway of two."),
    Argument::kept("appController").takes(Kind::Text).means("Server of mobile applications."),
    Argument::kept("sharefile").takes(Kind::Text).means("Server of files."),
    Argument::kept("userDataEncryptionKey").takes(Kind::Text).means("Certificate under which data of users is kept."),
];

fn bind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    one_binding(said, &["policyName", "staServer"])?;
    if let Some(binding) = bound::read(said, "policyName")? {
        express::judge_goto(said, site, binding.goto.as_ref())?;
        bound::known(said, site, "policyName", &binding)?;
        return bound::bind(said, &mut site.model.sessions.global, binding);
    }
    let Some(sta) = sta(said, site)? else {
        site.keep_line(said);
        return Ok(());
    };
    site.load(said, "CACert", Purpose::Roots)?;
    tie(said, &mut site.model.vpn.stas, sta)
}

fn unbind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    one_binding(said, &["policyName", "staServer"])?;
    match (bound::read(said, "policyName")?, said.url("staServer")) {
        (Some(binding), _) => bound::unbind(said, &mut site.model.sessions.global, &binding),
        (None, Some(url)) => untie(said, &mut site.model.vpn.stas, url),
        (None, None) => site.unkeep_line(said),
    }
}

fn print(model: &Model, out: &mut Writer<'_>) {
    for sta in &model.vpn.stas {
        write_sta(out.line(Op::Bind, &VPN, ""), sta).end();
    }
    for binding in &model.sessions.global {
        bound::write(out.line(Op::Bind, &VPN, ""), "policyName", binding).end();
    }
}
