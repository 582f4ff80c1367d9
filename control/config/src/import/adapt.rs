//! Lines that mean the same here but are said differently.

use crate::model::{Scheme, Url};
use crate::text::lex::{Kind, Token, lex};

/// The line as we say it, and what was changed; `None` if it is right as it is.
pub(super) fn line(text: &str) -> Option<(String, String)> {
    let tokens = lex(text).tokens;
    let says = |words: [&str; 3]| words.iter().enumerate().all(|(at, word)| is(&tokens, at, word));
    if says(["bind", "vpn", "vserver"]) || says(["bind", "vpn", "global"]) {
        return insecure(text, &tokens);
    }
    if says(["add", "vpn", "vserver"]) && is(&tokens, 4, "SSL") { without_address(text, &tokens) } else { None }
}

fn is(tokens: &[Token], at: usize, word: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.kind == Kind::Word && token.value.eq_ignore_ascii_case(word))
}

fn has(tokens: &[Token], keyword: &str) -> bool {
    tokens.iter().any(|token| token.kind == Kind::Keyword && token.value.eq_ignore_ascii_case(keyword))
}

/// A ticket authority that is spoken to in the clear works there without a word. Here somebody has to say so.
fn insecure(text: &str, tokens: &[Token]) -> Option<(String, String)> {
    let keyword = tokens.iter().position(|t| t.kind == Kind::Keyword && t.value.eq_ignore_ascii_case("staServer"))?;
    let url = Url::parse(&tokens.get(keyword + 1)?.value).ok()?;
    if url.scheme == Scheme::Https || url.at.host.is_loopback() || has(tokens, "staInsecure") {
        return None;
    }
    let end = tokens.last()?.span.end;
    let said = format!("{} -staInsecure YES", text.get(..end)?);
    Some((said, format!("tickets travel to {url} in the clear, as they did; use https as soon as it is there")))
}

/// A virtual server without an address is reached through another one. There is no such way here, so it rests until it has one.
fn without_address(text: &str, tokens: &[Token]) -> Option<(String, String)> {
    let word = |at: usize| tokens.get(at).filter(|token| token.kind == Kind::Word);
    let name = word(3)?;
    let missing = match (word(5), word(6)) {
        (None, _) => " 0.0.0.0 0",
        (Some(address), None) if &*address.value == "0.0.0.0" => " 0",
        (Some(_), _) => return None,
    };
    let at = word(5).or_else(|| word(4))?.span.end;
    let end = tokens.last()?.span.end;
    let state = if has(tokens, "state") { "" } else { " -state DISABLED" };
    let said = format!("{}{missing}{}{state}", text.get(..at)?, text.get(at..end)?);
    let note = format!("virtual server {:?} has no address of its own: it rests until it has one", name.value.as_str());
    Some((said, note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_said_is_added() {
        for (written, said) in [
            (
                "bind vpn vserver g -staServer \"http://ddc1\"",
                Some("bind vpn vserver g -staServer \"http://ddc1\" -staInsecure YES"),
            ),
            ("bind vpn global -staServer http://ddc1 # x", Some("bind vpn global -staServer http://ddc1 -staInsecure YES")),
            ("bind vpn vserver g -staServer https://ddc1", None),
            ("bind vpn vserver g -staServer http://127.0.0.1", None),
            ("bind vpn vserver g -policy p", None),
            ("add vpn vserver g SSL", Some("add vpn vserver g SSL 0.0.0.0 0 -state DISABLED")),
            (
                "add vpn vserver \"g h\" SSL 0.0.0.0 -icaOnly ON",
                Some("add vpn vserver \"g h\" SSL 0.0.0.0 0 -icaOnly ON -state DISABLED"),
            ),
            ("add vpn vserver g SSL 0.0.0.0 443", None),
            ("add vpn vserver g SSL 192.0.2.1 443", None),
            ("add lb vserver g SSL", None),
            ("add vpn vserver", None),
            ("", None),
        ] {
            assert_eq!(line(written).map(|(text, _)| text).as_deref(), said, "{written}");
        }
    }
}
