//! `authentication epaAction`: asks the client about itself.

use crate::code::Code;
use crate::model::authentication::{Action, CLIENT_STRINGS_MAX, ClientExpression, Epa};

use super::super::express::judge_client;
use super::super::site::{Note, Refused, Site, incomplete};
use super::super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said};
use super::action::{Kinded, forms, print, variant};
use super::setting::{Configured, Settings, setting};

/// `add authentication epaAction`
pub(in super::super) const EPA: Command = Command {
    group: "authentication",
    object: "epaAction",
    words: "authentication epaAction",
    summary: "Asks the client about itself: endpoint analysis.",
    notes: "The expression is sent to the client, which answers yes or no to each of its strings; the gateway knows what ties them, not \
            what they mean. `proc_2_firefox` asks whether a process runs, and again every 2 minutes.\n\n\
            Quotes inside quotes need a backslash: `-csecexpr \"sys.client_expr(\\\"proc_2_firefox\\\")\"`.\n\n\
            A factor with such an action has no other actions but those that always succeed (`NO_AUTHN`, `noAuthAction`). If the answer to \
            all of them is no, the quarantine group of the last one decides: with it the login goes on, without it the login ends.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: Effect::NewSessions,
    forms: forms!(
        Epa,
        &[Argument::kept("deviceposture")],
        "add authentication epaAction EPA-client-scan -csecexpr \"sys.client_expr(\\\"proc_2_firefox\\\")\" -quarantineGroup restricted",
        "set authentication epaAction EPA-client-scan -defaultEPAGroup compliant",
        "unset authentication epaAction EPA-client-scan -quarantineGroup",
        "rm authentication epaAction EPA-client-scan",
        Some((Rank::AuthnAction, print))
    ),
};

impl Configured for Epa {
    const SETTINGS: Settings<Self> = &[&[
        setting!(
            Argument::required("csecexpr", Kind::ClientExpression, "What the client is asked; changed as a whole only."),
            expression
        ),
        setting!(
            Argument::optional(
                "killProcess",
                Kind::Text,
                "Processes that the client is to end, commas between them. A client does so only where its user has agreed.",
            ),
            kill_process
        ),
        setting!(
            Argument::optional(
                "deletefiles",
                Kind::Text,
                "Files that the client is to delete, commas between them. A client does so only where its user has agreed.",
            ),
            delete_files
        ),
        setting!(
            Argument::optional("defaultEPAGroup", Kind::SessionGroup, "Group that the session gets if the answer is yes."),
            default_group
        ),
        setting!(
            Argument::optional(
                "quarantineGroup",
                Kind::SessionGroup,
                "Group that the session gets if the answer is no, and leave to go on nevertheless.",
            ),
            quarantine_group
        ),
    ]];

    fn plain(&self) -> Self {
        Self::new(self.expression.clone())
    }
}

impl Kinded for Epa {
    const COMMAND: &'static Command = &EPA;

    fn make(said: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        let expression = said.text("csecexpr").and_then(|text| ClientExpression::parse(text).ok());
        expression.map(Self::new).ok_or_else(|| incomplete(said))
    }

    fn judge(&self, said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
        judge_client(said, site, "csecexpr", &self.expression)?;
        let strings = self.expression.asked(&site.model.names).len();
        if strings > CLIENT_STRINGS_MAX {
            let cause =
                format!("of its {strings} strings only {CLIENT_STRINGS_MAX} reach a client; to the others the answer is no");
            site.warn(Note::new(Code::InvalidArgument, said.place("csecexpr"), "-csecexpr", cause));
        }
        super::super::wishes::judge(said)?;
        // A local group may bear the name to have policies bound to it. With members it would say of them what was found of nobody.
        for (argument, group) in [("defaultEPAGroup", &self.default_group), ("quarantineGroup", &self.quarantine_group)] {
            let Some(group) = group else { continue };
            if site.model.groups.find(group.as_str()).is_some_and(|local| !local.users.is_empty()) {
                let cause = format!("{group} is a local group with members, and who is in it would look like who was scanned");
                let note = Note::new(Code::InvalidArgument, said.place(argument), group.as_str(), cause);
                return Err(note.cure("give them two names").into());
            }
        }
        Ok(())
    }

    variant!(Epa);
}
