//! What a client is asked about itself: strings that it evaluates, tied by `&&`, `||`, `!` and parentheses.
//!
//! ```text
//!   or    = and  { "||" and }
//!   and   = unary { "&&" unary }
//!   unary = { "!" } ( "(" or ")" | sys.client_expr ( "string" ) | name of an expression )
//!
//!   sys.client_expr("proc_0_a") && (macs || !sys.client_expr("proc_0_b"))
//!                   ────────        ────                     ────────
//!   asked:             0         those of macs                 last         in this order, whatever the answer to others is
//! ```

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use thiserror::Error;

use crate::expr::{NAMES_DEPTH_MAX, Names, Says};

use super::expression::has_control;

/// Longest client security expression, in characters. The product's own limit is not public; this is far beyond what 256 strings
/// of common length need, and a line holds it twice.
pub const CLIENT_EXPRESSION_CHARS_MAX: usize = 8191;
/// How many strings of one factor reach a client.
pub const CLIENT_STRINGS_MAX: usize = 256;
/// How many strings, names and operators an expression may have, with all that its names stand for.
pub const CLIENT_PARTS_MAX: usize = 8192;
/// How deep parentheses may stand in a client security expression.
const DEPTH_MAX: usize = 64;

/// What a client is asked about itself.
#[derive(Clone)]
pub struct ClientExpression {
    text: Box<str>,
    root: Arc<Part>,
}

/// A part of it.
#[derive(Debug)]
enum Part {
    /// A string, as it is written between the quotes.
    Asked(Box<str>),
    /// A named expression.
    Name(Box<str>),
    /// A name that is built in.
    Always(bool),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

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

/// Why a client security expression does not fit the names that there are. All are the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadClientNames {
    /// There is no such expression.
    #[error("there is no policy expression {0:?}")]
    Missing(Box<str>),
    /// It asks the client nothing.
    #[error("{0:?} is about a request or a user, not about what a client says of itself")]
    NotOfClients(Box<str>),
    /// Names stand for names, and so on.
    #[error("named expressions refer to others more than {NAMES_DEPTH_MAX} deep")]
    TooDeep,
    /// Too much, with all that its names stand for.
    #[error("with all that its names stand for, it has more than {CLIENT_PARTS_MAX} parts")]
    TooMany,
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
        let mut reader = Reader { rest: text.trim_start(), depth: 0 };
        let root = reader.any()?;
        match reader.rest.chars().next() {
            None => Ok(Self { text: text.into(), root: Arc::new(root) }),
            Some(other) => Err(NotAClientExpression::Unexpected(other)),
        }
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The strings that stand in it itself, in the order of the text, as they are written between the quotes. What its names stand for
    /// is not among them: see [`asked`](Self::asked).
    #[must_use]
    pub fn strings(&self) -> Vec<&str> {
        let mut strings = Vec::new();
        self.root.each(&mut |part| {
            if let Part::Asked(string) = part {
                strings.push(&**string);
            }
        });
        strings
    }

    /// All strings that a client is asked, in the order of the text, those of named expressions where their names stand. A name that is
    /// not there stands for none.
    #[must_use]
    pub fn asked<'e>(&'e self, names: &'e Names) -> Vec<&'e str> {
        let mut strings = Vec::new();
        Walk { names, parts: CLIENT_PARTS_MAX, depth: 0 }.part(&self.root, &mut |string| {
            strings.push(string);
            false
        });
        strings
    }

    /// Whether it is true. `passed` is told the place of a string in the order of [`asked`](Self::asked), and says whether the client
    /// answered yes. It is called once for each, in this order. A name that is not there is not true.
    pub fn holds(&self, passed: &mut dyn FnMut(usize) -> bool, names: &Names) -> bool {
        let mut place = 0;
        let mut walk = Walk { names, parts: CLIENT_PARTS_MAX, depth: 0 };
        walk.part(&self.root, &mut |_| {
            place += 1;
            passed(place - 1)
        })
        .unwrap_or(false)
    }

    /// The strings on whose account it is not true, in the order of the text: those that would have to be answered otherwise, alone or
    /// together with others. `passed` is as for [`holds`](Self::holds). Empty if it is true.
    pub fn lacking<'e>(&'e self, passed: &mut dyn FnMut(usize) -> bool, names: &'e Names) -> Vec<&'e str> {
        let mut place = 0;
        let mut passed = |_: &'e str| {
            place += 1;
            passed(place - 1)
        };
        Walk { names, parts: CLIENT_PARTS_MAX, depth: 0 }.lacking(&self.root, true, &mut passed).1
    }

    /// Whether all names in it are there and ask the client something.
    ///
    /// # Errors
    /// [`BadClientNames`] says which is not.
    pub fn judge(&self, names: &Names) -> Result<(), BadClientNames> {
        let mut walk = Walk { names, parts: CLIENT_PARTS_MAX, depth: 0 };
        walk.checked(&self.root)
    }

    /// Names of expressions that stand in it.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.root.each(&mut |part| {
            if let Part::Name(name) = part {
                names.push(&**name);
            }
        });
        names
    }
}

