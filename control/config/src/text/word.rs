//! A value as one word that reads back: the other direction of the lexer.

use std::borrow::Cow;

use super::lex::q_closer;

/// Writes `value` so that the lexer reads it back, in quotes if it needs them. Never a q-string.
#[must_use]
pub fn word(value: &str) -> Cow<'_, str> {
    if !needs_quotes(value) {
        return Cow::Borrowed(value);
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\n' => quoted.push_str("\\n"),
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

fn needs_quotes(value: &str) -> bool {
    let q_like = value.strip_prefix('q').and_then(|rest| rest.chars().next()).is_some_and(|c| q_closer(c).is_some());
    value.is_empty()
        || value.starts_with(['-', '#'])
        || q_like
        || value.contains([' ', '\t', '\r', '\n', '"', '\'', '\\', '(', ')'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::lex::{Kind, lex};

    #[test]
    fn quotes_only_where_needed() {
        for (value, printed) in [
            ("", "\"\""),
            ("plain", "plain"),
            ("-5", "\"-5\""),
            ("#1", "\"#1\""),
            ("a#1", "a#1"),
            ("q/x", "\"q/x\""),
            ("qx", "qx"),
            ("a b", "\"a b\""),
            ("it's", "\"it's\""),
            ("say \"x\"", r#""say \"x\"""#),
            ("a\\b", r#""a\\b""#),
            ("f(x)", "\"f(x)\""),
            ("a\tb\nc\rd", r#""a\tb\nc\rd""#),
        ] {
            assert_eq!(word(value), printed);
        }
    }

    proptest! {
        #[test]
        fn reads_back(value in any::<String>()) {
            let lexed = lex(&word(&value));
            prop_assert_eq!(lexed.fault, None);
            prop_assert_eq!(lexed.tokens.len(), 1);
            prop_assert_eq!(lexed.tokens[0].kind, Kind::Word);
            prop_assert_eq!(lexed.tokens[0].value.as_str(), value.as_str());
        }

        #[test]
        fn reads_back_what_is_special(value in "[q/{}<>\"'\\\\() #\\-a\t\r\n]{0,12}") {
            let line = format!("x {} y", word(&value));
            let lexed = lex(&line);
            prop_assert_eq!(lexed.fault, None);
            prop_assert_eq!(lexed.tokens.len(), 3);
            prop_assert_eq!(lexed.tokens[1].value.as_str(), value.as_str());
        }
    }
}
