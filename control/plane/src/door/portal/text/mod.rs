//! Every text that a user reads, in one place: what pages say and what can go wrong.
//!
//! ```text
//!   Accept-Language ─► Language ─► Text       what pages say
//!                              ├─► Problem    what can go wrong with a request
//!                              └─► failure    why a login did not go on, by its number
//! ```

mod english;
mod failure;
mod japanese;
mod problem;

use hyper::HeaderMap;
use hyper::header::ACCEPT_LANGUAGE;

pub(crate) use self::failure::failure;
pub(crate) use self::problem::Problem;

/// Languages that are looked at in a request.
const WISHES_MAX: usize = 16;

/// A language that pages can be had in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// What is shown to whoever asks for nothing that we have.
    #[default]
    English,
    Japanese,
}

/// The texts of one language.
#[derive(Debug)]
pub(crate) struct Text {
    /// As in `lang="…"`, and two letters for the ICA file.
    pub(crate) language: &'static str,
    pub(crate) product: &'static str,
    pub(crate) sign_in: &'static str,
    pub(crate) sign_out: &'static str,
    pub(crate) sign_out_really: &'static str,
    pub(crate) signed_in_as: &'static str,
    pub(crate) user_name: &'static str,
    pub(crate) password: &'static str,
    pub(crate) resources: &'static str,
    pub(crate) no_resources: &'static str,
    pub(crate) no_user: &'static str,
    pub(crate) open: &'static str,
    pub(crate) how_to_open: &'static str,
    pub(crate) back: &'static str,
    pub(crate) code: &'static str,
    pub(crate) reference: &'static str,
}

impl Language {
    /// The one that a browser asks for before the others that we have.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let asked = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0, Self::default());
        for wish in asked.split(',').take(WISHES_MAX) {
            let (tag, weight) = wish.split_once(';').unwrap_or((wish, "q=1"));
            let known = match tag.trim().split('-').next().map(str::to_ascii_lowercase).as_deref() {
                Some("en") => Self::English,
                Some("ja") => Self::Japanese,
                _ => continue,
            };
            let weight = thousandths(weight.trim());
            if weight > best.0 {
                best = (weight, known);
            }
        }
        best.1
    }

    /// Its texts.
    pub(crate) fn text(self) -> &'static Text {
        match self {
            Self::English => &english::TEXT,
            Self::Japanese => &japanese::TEXT,
        }
    }

    #[cfg(test)]
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Japanese];
}

/// A weight (`q=0.7`) in thousandths. What is none counts as nothing.
fn thousandths(weight: &str) -> u16 {
    let Some(number) = weight.strip_prefix("q=") else { return 0 };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > 3 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return 0;
    }
    match (whole, format!("{part:0<3}").parse()) {
        ("1", _) => 1000,
        ("0", Ok(part)) => part,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wish_that_we_can_grant_counts() {
        for (asked, language) in [
            ("", Language::English),
            ("ja", Language::Japanese),
            ("ja-JP,ja;q=0.9,en-US;q=0.8,en;q=0.7", Language::Japanese),
            ("en-GB,en;q=0.9,ja;q=0.8", Language::English),
            ("fr, ja;q=0.5, en;q=0.4", Language::Japanese),
            ("fr,de", Language::English),
            ("en;q=0.4,JA;q=0.5", Language::Japanese),
            ("ja;q=0,en;q=0.1", Language::English),
            ("ja;q=0.", Language::English),
            ("ja;q=2", Language::English),
            ("ja;q=0.55555", Language::English),
            ("ja;q=-1,;;;,=", Language::English),
            ("jazz", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, asked.parse().unwrap());
            assert_eq!(Language::of(&headers), language, "{asked}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }

    #[test]
    fn what_is_asked_for_is_looked_at_so_far_and_no_further() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, ("fr,".repeat(WISHES_MAX) + "ja").parse().unwrap());
        assert_eq!(Language::of(&headers), Language::English);
    }
}
