//! Every text that a user reads, in one place.

/// The texts of one language.
#[derive(Debug)]
pub(crate) struct Text {
    /// As in `lang="…"`, and two letters for the ICA file.
    pub(crate) language: &'static str,
    pub(crate) product: &'static str,
    pub(crate) sign_in: &'static str,
    pub(crate) sign_out: &'static str,
    pub(crate) signed_in_as: &'static str,
    pub(crate) user_name: &'static str,
    pub(crate) password: &'static str,
    pub(crate) resources: &'static str,
    pub(crate) no_resources: &'static str,
    pub(crate) open: &'static str,
    pub(crate) how_to_open: &'static str,
    pub(crate) back: &'static str,
    pub(crate) code: &'static str,
    pub(crate) reference: &'static str,
}

/// English.
pub(crate) const ENGLISH: Text = Text {
    language: "en",
    product: "Sluicegate",
    sign_in: "Sign in",
    sign_out: "Sign out",
    signed_in_as: "Signed in as",
    user_name: "User name",
    password: "Password",
    resources: "Your applications and desktops",
    no_resources: "Nothing has been published to you yet. Your help desk can change that.",
    open: "Open",
    how_to_open: "Your browser downloads a small file. Open it within a minute or two: the ticket in it is short-lived and good once.",
    back: "Back to the start page",
    code: "Code",
    reference: "Reference",
};

/// What can go wrong, as the user is told. Codes are stable. No variant carries a fact of the inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No such page.
    NotFound,
    /// The page exists, but not for this method.
    Method,
    /// The request was for another name than ours.
    WrongHost,
    /// The request broke a rule of HTTP or of its form.
    BadRequest,
    /// The request was too large.
    TooLarge,
    /// The form did not come from our own page, or that page is too old.
    StaleForm,
    /// Wrong user or password.
    WrongPassword,
    /// Too many failures lately.
    TryLater,
    /// Too many logins at once.
    Busy,
    /// The farm cannot be asked.
    FarmDown,
    /// The farm said no.
    FarmRefused,
    /// The resource is not there, or not for this user.
    NoResource,
    /// No ticket authority issued a ticket.
    NoTicket,
    /// The resource's own settings cannot be put into a launch file.
    Unlaunchable,
    /// We broke.
    Internal,
}

/// How a problem is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    pub(crate) advice: &'static str,
}

impl Problem {
    /// In English.
    pub(crate) fn told(self) -> Told {
        let told = |status, code, title, advice| Told { status, code, title, advice };
        match self {
            Self::NotFound => told(404, "SG-2001", "Page not found", "The address may be mistyped or out of date."),
            Self::Method => told(405, "SG-2002", "Not possible this way", "Please start again from the first page."),
            Self::WrongHost => {
                told(421, "SG-2003", "Wrong address", "Please use the gateway's own name, as your help desk gave it to you.")
            }
            Self::BadRequest => told(400, "SG-2004", "Request not understood", "Please start again from the first page."),
            Self::TooLarge => told(413, "SG-2005", "Request too large", "Please start again from the first page."),
            Self::StaleForm => told(
                403,
                "SG-2101",
                "Page out of date",
                "This page was open for too long, or cookies are switched off. Please sign in again.",
            ),
            Self::WrongPassword => {
                told(403, "SG-2102", "Sign-in failed", "User name or password is wrong. Please check both and try again.")
            }
            Self::TryLater => {
                told(429, "SG-2103", "Please wait", "There were too many failed attempts. Please wait a little and try again.")
            }
            Self::Busy => told(503, "SG-2104", "Too busy", "Many people are signing in. Please try again in a moment."),
            Self::FarmDown => told(
                503,
                "SG-2201",
                "Applications unavailable",
                "The list of applications cannot be reached. Please try again later.",
            ),
            Self::FarmRefused => {
                told(403, "SG-2202", "Not allowed", "The application service did not accept this. Please sign in again.")
            }
            Self::NoResource => told(404, "SG-2301", "Not available", "This application is no longer available to you."),
            Self::NoTicket => {
                told(503, "SG-2302", "Cannot open", "No ticket could be issued for this session. Please try again later.")
            }
            Self::Unlaunchable => told(
                500,
                "SG-2303",
                "Cannot open",
                "This application is set up in a way that cannot be opened. Please tell your help desk.",
            ),
            Self::Internal => {
                told(500, "SG-2900", "Something went wrong", "Please try again. If it happens again, tell your help desk.")
            }
        }
    }

    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 15] = [
        Self::NotFound,
        Self::Method,
        Self::WrongHost,
        Self::BadRequest,
        Self::TooLarge,
        Self::StaleForm,
        Self::WrongPassword,
        Self::TryLater,
        Self::Busy,
        Self::FarmDown,
        Self::FarmRefused,
        Self::NoResource,
        Self::NoTicket,
        Self::Unlaunchable,
        Self::Internal,
    ];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let codes: BTreeSet<_> = Problem::ALL.iter().map(|p| p.told().code).collect();
        assert_eq!(codes.len(), Problem::ALL.len());
        assert!(Problem::ALL.iter().all(|p| (400..600).contains(&p.told().status)));
    }
}
