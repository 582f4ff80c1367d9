//! Expressions as text, checked as far as can be said without knowing what they mean: length, no control characters, and for those
//! that a client evaluates, their shape.

use std::fmt;

use thiserror::Error;

/// Longest rule or expression, in characters.
pub const EXPRESSION_CHARS_MAX: usize = 1500;
/// Longest rule of a classic policy, in characters.
pub const CLASSIC_RULE_CHARS_MAX: usize = 800;
/// Longest client security expression, in characters. The product's own limit is not public; this is far beyond what 256 strings
/// of common length need, and a line holds it twice.
pub const CLIENT_EXPRESSION_CHARS_MAX: usize = 8191;
/// How many strings of one factor reach a client.
pub const CLIENT_STRINGS_MAX: usize = 256;
/// How deep parentheses may stand in a client security expression.
const DEPTH_MAX: usize = 64;

/// A rule or another expression of policies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expression(Box<str>);

/// Why a text is no expression. All are the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAnExpression {
    /// Nothing there.
    #[error("an expression cannot be empty")]
    Empty,
    /// More than [`EXPRESSION_CHARS_MAX`] characters.
    #[error("an expression has at most {EXPRESSION_CHARS_MAX} characters")]
    TooLong,
    /// A character that nobody sees.
    #[error("an expression has no control characters but tab and line feed")]
    Control,
}

impl Expression {
    /// Takes a text as it is.
    ///
    /// # Errors
    /// [`NotAnExpression`] says which rule is broken.
    pub fn parse(text: &str) -> Result<Self, NotAnExpression> {
        if text.trim().is_empty() {
            return Err(NotAnExpression::Empty);
        }
        if text.chars().count() > EXPRESSION_CHARS_MAX {
            return Err(NotAnExpression::TooLong);
        }
        if has_control(text) {
            return Err(NotAnExpression::Control);
        }
        Ok(Self(text.into()))
    }

    /// The one that is always true.
    #[must_use]
    pub fn always() -> Self {
        Self("true".into())
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

/// What a client is asked about itself: strings that it evaluates, tied by `&&`, `||`, `!` and parentheses.
///
/// ```text
///   or    = and  { "||" and }
///   and   = unary { "&&" unary }
///   unary = "!" unary | "(" or ")" | sys.client_expr ( "string" ) | name of an expression
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientExpression(Box<str>);

/// Why a text is no client security expression. All are the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAClientExpression {
    /// Nothing there.
    #[error("a client security expression cannot be empty")]
    Empty,
    /// More than [`CLIENT_EXPRESSION_CHARS_MAX`] characters.
    #[error("a client security expression has at most {CLIENT_EXPRESSION_CHARS_MAX} characters")]
    TooLong,
    /// A character that nobody sees.
    #[error("a client security expression has no control characters but tab and line feed")]
    Control,
    /// It ends where something must follow: after an operator, in a string, in a parenthesis.
    #[error("the expression ends before it is complete")]
    Unfinished,
    /// Something else than what can stand here; the character is the first of it.
    #[error("{0:?} is not what can stand here")]
    Unexpected(char),
    /// `sys.client_expr` without its string in parentheses and quotes.
    #[error("behind sys.client_expr there must be a string in parentheses and quotes")]
    NoString,
    /// Parentheses in parentheses, and so on.
    #[error("parentheses stand more than {DEPTH_MAX} deep")]
    TooDeep,
}

impl ClientExpression {
    /// Checks the shape. What the strings mean is the client's business.
    ///
    /// # Errors
    /// [`NotAClientExpression`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, NotAClientExpression> {
        if text.trim().is_empty() {
            return Err(NotAClientExpression::Empty);
        }
        if text.chars().count() > CLIENT_EXPRESSION_CHARS_MAX {
            return Err(NotAClientExpression::TooLong);
        }
        if has_control(text) {
            return Err(NotAClientExpression::Control);
        }
        walk(text, &mut |_| ()).map(|()| Self(text.into()))
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The strings that the client evaluates, in the order of the text, as they are written between the quotes.
    #[must_use]
    pub fn strings(&self) -> Vec<&str> {
        let mut strings = Vec::new();
        // It was walked when it was parsed.
        let _: Result<(), NotAClientExpression> = walk(&self.0, &mut |string| strings.push(string));
        strings
    }
}

impl fmt::Display for ClientExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Goes through an expression, left to right. What is tied to what does not matter for its shape, so a state and a depth are enough.
fn walk<'t>(text: &'t str, string: &mut impl FnMut(&'t str)) -> Result<(), NotAClientExpression> {
    use NotAClientExpression::{NoString, TooDeep, Unexpected, Unfinished};
    let mut rest = text.trim_start();
    let mut depth = 0_usize;
    // Whether a test, and not an operator, must come next.
    let mut test = true;
    while let Some(first) = rest.chars().next() {
        let next = if test {
            match first {
                '!' => &rest[1..],
                '(' => {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return Err(TooDeep);
                    }
                    &rest[1..]
                }
                c if c.is_alphabetic() || c == '_' => {
                    test = false;
                    let end = rest.find(|c: char| !(c.is_alphanumeric() || "_.-".contains(c))).unwrap_or(rest.len());
                    let (name, behind) = rest.split_at(end);
                    if name.eq_ignore_ascii_case("sys.client_expr") {
                        let (found, behind) = quoted(behind).ok_or(NoString)?;
                        string(found);
                        behind
                    } else if behind.trim_start().starts_with(['(', '"']) {
                        return Err(Unexpected(behind.trim_start().chars().next().unwrap_or('(')));
                    } else {
                        behind
                    }
                }
                other => return Err(Unexpected(other)),
            }
        } else if let Some(behind) = rest.strip_prefix("&&").or_else(|| rest.strip_prefix("||")) {
            test = true;
            behind
        } else if first == ')' && depth > 0 {
            depth -= 1;
            &rest[1..]
        } else {
            return Err(Unexpected(first));
        };
        rest = next.trim_start();
    }
    if test || depth > 0 { Err(Unfinished) } else { Ok(()) }
}

