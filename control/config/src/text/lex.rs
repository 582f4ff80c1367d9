//! One line to its words, each with its place.
//!
//! ```text
//!   add aaa user "Ann Lee" -password q/a"b/   # comment
//!   ─── ─── ──── ───────── ───────── ──────   ─────────
//!   word         quoted    keyword   q-string  dropped
//! ```
//!
//! The grammar is that of the NetScaler command line, with one rule made stricter: after a closing quote there must be a blank
//! or the end of the line. Pages all over the web print expressions whose inner quotes have lost their backslashes; read
//! liberally, such a line falls apart into words that nobody meant.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// Where something stands in its line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
    /// Column of the first character, in characters, counted from 1.
    pub column: usize,
    /// Characters covered.
    pub width: usize,
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `-name`; the value is without the dash.
    Keyword,
    /// Anything else.
    Word,
}

/// A word of a line.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Keyword or not.
    pub kind: Kind,
    /// What it says, quotes and escapes resolved. Wiped when dropped, since it may be a password.
    pub value: Zeroizing<String>,
    /// Where it stands, quotes included.
    pub span: Span,
}

/// Shows the place only: the value may be a password.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("kind", &self.kind).field("span", &self.span).finish_non_exhaustive()
    }
}

/// A line as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lexed {
    /// The words, in order; with a fault, those before it.
    pub tokens: Vec<Token>,
    /// What stopped the reading.
    pub fault: Option<Fault>,
}

/// What is wrong with a line before anybody knows what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Where.
    pub span: Span,
}

/// The ways in which a line can be unreadable. All are the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FaultKind {
    /// A quote that nothing closes. The span begins at the quote.
    #[error("this quote is not closed on the line")]
    UnmatchedQuote,
    /// A parenthesis without its other half. The span begins at the one.
    #[error("this parenthesis has no other half")]
    UnbalancedParenthesis,
    /// Something other than a blank directly behind a closing quote. The span is the rest of that word.
    #[error("a closing quote is followed by something other than a blank")]
    AfterQuote,
}

/// Delimiters of q-strings. `{` and `<` are closed by `}` and `>`, the others by themselves.
const Q_DELIMITERS: &str = "/{<|~$^+=&%@`?";

/// Reads one line. The line has no line end; a line feed in it counts as a blank.
#[must_use]
pub fn lex(line: &str) -> Lexed {
    let mut lexer = Lexer { line, at: 0, column: 1 };
    let mut lexed = Lexed::default();
    loop {
        lexer.skip(is_blank);
        let start = lexer.mark();
        let read = match lexer.peek() {
            None | Some('#') => return lexed,
            Some('-') => Ok(lexer.keyword()),
            Some(quote @ ('"' | '\'')) => lexer.quoted(quote),
            Some(_) => match lexer.q_string() {
                Some(value) => Ok((Kind::Word, value)),
                None => lexer.bare(),
            },
        };
        match read {
            Ok((kind, value)) => lexed.tokens.push(Token { kind, value, span: start.to(lexer.mark()) }),
            Err(fault) => {
                lexed.fault = Some(fault);
                return lexed;
            }
        }
    }
}

/// The delimiter that closes a q-string opened by `open`, if that opens one.
pub(super) fn q_closer(open: char) -> Option<char> {
    Q_DELIMITERS.contains(open).then_some(match open {
        '{' => '}',
        '<' => '>',
        itself => itself,
    })
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

type Read = Result<(Kind, Zeroizing<String>), Fault>;

/// A place between two characters.
#[derive(Clone, Copy)]
struct Mark {
    at: usize,
    column: usize,
}

impl Mark {
    const fn to(self, end: Self) -> Span {
        Span { start: self.at, end: end.at, column: self.column, width: end.column - self.column }
    }
}

struct Lexer<'l> {
    line: &'l str,
    at: usize,
    column: usize,
}

