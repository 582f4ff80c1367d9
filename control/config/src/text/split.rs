//! Several commands on one line, divided by `;`.
//!
//! ```text
//!   show vpn vserver; add aaa user "a;b"; help
//!   ────────────────  ──────────────────  ────
//! ```
//!
//! A `;` inside of quotes, of a q-string, of parentheses or of a comment divides nothing. A `;` behind a closing delimiter does: there
//! the lexer wants a blank or the end, and the end is what it sees.

use super::lex::{is_blank, pasted_end, q_closer};

/// The commands of a line, blanks around them dropped and empty ones left out.
#[must_use]
pub fn split(text: &str) -> Vec<&str> {
    let begins = begins(text);
    let ends = begins.iter().skip(1).map(|next| next - 1).chain([text.len()]);
    let parts = begins.iter().zip(ends).filter_map(|(begin, end)| text.get(*begin..end));
    parts.map(|part| part.trim_matches(is_blank)).filter(|part| !part.is_empty()).collect()
}

/// Where the last command of a line begins.
pub(crate) fn last_begin(text: &str) -> usize {
    begins(text).last().copied().unwrap_or(0)
}

/// Where commands begin: at the start, and behind every `;` that divides.
fn begins(text: &str) -> Vec<usize> {
    let mut begins = vec![0];
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match first {
            ';' => {
                at += 1;
                begins.push(at);
            }
            '#' => break,
            blank if is_blank(blank) => at += blank.len_utf8(),
            _ => at += word(text.get(at..).unwrap_or_default()),
        }
    }
    begins
}

const fn ends(c: char) -> bool {
    is_blank(c) || c == ';'
}

/// Bytes of the word that `rest` begins with. A word that never ends is all that is left.
fn word(rest: &str) -> usize {
    if let Some(length) = q_string(rest) {
        return length;
    }
    let first = rest.chars().next();
    match first {
        Some('-') => rest.find(ends).unwrap_or(rest.len()),
        Some(quote @ ('"' | '\'')) => quoted(rest, quote),
        Some(_) | None => bare(rest),
    }
}

fn q_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('q')?;
    let open = after.chars().next()?;
    let closer = q_closer(open)?;
    let inner = 1 + open.len_utf8();
    let close = inner + rest.get(inner..)?.find(closer)? + closer.len_utf8();
    rest.get(close..)?.chars().next().is_none_or(ends).then_some(close)
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == quote {
            let close = at + c.len_utf8();
            let next = rest.get(close..).unwrap_or_default().chars().next();
            if next.is_none_or(ends) {
                return close;
            }
            // Quotes that lost their backslashes; or a mistake, and then it ends where words end.
            let pasted = pasted_end(rest, ends);
            return pasted.unwrap_or_else(|| close + bare(rest.get(close..).unwrap_or_default()));
        }
    }
    rest.len()
}

fn bare(rest: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    let mut characters = rest.char_indices();
    while let Some((at, c)) = characters.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, c) if depth == 0 && ends(c) => return at,
            (Some(_) | None, _) => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::text::lex::lex;
    use crate::text::word::word as written;

    #[test]
    fn divides_at_semicolons_that_are_said() {
        for (text, parts) in [
            ("", &[] as &[&str]),
            (" ; ;; ", &[]),
            ("show vpn vserver", &["show vpn vserver"]),
            ("a;b ; c;", &["a", "b", "c"]),
            (r#"a "x;y";b"#, &[r#"a "x;y""#, "b"]),
            (r#"a "x\";y";b"#, &[r#"a "x\";y""#, "b"]),
            ("a q/x;y/;b", &["a q/x;y/", "b"]),
            ("a q/x;y/z;b", &["a q/x", "y/z", "b"]),
            ("a f(x;y) ; b", &["a f(x;y)", "b"]),
            (r#"a x"y;z";b"#, &[r#"a x"y;z""#, "b"]),
            ("a -k;b", &["a -k", "b"]),
            ("a # b; c", &["a # b; c"]),
            ("a#b;c", &["a#b", "c"]),
            (r#"a "never; ends"#, &[r#"a "never; ends"#]),
            ("a f(never; ends", &["a f(never; ends"]),
            (r#"a -e "f("x;y")";b"#, &[r#"a -e "f("x;y")""#, "b"]),
        ] {
            assert_eq!(split(text), parts, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_joined_is_divided_again(lines in prop::collection::vec(prop::collection::vec("[a;\"'() #q/{}\\\\é-]{1,8}", 1..4), 1..5)) {
            // In a file a `;` is a character like any other, so it is printed bare; here it stands in quotes.
            let said = |word: &String| {
                let written = written(word);
                if written.contains(';') && matches!(written, Cow::Borrowed(_)) { format!("'{written}'") } else { written.into_owned() }
            };
            let lines: Vec<String> = lines.iter().map(|words| words.iter().map(said).collect::<Vec<_>>().join(" ")).collect();
            let joined = lines.join(";");
            let parts = split(&joined);
            prop_assert_eq!(&parts, &lines);
            for part in parts {
                prop_assert_eq!(lex(part).fault, None);
            }
        }

        #[test]
        fn any_text_is_divided(text in "\\PC{0,40}|[q/{}<>\"'\\\\();# a-]{0,40}") {
            for part in split(&text) {
                prop_assert!(text.contains(part) && !part.trim().is_empty());
            }
        }
    }
}