/// `("string")`, and what is behind it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.trim_start().strip_prefix('(')?.trim_start().strip_prefix('"')?;
    let (string, behind) = inside.split_once('"')?;
    let behind = behind.trim_start().strip_prefix(')')?;
    (!string.trim().is_empty()).then_some((string, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expressions_are_neither_empty_nor_long() {
        let longest = "a".repeat(EXPRESSION_CHARS_MAX);
        assert_eq!(Expression::parse(&longest).map(|e| e.to_string()), Ok(longest.clone()));
        assert_eq!(Expression::parse(&format!("{longest}a")), Err(NotAnExpression::TooLong));
        assert_eq!(Expression::parse(" \t"), Err(NotAnExpression::Empty));
        assert_eq!(Expression::parse("a\u{1b}"), Err(NotAnExpression::Control));
    }

    #[test]
    fn client_expressions_as_they_are_published_are_understood() {
        for (text, strings) in [
            (r#"sys.client_expr("proc_2_firefox")"#, &["proc_2_firefox"][..]),
            (r#"SYS.CLIENT_EXPR ( "proc_0_perl" )"#, &["proc_0_perl"]),
            (
                r#"sys.client_expr("app_0_MAC-BROWSER_1001_VERSION_<=_10.0.3")||sys.client_expr("os_0_win7_sp_1")"#,
                &["app_0_MAC-BROWSER_1001_VERSION_<=_10.0.3", "os_0_win7_sp_1"],
            ),
            (r#"!(sys.client_expr("a") && !sys.client_expr("b")) || macs"#, &["a", "b"]),
            (
                r#"sys.client_expr("sys_0_MAC_ADDR_anyof_1AC89C83B0F7[COMMENT: MAC (first) && more]")"#,
                &["sys_0_MAC_ADDR_anyof_1AC89C83B0F7[COMMENT: MAC (first) && more]"],
            ),
            ("allowed_macs", &[]),
        ] {
            assert_eq!(ClientExpression::parse(text).as_ref().map(ClientExpression::strings), Ok(strings.to_vec()), "{text}");
        }
    }

    #[test]
    fn broken_client_expressions_are_told_apart() {
        use NotAClientExpression as Not;
        for (text, not) in [
            ("", Not::Empty),
            ("sys.client_expr(", Not::NoString),
            ("sys.client_expr(proc_2_firefox)", Not::NoString),
            (r#"sys.client_expr("")"#, Not::NoString),
            (r#"sys.client_expr("a"#, Not::NoString),
            (r#"proc_2_firefox")"#, Not::Unexpected('"')),
            ("proc_2_firefox)", Not::Unexpected(')')),
            (r#"sys.client_exp("a")"#, Not::Unexpected('(')),
            (r#"sys.client_expr("a") sys.client_expr("b")"#, Not::Unexpected('s')),
            (r#"sys.client_expr("a") & sys.client_expr("b")"#, Not::Unexpected('&')),
            (r#"sys.client_expr("a") &&"#, Not::Unfinished),
            (r#"(sys.client_expr("a")"#, Not::Unfinished),
            (r#"&& sys.client_expr("a")"#, Not::Unexpected('&')),
            ("\"true\"", Not::Unexpected('"')),
            ("a\u{7}", Not::Control),
        ] {
            assert_eq!(ClientExpression::parse(text), Err(not), "{text}");
        }
        assert_eq!(ClientExpression::parse(&format!("{}a{}", "(".repeat(65), ")".repeat(65))), Err(Not::TooDeep));
        assert_eq!(ClientExpression::parse(&"a".repeat(8192)), Err(Not::TooLong));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "([!()&| ]|sys\\.client_expr|\\(\"|\"\\)|\\PC){0,12}") {
            if let Ok(expression) = ClientExpression::parse(&text) {
                prop_assert!(expression.strings().len() <= text.to_lowercase().matches("sys.client_expr").count());
                prop_assert!(!text.contains('"') || !expression.strings().is_empty());
            }
        }
    }
}