impl Lexer<'_> {
    fn mark(&self) -> Mark {
        Mark { at: self.at, column: self.column }
    }

    fn rest(&self) -> &str {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.column += 1;
        Some(c)
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
    }

    fn since(&self, start: usize) -> &str {
        self.line.get(start..self.at).unwrap_or_default()
    }

    fn keyword(&mut self) -> (Kind, Zeroizing<String>) {
        self.next();
        let start = self.at;
        self.skip(|c| !is_blank(c));
        (Kind::Keyword, Zeroizing::new(self.since(start).to_owned()))
    }

    /// `q` with a delimiter, up to the first closing one, if a blank or the end follows that. Otherwise nothing was read.
    fn q_string(&mut self) -> Option<Zeroizing<String>> {
        let after = self.rest().strip_prefix('q')?;
        let open = after.chars().next()?;
        let closer = q_closer(open)?;
        let (inner, behind) = after.get(open.len_utf8()..)?.split_once(closer)?;
        if behind.chars().next().is_some_and(|c| !is_blank(c)) {
            return None;
        }
        let value = Zeroizing::new(inner.to_owned());
        // `q`, both delimiters, and what is between them.
        let characters = 3 + value.chars().count();
        (0..characters).for_each(|_| {
            self.next();
        });
        Some(value)
    }

    /// A word in quotes.
    fn quoted(&mut self, quote: char) -> Read {
        let start = self.mark();
        self.next();
        let inner = self.at;
        while self.peek().is_some_and(|c| c != quote) {
            if self.next() == Some('\\') {
                self.next();
            }
        }
        let value = unescape(self.since(inner));
        if self.next().is_none() {
            return Err(Fault { kind: FaultKind::UnmatchedQuote, span: start.to(self.mark()) });
        }
        let behind = self.mark();
        self.skip(|c| !is_blank(c));
        if self.at == behind.at {
            Ok((Kind::Word, value))
        } else {
            Err(Fault { kind: FaultKind::AfterQuote, span: behind.to(self.mark()) })
        }
    }

    /// A word that begins without a quote. Quotes inside protect blanks and parentheses and stay, with their escapes, since the
    /// word is then an expression with a grammar of its own.
    fn bare(&mut self) -> Read {
        let start = self.at;
        let mut open = Vec::new();
        let mut quote: Option<(char, Mark)> = None;
        loop {
            let here = self.mark();
            let Some(c) = self.peek() else { break };
            if quote.is_none() && open.is_empty() && is_blank(c) {
                break;
            }
            self.next();
            match (quote, c) {
                (Some(_), '\\') => {
                    self.next();
                }
                (Some((q, _)), c) if c == q => quote = None,
                (None, '"' | '\'') => quote = Some((c, here)),
                (None, '(') => open.push(here),
                (None, ')') if open.pop().is_none() => {
                    return Err(Fault { kind: FaultKind::UnbalancedParenthesis, span: here.to(self.mark()) });
                }
                (Some(_) | None, _) => {}
            }
        }
        if let Some((_, from)) = quote {
            return Err(Fault { kind: FaultKind::UnmatchedQuote, span: from.to(self.mark()) });
        }
        match open.pop() {
            Some(from) => Err(Fault { kind: FaultKind::UnbalancedParenthesis, span: from.to(self.mark()) }),
            None => Ok((Kind::Word, Zeroizing::new(self.since(start).to_owned()))),
        }
    }
}

/// What the inside of a quoted word says. It never grows, so the value never moves and leaves no copy behind.
fn unescape(inner: &str) -> Zeroizing<String> {
    let mut value = Zeroizing::new(String::with_capacity(inner.len()));
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match (c, characters.clone().next()) {
            ('\\', Some(escaped)) => {
                characters.next();
                push_escaped(&mut value, escaped);
            }
            (c, _) => value.push(c),
        }
    }
    value
}

