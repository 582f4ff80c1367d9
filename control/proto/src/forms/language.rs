//! Which language a client wants to read.

/// The languages in which we have every text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Also for whoever wants something else.
    #[default]
    English,
    /// Japanese.
    Japanese,
}

/// Most languages of one header that are looked at.
const WISHES_MAX: usize = 32;

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// As in `lang="…"`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// The one that `Accept-Language` likes best: the greatest weight, and of equals the first. What cannot be read does not count.
    #[must_use]
    pub fn accepted(header: Option<&str>) -> Self {
        let mut best: Option<(Self, u16)> = None;
        for wish in header.unwrap_or_default().split(',').take(WISHES_MAX) {
            let mut parts = wish.split(';').map(str::trim);
            let Some(language) = parts.next().and_then(Self::of_range) else { continue };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths);
            let Some(weight) = weight.filter(|weight| *weight > 0) else { continue };
            if best.is_none_or(|(_, held)| weight > held) {
                best = Some((language, weight));
            }
        }
        best.map_or_else(Self::default, |(language, _)| language)
    }

    fn of_range(range: &str) -> Option<Self> {
        let primary = range.split('-').next().unwrap_or_default();
        if primary == "*" {
            return Some(Self::default());
        }
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }
}

/// A weight such as `0.8`, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_weight_wins() {
        for (header, wanted) in [
            (None, Language::English),
            (Some(""), Language::English),
            (Some("ja"), Language::Japanese),
            (Some("JA-jp"), Language::Japanese),
            (Some("ja,en-US;q=0.9,en;q=0.8"), Language::Japanese),
            (Some("en-US,en;q=0.9,ja;q=0.8"), Language::English),
            (Some("de, ja;q=0.2, en;q=0.1"), Language::Japanese),
            (Some("en;q=0.3, ja ; q=0.31"), Language::Japanese),
            (Some("ja;q=0"), Language::English),
            (Some("ja;q=2, en;q=0.1"), Language::English),
            (Some("ja;q=0.0001"), Language::English),
            (Some("*, ja;q=0.5"), Language::English),
            (Some("de, fr;q=0.5"), Language::English),
        ] {
            assert_eq!(Language::accepted(header), wanted, "{header:?}");
        }
    }
}
