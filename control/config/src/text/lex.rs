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
//! liberally, such a line falls apart into words that nobody meant. [`lex_pasted`] understands those of them that can mean one
//! thing only, and says which they are, so that the proper form can be shown.

use std::fmt;
use std::ops::Range;

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
    /// Which of the words had quotes in it that lost their backslashes; see [`lex_pasted`].
    pub pasted: Vec<usize>,
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
    read(line, false)
}

/// Reads one line like [`lex`], and understands a quoted expression whose inner quotes are not escaped, as pages print it:
///
/// ```text
///   "sys.client_expr("proc_2_firefox")"      read as      sys.client_expr("proc_2_firefox")
/// ```
///
/// Only if it can mean one thing: each inner quote stands inside parentheses, opens behind `(`, a comma or an operator, and is closed
/// before the like; parentheses balance; there is no backslash; and the first quote outside of parentheses is followed by a blank or
/// the end of the line.
#[must_use]
pub fn lex_pasted(line: &str) -> Lexed {
    read(line, true)
}

/// Where the quoted word that `text` begins with ends, closing quote included, if its inner quotes lost their backslashes and it can
/// mean one thing only. `ends` says what may follow a word.
pub(super) fn pasted_end(text: &str, ends: impl Fn(char) -> bool) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    if characters.next()?.1 != '"' {
        return None;
    }
    let (mut depth, mut inside, mut quotes, mut before) = (0_usize, false, 0_usize, '"');
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => return None,
            '"' if depth == 0 => {
                let next = characters.peek().map(|(_, c)| *c);
                return (quotes > 0 && next.is_none_or(ends)).then_some(at + 1);
            }
            '"' if inside => {
                let next = text.get(at + 1..)?.trim_start_matches(is_blank).chars().next()?;
                if !joins(next) && next != ')' {
                    return None;
                }
                inside = false;
            }
            '"' => {
                if !joins(before) && before != '(' {
                    return None;
                }
                (inside, quotes) = (true, quotes + 1);
            }
            '(' if !inside => depth += 1,
            ')' if !inside => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if !is_blank(c) {
            before = c;
        }
    }
    None
}

/// What stands between two operands.
const fn joins(c: char) -> bool {
    matches!(c, ',' | '+' | '=' | '!' | '<' | '>' | '&' | '|')
}