/// An unknown escape stays as it was written.
fn push_escaped(value: &mut String, escaped: char) {
    match escaped {
        't' => value.push('\t'),
        'n' => value.push('\n'),
        'r' => value.push('\r'),
        '"' | '\'' | '\\' => value.push(escaped),
        other => {
            value.push('\\');
            value.push(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values joined by `|`; keywords keep their dash.
    fn words(line: &str) -> String {
        let lexed = lex(line);
        assert_eq!(lexed.fault, None, "{line}");
        let show = |t: &Token| match t.kind {
            Kind::Keyword => format!("-{}", *t.value),
            Kind::Word => t.value.to_string(),
        };
        lexed.tokens.iter().map(show).collect::<Vec<_>>().join("|")
    }

    fn fault(line: &str) -> (FaultKind, usize) {
        let fault = lex(line).fault.unwrap();
        (fault.kind, fault.span.column)
    }

    /// The published table, with our stricter rule.
    #[test]
    fn reads_as_published() {
        for (written, read) in [
            ("q{abc{ q{abc}", "abc{ q{abc"),
            ("q{abc{", "q{abc{"),
            (r#"a"b c"d"#, r#"a"b c"d"#),
            (r#"'it"s'"#, r#"it"s"#),
            (r#""x\qy""#, r"x\qy"),
            (r#""a\"b""#, r#"a"b"#),
            (r#"-rule HTTP.REQ.HEADER("User Agent").CONTAINS("x y")"#, r#"-rule|HTTP.REQ.HEADER("User Agent").CONTAINS("x y")"#),
            (r#"q/sys.client_expr("proc_2_firefox")/"#, r#"sys.client_expr("proc_2_firefox")"#),
            (r#""sys.client_expr(\"proc_2_firefox\")""#, r#"sys.client_expr("proc_2_firefox")"#),
            (r#"sys.client_expr("proc_2_firefox")"#, r#"sys.client_expr("proc_2_firefox")"#),
        ] {
            assert_eq!(words(written), read, "{written}");
        }
        assert_eq!(fault(r#""a"b c"#), (FaultKind::AfterQuote, 4));
        assert_eq!(fault(r#""abc"#), (FaultKind::UnmatchedQuote, 1));
        assert_eq!(fault("f(a b"), (FaultKind::UnbalancedParenthesis, 2));
    }

    #[test]
    fn edges() {
        for (written, read) in [
            ("", ""),
            (" \t ", ""),
            ("# all comment", ""),
            ("a # comment \"", "a"),
            ("a#b", "a#b"),
            ("a\\", "a\\"),
            ("\"\"", ""),
            (r#""\t\n\r\"\'\\""#, "\t\n\r\"'\\"),
            ("'a\\'b'", "a'b"),
            ("-a -b c", "-a|-b|c"),
            ("-\"a b", "-\"a|b"),
            ("q/a b/ c", "a b|c"),
            ("q//", ""),
            // The first closing delimiter is not followed by a blank: an ordinary word.
            ("q/a/b/", "q/a/b/"),
            ("q", "q"),
            ("q?a?\tb", "a|b"),
            ("q<a>> b", "q<a>>|b"),
            (r#"f("a\" b)" c) d"#, r#"f("a\" b)" c)|d"#),
            ("日本 \"語 x\"", "日本|語 x"),
        ] {
            // A comment after an open quote, as in the fourth row, is never looked at.
            assert_eq!(words(written), read, "{written}");
        }
        assert_eq!(fault("a) b"), (FaultKind::UnbalancedParenthesis, 2));
        assert_eq!(fault("\"a\\"), (FaultKind::UnmatchedQuote, 1));
        assert_eq!(fault("x\"a"), (FaultKind::UnmatchedQuote, 2));
        assert_eq!(fault("x \"y\"# z"), (FaultKind::AfterQuote, 6));
    }

    #[test]
    fn the_pasted_expression_is_refused_where_it_falls_apart() {
        let line = r#"add authentication epaAction a -csecexpr "sys.client_expr("proc_2_firefox")""#;
        let lexed = lex(line);
        assert_eq!(lexed.tokens.len(), 5);
        let fault = lexed.fault.unwrap();
        assert_eq!(fault.kind, FaultKind::AfterQuote);
        assert_eq!(line.get(fault.span.start..fault.span.end), Some("proc_2_firefox\")\""));
    }

    #[test]
    fn columns_count_characters() {
        let lexed = lex("日本 \"語 x\" -k");
        let spans: Vec<_> = lexed.tokens.iter().map(|t| (t.span.column, t.span.width, t.span.start)).collect();
        assert_eq!(spans, [(1, 2, 0), (4, 5, 7), (10, 2, 15)]);
    }

    proptest! {
        #[test]
        fn any_line_is_read_to_an_end(line in "\\PC{0,60}|[q/{}<>\"'\\\\() #\\-a\t\n]{0,40}") {
            let lexed = lex(&line);
            let mut end = 0;
            for span in lexed.tokens.iter().map(|t| t.span).chain(lexed.fault.map(|f| f.span)) {
                prop_assert!(span.start >= end || lexed.fault.is_some_and(|f| f.span == span));
                prop_assert!(line.get(span.start..span.end).is_some());
                prop_assert_eq!(line[..span.start].chars().count() + 1, span.column);
                prop_assert_eq!(line[span.start..span.end].chars().count(), span.width);
                end = span.end;
            }
        }
    }
}