impl PartialEq for ClientExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ClientExpression {}

impl Hash for ClientExpression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for ClientExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientExpression").field(&self.text).finish()
    }
}

impl fmt::Display for ClientExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Part {
    /// Goes through all parts, left to right.
    fn each<'p>(&'p self, seen: &mut dyn FnMut(&'p Self)) {
        seen(self);
        match self {
            Self::Asked(_) | Self::Name(_) | Self::Always(_) => {}
            Self::Not(inner) => inner.each(seen),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each(seen)),
        }
    }
}

/// Goes through an expression with all that its names stand for.
struct Walk<'e> {
    names: &'e Names,
    /// How many parts may still come.
    parts: usize,
    /// How many names stand for each other.
    depth: usize,
}

impl<'e> Walk<'e> {
    /// What a name stands for.
    fn named(&self, name: &str) -> Result<&'e ClientExpression, BadClientNames> {
        if self.depth >= NAMES_DEPTH_MAX {
            return Err(BadClientNames::TooDeep);
        }
        match self.names.expression(name).map(|found| &found.says) {
            None => Err(BadClientNames::Missing(name.into())),
            Some(Says::Of(_)) => Err(BadClientNames::NotOfClients(name.into())),
            Some(Says::Client(expression)) => Ok(expression),
        }
    }

    fn count(&mut self) -> bool {
        let left = self.parts.checked_sub(1);
        self.parts = left.unwrap_or_default();
        left.is_some()
    }

    /// The value of a part. All strings are asked for, though the answer may be known before. `None`: there is none.
    fn part(&mut self, part: &'e Part, passed: &mut dyn FnMut(&'e str) -> bool) -> Option<bool> {
        if !self.count() {
            return None;
        }
        match part {
            Part::Asked(string) => Some(passed(string)),
            Part::Always(value) => Some(*value),
            Part::Name(name) => {
                let expression = self.named(name).ok()?;
                self.depth += 1;
                let value = self.part(&expression.root, passed);
                self.depth -= 1;
                value
            }
            Part::Not(inner) => self.part(inner, passed).map(|value| !value),
            // Without a value of one part there is none of the whole, but what follows must still be asked for.
            Part::All(parts) => self.each(parts, passed).map(|values| values.into_iter().all(|value| value)),
            Part::Any(parts) => self.each(parts, passed).map(|values| values.into_iter().any(|value| value)),
        }
    }

    fn each(&mut self, parts: &'e [Part], passed: &mut dyn FnMut(&'e str) -> bool) -> Option<Vec<bool>> {
        let values: Vec<Option<bool>> = parts.iter().map(|part| self.part(part, passed)).collect();
        values.into_iter().collect()
    }

    /// The value of a part, and the strings on whose account it is not `wanted`. What has no value is never as wanted.
    fn lacking(&mut self, part: &'e Part, wanted: bool, passed: &mut dyn FnMut(&'e str) -> bool) -> (Option<bool>, Vec<&'e str>) {
        if !self.count() {
            return (None, Vec::new());
        }
        let (value, mut lacking) = match part {
            Part::Asked(string) => (Some(passed(string)), vec![&**string]),
            Part::Always(value) => (Some(*value), Vec::new()),
            Part::Name(name) => match self.named(name) {
                Err(_) => (None, Vec::new()),
                Ok(expression) => {
                    self.depth += 1;
                    let found = self.lacking(&expression.root, wanted, passed);
                    self.depth -= 1;
                    found
                }
            },
            Part::Not(inner) => {
                let (value, lacking) = self.lacking(inner, !wanted, passed);
                (value.map(|value| !value), lacking)
            }
            Part::All(parts) | Part::Any(parts) => {
                let found: Vec<_> = parts.iter().map(|part| self.lacking(part, wanted, passed)).collect();
                let values: Option<Vec<bool>> = found.iter().map(|(value, _)| *value).collect();
                let is_all = matches!(part, Part::All(_));
                let tied = |values: Vec<bool>| if is_all { values.iter().all(|v| *v) } else { values.iter().any(|v| *v) };
                (values.map(tied), found.into_iter().flat_map(|(_, lacking)| lacking).collect())
            }
        };
        if value == Some(wanted) {
            lacking.clear();
        }
        (value, lacking)
    }

    fn checked(&mut self, part: &'e Part) -> Result<(), BadClientNames> {
        if !self.count() {
            return Err(BadClientNames::TooMany);
        }
        match part {
            Part::Asked(_) | Part::Always(_) => Ok(()),
            Part::Name(name) => {
                let expression = self.named(name)?;
                self.depth += 1;
                self.checked(&expression.root)?;
                self.depth -= 1;
                Ok(())
            }
            Part::Not(inner) => self.checked(inner),
            Part::All(parts) | Part::Any(parts) => parts.iter().try_for_each(|part| self.checked(part)),
        }
    }
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn sign(&mut self, sign: &str) -> bool {
        let behind = self.rest.strip_prefix(sign);
        if let Some(behind) = behind {
            self.rest = behind.trim_start();
        }
        behind.is_some()
    }

    fn any(&mut self) -> Result<Part, NotAClientExpression> {
        self.tied("||", Self::all, Part::Any)
    }

    fn all(&mut self) -> Result<Part, NotAClientExpression> {
        self.tied("&&", Self::unary, Part::All)
    }

    fn tied(
        &mut self,
        sign: &str,
        inner: fn(&mut Self) -> Result<Part, NotAClientExpression>,
        tie: fn(Vec<Part>) -> Part,
    ) -> Result<Part, NotAClientExpression> {
        let first = inner(self)?;
        if !self.sign(sign) {
            return Ok(first);
        }
        let mut parts = vec![first, inner(self)?];
        while self.sign(sign) {
            parts.push(inner(self)?);
        }
        Ok(tie(parts))
    }

    fn unary(&mut self) -> Result<Part, NotAClientExpression> {
        use NotAClientExpression::{NoString, TooDeep, Unexpected, Unfinished};
        let mut not = false;
        while self.sign("!") {
            not = !not;
        }
        let part = if self.sign("(") {
            if self.depth >= DEPTH_MAX {
                return Err(TooDeep);
            }
            self.depth += 1;
            let inner = self.any()?;
            self.depth -= 1;
            if !self.sign(")") {
                return Err(self.rest.chars().next().map_or(Unfinished, Unexpected));
            }
            inner
        } else {
            let first = self.rest.chars().next().ok_or(Unfinished)?;
            if !(first.is_alphabetic() || first == '_') {
                return Err(Unexpected(first));
            }
            let end = self.rest.find(|c: char| !(c.is_alphanumeric() || "_.-".contains(c))).unwrap_or(self.rest.len());
            let (name, behind) = self.rest.split_at(end);
            self.rest = behind.trim_start();
            match name.to_ascii_lowercase().as_str() {
                "sys.client_expr" => {
                    let (string, behind) = quoted(self.rest).ok_or(NoString)?;
                    self.rest = behind.trim_start();
                    Part::Asked(string.into())
                }
                _ if self.rest.starts_with(['(', '"']) => {
                    return Err(Unexpected(self.rest.chars().next().unwrap_or('(')));
                }
                "true" | "ns_true" => Part::Always(true),
                "false" | "ns_false" => Part::Always(false),
                _ => Part::Name(name.into()),
            }
        };
        Ok(if not { Part::Not(Box::new(part)) } else { part })
    }
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
    use crate::expr::{ExpressionName, NamedExpression};

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

    fn names(named: &[(&str, &str)]) -> Names {
        let mut names = Names::default();
        for (name, text) in named {
            let says = match ClientExpression::parse(text) {
                Ok(expression) => Says::Client(expression),
                Err(not) => panic!("{text}: {not}"),
            };
            let expression = NamedExpression { says, comment: None };
            names.expressions.add(ExpressionName::parse(name).unwrap(), expression).unwrap();
        }
        names
    }

    /// The text with its strings named by letters, and those to which the answer is yes.
    fn holds(text: &str, yes: &str, names: &Names) -> bool {
        let expression = ClientExpression::parse(text).unwrap();
        let asked: Vec<String> = expression.asked(names).into_iter().map(str::to_owned).collect();
        let mut places = Vec::new();
        let holds = expression.holds(
            &mut |place| {
                places.push(place);
                yes.contains(asked[place].as_str())
            },
            names,
        );
        assert_eq!(places, (0..asked.len()).collect::<Vec<_>>(), "{text}");
        holds
    }

    #[test]
    fn and_binds_tighter_than_or() {
        let none = Names::default();
        let s = |letter: &str| format!("sys.client_expr(\"{letter}\")");
        let (a, b, c) = (&s("a"), &s("b"), &s("c"));
        for (text, yes) in [
            (format!("{a} || {b} && {c}"), &["a", "ab", "ac", "bc", "abc"][..]),
            (format!("({a} || {b}) && {c}"), &["ac", "bc", "abc"]),
            (format!("!{a} && {b}"), &["b", "bc"]),
            (format!("!!({a} && !{b})"), &["a", "ac"]),
            (format!("!({a} || {b}) || {c}"), &["", "c", "ac", "bc", "abc"]),
            (format!("true && {a}"), &["a", "ab", "ac", "abc"]),
            (format!("ns_false || {a}"), &["a", "ab", "ac", "abc"]),
        ] {
            for answers in ["", "a", "b", "c", "ab", "ac", "bc", "abc"] {
                assert_eq!(holds(&text, answers, &none), yes.contains(&answers), "{text} with {answers}");
            }
        }
    }

    #[test]
    fn what_is_lacking_is_what_would_have_to_be_otherwise() {
        let names = names(&[("macs", r#"sys.client_expr("m") || sys.client_expr("n")"#)]);
        let s = |letter: &str| format!("sys.client_expr(\"{letter}\")");
        let (a, b, c) = (&s("a"), &s("b"), &s("c"));
        for (text, yes, lacking) in [
            (a.clone(), "", &["a"][..]),
            (a.clone(), "a", &[]),
            (format!("{a} && {b}"), "a", &["b"]),
            (format!("{a} && {b}"), "", &["a", "b"]),
            (format!("{a} || {b}"), "", &["a", "b"]),
            (format!("{a} || {b} && {c}"), "b", &["a", "c"]),
            (format!("!{a} && {b}"), "a", &["a", "b"]),
            (format!("!{a} && {b}"), "", &["b"]),
            (format!("!({a} || {b})"), "b", &["b"]),
            (format!("!({a} && {b})"), "ab", &["a", "b"]),
            (format!("macs && {a}"), "n", &["a"]),
            (format!("macs && {a}"), "a", &["m", "n"]),
            (format!("false || {a}"), "", &["a"]),
            (format!("nobody || {a}"), "", &["a"]),
        ] {
            let expression = ClientExpression::parse(&text).unwrap();
            let asked = expression.asked(&names);
            assert_eq!(expression.lacking(&mut |at| yes.contains(asked[at]), &names), lacking, "{text} with {yes}");
        }
    }

    #[test]
    fn names_stand_for_what_they_name() {
        let names =
            names(&[("macs", r#"sys.client_expr("m") || sys.client_expr("n")"#), ("both", r#"macs && sys.client_expr("p")"#)]);
        let text = r#"sys.client_expr("a") || !both && sys.client_expr("z")"#;
        let expression = ClientExpression::parse(text).unwrap();
        assert_eq!(expression.asked(&names), ["a", "m", "n", "p", "z"]);
        assert_eq!(expression.names(), ["both"]);
        assert_eq!(expression.judge(&names), Ok(()));
        assert!(holds(text, "z", &names) && holds(text, "mz", &names) && holds(text, "a", &names));
        assert!(!holds(text, "mpz", &names) && !holds(text, "m", &names));
    }

    #[test]
    fn what_is_not_there_is_not_true_either_way() {
        let empty = Names::default();
        let missing = ClientExpression::parse(r#"!nobody && sys.client_expr("a")"#).unwrap();
        assert_eq!(missing.judge(&empty), Err(BadClientNames::Missing("nobody".into())));
        assert_eq!(missing.asked(&empty), ["a"]);
        assert!(!missing.holds(&mut |_| true, &empty));
    }

    #[test]
    fn names_do_not_grow_without_end() {
        let wide = |name: &str| vec![name; 200].join(" || ");
        let (one, two, three) = (wide("e0"), wide("e1"), wide("e2"));
        let names = names(&[("e0", r#"sys.client_expr("a")"#), ("e1", &one), ("e2", &two), ("e3", &three)]);
        let expression = ClientExpression::parse("e3").unwrap();
        assert_eq!(expression.judge(&names), Err(BadClientNames::TooMany));
        assert!(expression.asked(&names).len() < CLIENT_PARTS_MAX);
        assert!(!expression.holds(&mut |_| true, &names));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "([!()&| ]|sys\\.client_expr|\\(\"|\"\\)|\\PC){0,12}") {
            if let Ok(expression) = ClientExpression::parse(&text) {
                let names = Names::default();
                prop_assert!(expression.strings().len() <= text.to_lowercase().matches("sys.client_expr").count());
                prop_assert!(!text.contains('"') || !expression.strings().is_empty());
                prop_assert_eq!(expression.asked(&names), expression.strings());
                expression.holds(&mut |_| true, &names);
            }
        }
    }
}