fn read(line: &str, pasted: bool) -> Lexed {
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
                let end = pasted_end(line.get(start.at..).unwrap_or_default(), is_blank);
                let (true, FaultKind::AfterQuote, Some(end)) = (pasted, fault.kind, end) else {
                    lexed.fault = Some(fault);
                    return lexed;
                };
                lexer.back(start);
                lexer.forward(start.at + end);
                let inner = line.get(start.at + 1..start.at + end - 1).unwrap_or_default();
                let value = Zeroizing::new(inner.to_owned());
                lexed.pasted.push(lexed.tokens.len());
                lexed.tokens.push(Token { kind: Kind::Word, value, span: start.to(lexer.mark()) });
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

pub(crate) const fn is_blank(c: char) -> bool {
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

    fn back(&mut self, to: Mark) {
        (self.at, self.column) = (to.at, to.column);
    }

    /// On to byte `to`, which is between two characters.
    fn forward(&mut self, to: usize) {
        while self.at < to && self.next().is_some() {}
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

/// Where a part of what a word says stands in its line. `part` is in bytes of the value; an empty part is one character wide.
pub(crate) fn inside(line: &str, word: Span, part: &Range<usize>) -> Span {
    let raw = line.get(word.start..word.end).unwrap_or_default();
    let mut characters = raw.chars();
    let first = characters.next();
    let quoted = matches!(first, Some('"' | '\''));
    let delimited = first == Some('q') && characters.next().and_then(q_closer).is_some_and(|close| raw.ends_with(close));
    let opening = if quoted {
        1
    } else if delimited {
        2
    } else {
        0
    };
    let (mut said, mut at) = (0, Mark { at: word.start, column: word.column });
    let (mut from, mut to) = (None, None);
    let mut rest = raw.chars().peekable();
    for _ in 0..opening {
        if let Some(c) = rest.next() {
            at = Mark { at: at.at + c.len_utf8(), column: at.column + 1 };
        }
    }
    while let Some(c) = rest.next() {
        if said >= part.start && from.is_none() {
            from = Some(at);
        }
        if said >= part.end && from.is_some() {
            to = Some(at);
            break;
        }
        at = Mark { at: at.at + c.len_utf8(), column: at.column + 1 };
        said += c.len_utf8();
        if quoted
            && c == '\\'
            && let Some(escaped) = rest.next_if(|c| matches!(c, 't' | 'n' | 'r' | '"' | '\'' | '\\'))
        {
            at = Mark { at: at.at + escaped.len_utf8(), column: at.column + 1 };
        }
    }
    let from = from.unwrap_or(at);
    let end = to.unwrap_or(at);
    if end.column > from.column {
        return from.to(end);
    }
    let next = line.get(from.at..word.end).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    from.to(Mark { at: from.at + next, column: from.column + 1 })
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

    #[test]
    fn a_part_of_a_word_is_found_in_its_line() {
        for (line, part, found) in [
            (r#"add x "a(\"b\").c" y"#, 4..5, "\\\""),
            (r#"add x "a(\"b\").c" y"#, 7..8, "c"),
            (r#"add x q/a("b").c/ y"#, 7..8, "c"),
            (r#"add x a("b").c y"#, 7..8, "c"),
            (r#"add x 'ä\qc' y"#, 4..5, "c"),
            (r#"add x "a" y"#, 1..1, "\""),
            (r#"add x a y"#, 1..1, ""),
        ] {
            let word = lex(line).tokens[2].span;
            let span = inside(line, word, &part);
            assert_eq!(&line[span.start..span.end], found, "{line}");
            assert_eq!(line[..span.start].chars().count() + 1, span.column, "{line}");
            assert_eq!(span.width, found.chars().count().max(1), "{line}");
        }
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
    fn a_pasted_expression_is_understood_where_it_can_mean_one_thing() {
        let understood = |line: &str| {
            let lexed = lex_pasted(line);
            let value = |at: &usize| lexed.tokens[*at].value.to_string();
            (lexed.fault.map(|fault| fault.kind), lexed.pasted.iter().map(value).collect::<Vec<_>>(), lexed.tokens.len())
        };
        for (written, read) in [
            (r#""sys.client_expr("proc_2_firefox")""#, r#"sys.client_expr("proc_2_firefox")"#),
            (
                r#""HTTP.REQ.HEADER("User-Agent").CONTAINS("Citrix Receiver")""#,
                r#"HTTP.REQ.HEADER("User-Agent").CONTAINS("Citrix Receiver")"#,
            ),
            (r#""f("a" , "b(")""#, r#"f("a" , "b(")"#),
            (r#""f("") && (x == "y")""#, r#"f("") && (x == "y")"#),
            (r#""(("a" + "é") )""#, r#"(("a" + "é") )"#),
        ] {
            for (before, behind, words) in [("", "", 1), ("add x -e ", r#" -k "v w""#, 6)] {
                let line = format!("{before}{written}{behind}");
                assert_eq!(understood(&line), (None, vec![read.to_owned()], words), "{line}");
                assert_eq!(lex(&line).fault.map(|fault| fault.kind), Some(FaultKind::AfterQuote), "{line}");
            }
        }
        for line in [
            r#""a"b c"#,
            r#""a"b "c""#,
            r#""f("a"b")""#,
            r#""f("a"b"#,
            r#""f("a")"x"#,
            r#""f("a\")""#,
            r#""f(\"a\" + "b")""#,
            r#""f(x"y")""#,
            r#"'f('a')'"#,
            r#""f("a"))""#,
            r#""f(("a")""#,
        ] {
            assert_eq!(understood(line).0, Some(FaultKind::AfterQuote), "{line}");
        }
        // What can be read without guessing is read so.
        assert_eq!(understood(r#""f(" x")""#), (None, Vec::new(), 2));
    }

    #[test]
    fn columns_count_characters() {
        let lexed = lex("日本 \"語 x\" -k");
        let spans: Vec<_> = lexed.tokens.iter().map(|t| (t.span.column, t.span.width, t.span.start)).collect();
        assert_eq!(spans, [(1, 2, 0), (4, 5, 7), (10, 2, 15)]);
    }

    proptest! {
        #[test]
        fn a_line_that_can_be_read_is_never_guessed_at(line in "\\PC{0,60}|[q/\"'\\\\(), #\\-a]{0,40}") {
            let strict = lex(&line);
            let pasted = lex_pasted(&line);
            if strict.fault.is_none() {
                prop_assert_eq!(&strict, &pasted);
            }
            prop_assert_eq!(pasted.tokens.get(..strict.tokens.len()), Some(strict.tokens.as_slice()));
            // What is understood is what its proper form says.
            for at in &pasted.pasted {
                let value = pasted.tokens[*at].value.as_str();
                let proper = lex(&crate::text::word::word(value));
                prop_assert_eq!(proper.tokens.first().map(|t| t.value.as_str()), Some(value));
            }
        }

        #[test]
        fn a_printed_expression_without_its_backslashes_is_understood(
            parts in prop::collection::vec(("[a-z.]{1,6}", prop::collection::vec("[a-z0-9 ();é-]{0,5}", 1..3)), 1..4)
        ) {
            let call = |(name, arguments): &(String, Vec<String>)| {
                let arguments: Vec<_> = arguments.iter().map(|a| format!("\"{a}\"")).collect();
                format!("{name}({})", arguments.join(","))
            };
            let expression = parts.iter().map(call).collect::<Vec<_>>().join(" && ");
            let proper = crate::text::word::word(&expression);
            let line = format!("x {} y", proper.replace('\\', ""));
            let lexed = lex_pasted(&line);
            let strict = lex(&line);
            // A blank behind an inner quote makes words that nobody has to guess at.
            if strict.fault.is_some_and(|fault| fault.kind == FaultKind::AfterQuote) && strict.tokens.len() == 1 {
                prop_assert_eq!(lexed.fault, None, "{}", line);
                prop_assert_eq!(lexed.tokens[1].value.as_str(), expression.as_str());
            }
        }

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
