//! Classic rules to expressions: the part of the old language that login policies were written in.
//!
//! ```text
//!   ns_true                                               true
//!   REQ.HTTP.HEADER User-Agent CONTAINS Receiver          HTTP.REQ.HEADER("User-Agent").CONTAINS("Receiver")
//!   REQ.HTTP.HEADER Cookie NOTEXISTS && (…)               HTTP.REQ.HEADER("Cookie").EXISTS.NOT && (…)
//!   REQ.IP.SOURCEIP != 10.0.0.0 -netmask 255.0.0.0        CLIENT.IP.SRC.IN_SUBNET(10.0.0.0/8).NOT
//! ```
//!
//! What else the old language has asks about clients or connections that a gateway for logins does not look at in this way. A rule that
//! is longer as an expression than a rule may be is accepted: the operator has not written it so.

use std::net::Ipv4Addr;

use thiserror::Error;

/// How deep parentheses may stand.
const DEPTH_MAX: usize = 32;

/// Why a classic rule has no counterpart. All are the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotConverted {
    /// The rule stops where something must follow.
    #[error("the rule ends where {0} must follow")]
    Unfinished(&'static str),
    /// A word that is not what can stand there.
    #[error("{found:?} is not {wanted}")]
    Unexpected { found: String, wanted: &'static str },
    /// A quote without its other half.
    #[error("a quote is not closed")]
    Quote,
    /// An address or a mask that is none, or a mask with holes.
    #[error("{0:?} is no IPv4 address, or no mask")]
    Address(String),
    /// Parentheses in parentheses, and so on.
    #[error("parentheses stand more than {DEPTH_MAX} deep")]
    TooDeep,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Open,
    Close,
    And,
    Or,
    Not,
    /// Anything else; whether it stood in quotes does not matter.
    Text(String),
}

/// What a classic rule means.
pub(crate) fn convert(rule: &str) -> Result<String, NotConverted> {
    let words = words(rule)?;
    let mut words = words.into_iter().peekable();
    let mut text = String::new();
    let mut depth = 0;
    // A test, or what leads to one, and then an operator, in turns.
    loop {
        match words.next() {
            Some(Word::Open) => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(NotConverted::TooDeep);
                }
                text.push('(');
                continue;
            }
            Some(Word::Not) => {
                text.push('!');
                continue;
            }
            Some(Word::Text(word)) => {
                let mut next = |wanted| match words.next_if(|word| matches!(word, Word::Text(_))) {
                    Some(Word::Text(word)) => Ok(word),
                    Some(Word::Open | Word::Close | Word::And | Word::Or | Word::Not) | None => {
                        Err(NotConverted::Unfinished(wanted))
                    }
                };
                text.push_str(&test(&word, &mut next)?);
            }
            Some(other @ (Word::Close | Word::And | Word::Or)) => return Err(unexpected(&other, "a test such as ns_true")),
            None => return Err(NotConverted::Unfinished("a test such as ns_true")),
        }
        while words.next_if_eq(&Word::Close).is_some() {
            if depth == 0 {
                return Err(unexpected(&Word::Close, "&&, || or the end"));
            }
            depth -= 1;
            text.push(')');
        }
        match words.next() {
            Some(Word::And) => text.push_str(" && "),
            Some(Word::Or) => text.push_str(" || "),
            None if depth == 0 => return Ok(text),
            None => return Err(NotConverted::Unfinished("a closing parenthesis")),
            Some(other) => return Err(unexpected(&other, "&&, || or the end")),
        }
    }
}

fn unexpected(word: &Word, wanted: &'static str) -> NotConverted {
    let found = match word {
        Word::Open => "(",
        Word::Close => ")",
        Word::And => "&&",
        Word::Or => "||",
        Word::Not => "!",
        Word::Text(text) => text,
    };
    NotConverted::Unexpected { found: found.to_owned(), wanted }
}

