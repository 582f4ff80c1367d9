//! Short words for commands, as long as the conversation lasts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gate_config::text::lex::{Kind, lex};
use gate_config::text::visible::visible;
use gate_config::text::word::word;

/// Most of them.
const ALIASES_MAX: usize = 256;

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Aliases(BTreeMap<String, String>);

impl Aliases {
    /// `alias`, `alias PATTERN`, `alias PATTERN REPLACEMENT …`: what it says.
    pub fn order(&mut self, pattern: Option<&str>, replacement: &[&str]) -> String {
        match (pattern, replacement) {
            (None, _) => self.0.iter().map(|(pattern, stands_for)| shown(pattern, stands_for)).collect(),
            (Some(pattern), []) => match self.0.get(pattern) {
                Some(stands_for) => shown(pattern, stands_for),
                None => no_such(pattern),
            },
            (Some(pattern), _) if self.0.contains_key(pattern) => format!("ERROR: Alias already exists [{}]\n", visible(pattern)),
            (Some(_), _) if self.0.len() >= ALIASES_MAX => format!("ERROR: Too many aliases [{ALIASES_MAX}]\n"),
            (Some(pattern), words) => {
                // One word is taken as it is: it may be a whole command in quotes.
                let stands_for = match words {
                    [one] => (*one).to_owned(),
                    several => several.iter().map(|one| word(one)).collect::<Vec<_>>().join(" "),
                };
                self.0.insert(pattern.to_owned(), stands_for);
                String::new()
            }
        }
    }

    /// `unalias PATTERN`: what it says.
    pub fn forget(&mut self, pattern: &str) -> String {
        if self.0.remove(pattern).is_some() { String::new() } else { no_such(pattern) }
    }

    /// A line with its first word replaced, once: what an alias stands for has no aliases in it.
    #[must_use]
    pub fn expand<'l>(&self, line: &'l str) -> Cow<'l, str> {
        let lexed = lex(line);
        let first = lexed.tokens.first().filter(|token| token.kind == Kind::Word);
        let Some((token, stands_for)) = first.and_then(|token| Some((token, self.0.get(token.value.as_str())?))) else {
            return Cow::Borrowed(line);
        };
        Cow::Owned(format!("{stands_for}{}", line.get(token.span.end..).unwrap_or_default()))
    }
}

fn shown(pattern: &str, stands_for: &str) -> String {
    format!("{} {}\n", visible(pattern), visible(stands_for))
}

fn no_such(pattern: &str) -> String {
    format!("ERROR: No such alias [{}]\n", visible(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases() {
        let mut aliases = Aliases::default();
        assert_eq!(aliases.order(Some("s"), &["show", "vpn", "icaConnection"]), "");
        assert_eq!(aliases.order(Some("u"), &["show aaa user"]), "");
        assert_eq!(aliases.order(Some("s"), &["x"]), "ERROR: Alias already exists [s]\n");
        assert_eq!(aliases.order(None, &[]), "s show vpn icaConnection\nu show aaa user\n");
        assert_eq!(aliases.order(Some("u"), &[]), "u show aaa user\n");
        assert_eq!(aliases.expand("s -userName \"Ann Lee\""), "show vpn icaConnection -userName \"Ann Lee\"");
        assert_eq!(aliases.expand("  u"), "show aaa user");
        assert_eq!(aliases.expand("show s"), "show s");
        assert_eq!(aliases.forget("s"), "");
        assert_eq!(aliases.forget("s"), "ERROR: No such alias [s]\n");
        assert_eq!(aliases.expand("s"), "s");
    }
}
