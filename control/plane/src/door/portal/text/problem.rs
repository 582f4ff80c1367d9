//! What can go wrong with a request, as the user is told.

use super::Language;

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
    /// Too many failures lately.
    TryLater,
    /// Too many logins at once.
    Busy,
    /// A step of this login is under way.
    Conflict,
    /// A form cannot be shown on a page.
    Unshowable,
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
    /// In one language.
    pub(crate) fn told(self, language: Language) -> Told {
        let (status, code, english, japanese) = self.texts();
        let (title, advice) = match language {
            Language::English => english,
            Language::Japanese => japanese,
        };
        Told { status, code, title, advice }
    }

    /// Status, code, then title and advice in each language.
    fn texts(self) -> (u16, &'static str, Said, Said) {
        const START_AGAIN: &str = "Please start again from the first page.";
        const START_AGAIN_JA: &str = "最初のページからやり直してください。";
        match self {
            Self::NotFound => (
                404,
                "SG-2001",
                ("Page not found", "The address may be mistyped or out of date."),
                ("ページが見つかりません", "アドレスに誤りがあるか、古くなっています。"),
            ),
            Self::Method => (405, "SG-2002", ("Not possible this way", START_AGAIN), ("この方法ではできません", START_AGAIN_JA)),
            Self::WrongHost => (
                421,
                "SG-2003",
                ("Wrong address", "Please use the gateway's own name, as your help desk gave it to you."),
                ("アドレスが違います", "ヘルプデスクから案内されたゲートウェイの名前を使ってください。"),
            ),
            Self::BadRequest => {
                (400, "SG-2004", ("Request not understood", START_AGAIN), ("要求を理解できません", START_AGAIN_JA))
            }
            Self::TooLarge => (413, "SG-2005", ("Request too large", START_AGAIN), ("要求が大きすぎます", START_AGAIN_JA)),
            Self::StaleForm => (
                403,
                "SG-2101",
                ("Page out of date", "This page was open for too long, or cookies are switched off. Please sign in again."),
                ("ページが古くなっています", "長い間開かれていたか、Cookie が無効です。もう一度サインインしてください。"),
            ),
            Self::TryLater => (
                429,
                "SG-2103",
                ("Please wait", "There were too many failed attempts. Please wait a little and try again."),
                ("お待ちください", "失敗した回数が多すぎます。しばらく待ってからやり直してください。"),
            ),
            Self::Busy => (
                503,
                "SG-2104",
                ("Too busy", "Many people are signing in. Please try again in a moment."),
                ("混み合っています", "多くの方がサインイン中です。少し待ってからやり直してください。"),
            ),
            Self::Conflict => (
                409,
                "SG-2105",
                ("Already under way", "Your last step is still being checked. Please wait a moment, then go on."),
                ("処理中です", "前の操作をまだ確認しています。少し待ってから続けてください。"),
            ),
            Self::Unshowable => (
                500,
                "SG-2106",
                ("Cannot be shown", "This form cannot be shown in a browser. Please tell your help desk."),
                ("表示できません", "このフォームはブラウザーに表示できません。ヘルプデスクにお知らせください。"),
            ),
            Self::FarmDown => (
                503,
                "SG-2201",
                ("Applications unavailable", "The list of applications cannot be reached. Please try again later."),
                (
                    "アプリケーションを利用できません",
                    "アプリケーションの一覧を取得できません。しばらくしてからやり直してください。",
                ),
            ),
            Self::FarmRefused => (
                403,
                "SG-2202",
                ("Not allowed", "The application service did not accept this. Please sign in again."),
                ("許可されていません", "アプリケーションサービスに受け付けられませんでした。もう一度サインインしてください。"),
            ),
            Self::NoResource => (
                404,
                "SG-2301",
                ("Not available", "This application is no longer available to you."),
                ("利用できません", "このアプリケーションはもう利用できません。"),
            ),
            Self::NoTicket => (
                503,
                "SG-2302",
                ("Cannot open", "No ticket could be issued for this session. Please try again later."),
                ("開けません", "セッションのチケットを発行できませんでした。しばらくしてからやり直してください。"),
            ),
            Self::Unlaunchable => (
                500,
                "SG-2303",
                ("Cannot open", "This application is set up in a way that cannot be opened. Please tell your help desk."),
                ("開けません", "このアプリケーションは開けない設定になっています。ヘルプデスクにお知らせください。"),
            ),
            Self::Internal => (
                500,
                "SG-2900",
                ("Something went wrong", "Please try again. If it happens again, tell your help desk."),
                ("問題が発生しました", "もう一度お試しください。繰り返す場合はヘルプデスクにお知らせください。"),
            ),
        }
    }

    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 16] = [
        Self::NotFound,
        Self::Method,
        Self::WrongHost,
        Self::BadRequest,
        Self::TooLarge,
        Self::StaleForm,
        Self::TryLater,
        Self::Busy,
        Self::Conflict,
        Self::Unshowable,
        Self::FarmDown,
        Self::FarmRefused,
        Self::NoResource,
        Self::NoTicket,
        Self::Unlaunchable,
        Self::Internal,
    ];
}

/// Title and advice.
type Said = (&'static str, &'static str);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let codes: BTreeSet<_> = Problem::ALL.iter().map(|p| p.told(Language::English).code).collect();
        assert_eq!(codes.len(), Problem::ALL.len());
        assert!(Problem::ALL.iter().all(|p| (400..600).contains(&p.told(Language::Japanese).status)));
    }
}