/// One test, of which the first word has been read.
fn test(first: &str, next: &mut dyn FnMut(&'static str) -> Result<String, NotConverted>) -> Result<String, NotConverted> {
    const TESTS: &str = "ns_true, ns_false, REQ.HTTP.HEADER or REQ.IP.SOURCEIP; write the rule in the new language";
    match first.to_lowercase().as_str() {
        "ns_true" | "true" => Ok("true".to_owned()),
        "ns_false" | "false" => Ok("false".to_owned()),
        "req.http.header" => {
            let header = quoted(&next("the name of a header")?);
            let operator = next("EXISTS, CONTAINS or NOTCONTAINS")?;
            let header = format!("HTTP.REQ.HEADER({header})");
            match operator.to_lowercase().as_str() {
                "exists" => Ok(format!("{header}.EXISTS")),
                "notexists" => Ok(format!("{header}.EXISTS.NOT")),
                "contains" => Ok(format!("{header}.CONTAINS({})", quoted(&next("a text")?))),
                "notcontains" => Ok(format!("{header}.CONTAINS({}).NOT", quoted(&next("a text")?))),
                _ => Err(NotConverted::Unexpected { found: operator, wanted: "EXISTS, NOTEXISTS, CONTAINS or NOTCONTAINS" }),
            }
        }
        "req.ip.sourceip" => {
            let operator = next("== or !=")?;
            let not = match operator.as_str() {
                "==" => "",
                "!=" => ".NOT",
                _ => return Err(NotConverted::Unexpected { found: operator, wanted: "== or !=" }),
            };
            let address = next("an address")?;
            let address: Ipv4Addr = address.parse().map_err(|_| NotConverted::Address(address))?;
            let prefix = match next("-netmask") {
                Err(_) => 32,
                Ok(keyword) if keyword.eq_ignore_ascii_case("-netmask") => {
                    let mask = next("a mask")?;
                    let bits = mask.parse::<Ipv4Addr>().map(u32::from).ok();
                    let prefix =
                        bits.filter(|bits| bits.leading_ones() + bits.trailing_zeros().min(32 - bits.leading_ones()) == 32);
                    prefix.map(u32::leading_ones).ok_or(NotConverted::Address(mask))?
                }
                Ok(found) => return Err(NotConverted::Unexpected { found, wanted: "-netmask, &&, || or the end" }),
            };
            let network = u32::from(address) & u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Ok(format!("CLIENT.IP.SRC.IN_SUBNET({}/{prefix}){not}", Ipv4Addr::from(network)))
        }
        _ => Err(NotConverted::Unexpected { found: first.to_owned(), wanted: TESTS }),
    }
}

/// A text as expressions write it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn words(rule: &str) -> Result<Vec<Word>, NotConverted> {
    let mut words = Vec::new();
    let mut rest = rest_of(rule);
    while let Some(first) = rest.chars().next() {
        let signs = [("(", Word::Open), (")", Word::Close), ("&&", Word::And), ("||", Word::Or), ("!", Word::Not)];
        let sign = signs.into_iter().find(|(sign, _)| rest.starts_with(sign) && !rest.starts_with("!="));
        let (word, behind) = if let Some((sign, word)) = sign {
            (word, rest.strip_prefix(sign).unwrap_or_default())
        } else if let '"' | '\'' = first {
            let inside = rest.strip_prefix(first).unwrap_or_default();
            let (text, behind) = inside.split_once(first).ok_or(NotConverted::Quote)?;
            (Word::Text(text.to_owned()), behind)
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"' | '\'')).unwrap_or(rest.len());
            let end = ["&&", "||"].iter().filter_map(|sign| rest.find(sign)).fold(end, usize::min);
            let (text, behind) = rest.split_at(end);
            (Word::Text(text.to_owned()), behind)
        };
        words.push(word);
        rest = rest_of(behind);
    }
    Ok(words)
}

fn rest_of(text: &str) -> &str {
    text.trim_start()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::kind::Kind;
    use super::super::read::read;
    use super::*;

    #[test]
    fn what_has_a_counterpart_is_converted() {
        for (classic, expression) in [
            ("ns_true", "true"),
            ("NS_FALSE", "false"),
            ("REQ.HTTP.HEADER User-Agent CONTAINS CitrixReceiver", r#"HTTP.REQ.HEADER("User-Agent").CONTAINS("CitrixReceiver")"#),
            ("req.http.header Referer exists", r#"HTTP.REQ.HEADER("Referer").EXISTS"#),
            ("REQ.HTTP.HEADER 'X Y' NOTEXISTS", r#"HTTP.REQ.HEADER("X Y").EXISTS.NOT"#),
            (
                "REQ.HTTP.HEADER User-Agent NOTCONTAINS \"a b\" && (ns_true||REQ.HTTP.HEADER A CONTAINS b)",
                r#"HTTP.REQ.HEADER("User-Agent").CONTAINS("a b").NOT && (true || HTTP.REQ.HEADER("A").CONTAINS("b"))"#,
            ),
            ("REQ.HTTP.HEADER A CONTAINS 'say \"x\\'", r#"HTTP.REQ.HEADER("A").CONTAINS("say \"x\\")"#),
            ("!(ns_true)", "!(true)"),
            ("REQ.IP.SOURCEIP == 10.1.2.3 -netmask 255.0.0.0", "CLIENT.IP.SRC.IN_SUBNET(10.0.0.0/8)"),
            ("REQ.IP.SOURCEIP != 10.1.2.3", "CLIENT.IP.SRC.IN_SUBNET(10.1.2.3/32).NOT"),
            ("REQ.IP.SOURCEIP == 10.1.2.3 -netmask 0.0.0.0 || ns_false", "CLIENT.IP.SRC.IN_SUBNET(0.0.0.0/0) || false"),
        ] {
            assert_eq!(convert(classic), Ok(expression.to_owned()), "{classic}");
            assert_eq!(read(expression).map(|tree| tree.kind), Ok(Kind::Truth), "{expression}");
        }
    }

    #[test]
    fn what_has_none_is_refused() {
        for rule in [
            "",
            "ns_true &&",
            "&& ns_true",
            "(ns_true",
            "ns_true)",
            "ns_true ns_true",
            "CLIENT.APPLICATION.PROCESS(x) EXISTS",
            "REQ.HTTP.URL CONTAINS x",
            "REQ.HTTP.HEADER A",
            "REQ.HTTP.HEADER A CONTAINS",
            "REQ.HTTP.HEADER A == b",
            "REQ.HTTP.HEADER A CONTAINS \"b",
            "REQ.IP.SOURCEIP == 10.0.0.256",
            "REQ.IP.SOURCEIP == 10.0.0.0 -netmask 255.0.255.0",
            "REQ.IP.SOURCEIP > 10.0.0.0",
        ] {
            assert!(convert(rule).is_err(), "{rule}");
        }
        assert_eq!(convert(&"(".repeat(33)), Err(NotConverted::TooDeep));
    }

    proptest! {
        #[test]
        fn no_rule_breaks_it(rule in "(ns_true|REQ\\.HTTP\\.HEADER|REQ\\.IP\\.SOURCEIP|&&|\\|\\||[()! \"']|==|10\\.0\\.0\\.1|EXISTS|\\PC){0,12}") {
            if let Ok(expression) = convert(&rule) {
                prop_assert!(read(&expression).is_ok_and(|tree| tree.kind == Kind::Truth), "{rule}: {expression}");
            }
        }
    }
}
