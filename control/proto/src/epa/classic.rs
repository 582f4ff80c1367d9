//! Classic client expressions to client strings: the old language in which the client's machine was asked.
//!
//! ```text
//!   CLIENT.APPLICATION.PROCESS(firefox) EXISTS -frequency 2      sys.client_expr("proc_2_firefox")
//!   CLIENT.SVC(telnetd) NOTEXISTS                                !sys.client_expr("svc_0_telnetd")
//!   CLIENT.APPLICATION('HD-ENC_180_VERSION_<_2.2[COMMENT: c]') EXISTS
//!                                                                sys.client_expr("app_0_HD-ENC_180_VERSION_<_2.2")
//!   CLIENT.REG('HKLM\\X').VALUE == 5                             sys.client_expr("reg_0_HKLM\\X_VALUE_==_5")
//! ```
//!
//! Tests are joined by `&&`, `||`, `!` and parentheses, and stand beside `sys.client_expr` and what is known without asking: `ns_true`,
//! `ns_false`. What stands in parentheses goes into the string as it is, and so does a comparison, as `_METHOD_operator_value`: only the client
//! understands either. That `PROCESS`, `APPLICATION(…)` and `SYSTEM(…)` become these strings is known; the others follow from them.

use std::fmt::{self, Write as _};

use thiserror::Error;

use super::client_string::{BadClientString, ClientString, Kind, minutes, without_comment};

/// Longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 8191;
/// How deep parentheses and `!` may stand.
pub const DEPTH_MAX: usize = 32;

/// What a client is asked for an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Converted {
    /// Nothing: the answer is known.
    Always(bool),
    /// This, written with `sys.client_expr`.
    Asked(String),
}

/// One check of the old language, in the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What the client is asked.
    pub string: ClientString,
    /// Whether the check holds if the string does not: `NOTEXISTS`.
    pub negated: bool,
}

/// Why an expression has no counterpart. The operator's fault, or something that nobody can ask a client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotConverted {
    /// Longer than [`EXPRESSION_BYTES_MAX`].
    #[error("the expression has more than {EXPRESSION_BYTES_MAX} bytes")]
    TooLong,
    /// The expression stops where something must follow.
    #[error("the expression ends where {0} must follow")]
    Unfinished(&'static str),
    /// Something else than what can stand there.
    #[error("{found:?} is not {wanted}")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What can.
        wanted: &'static str,
    },
    /// Parentheses in parentheses, and so on.
    #[error("parentheses stand more than {DEPTH_MAX} deep")]
    TooDeep,
    /// What came out is no client string.
    #[error(transparent)]
    String(#[from] BadClientString),
    /// The string holds `"`, which ends a string in an expression.
    #[error("{0:?} holds a quote")]
    Quote(String),
}

/// What asks the same as the classic `text`.
///
/// # Errors
/// [`NotConverted`], naming the first thing that has no counterpart.
pub fn convert(text: &str) -> Result<Converted, NotConverted> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(NotConverted::TooLong);
    }
    let mut scanner = Scanner { rest: text.trim_start() };
    let tree = scanner.or(0)?;
    if !scanner.rest.is_empty() {
        return Err(scanner.unexpected("&&, || or the end"));
    }
    Ok(match tree {
        Tree::Known(known) => Converted::Always(known),
        tree @ (Tree::Test(_) | Tree::Not(_) | Tree::And(..) | Tree::Or(..)) => Converted::Asked(tree.to_string()),
    })
}

/// An expression, taken apart. What is known is nowhere but at the top, so each leaf is a test, and the length of the text bounds the depth.
enum Tree {
    Known(bool),
    Test(String),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

impl Tree {
    fn not(self) -> Self {
        match self {
            Self::Known(known) => Self::Known(!known),
            other @ (Self::Test(_) | Self::Not(_) | Self::And(..) | Self::Or(..)) => Self::Not(Box::new(other)),
        }
    }

    fn and(self, right: Self) -> Self {
        match (self, right) {
            (Self::Known(false), _) | (_, Self::Known(false)) => Self::Known(false),
            (Self::Known(true), other) | (other, Self::Known(true)) => other,
            (left, right) => Self::And(Box::new(left), Box::new(right)),
        }
    }

    fn or(self, right: Self) -> Self {
        match (self, right) {
            (Self::Known(true), _) | (_, Self::Known(true)) => Self::Known(true),
            (Self::Known(false), other) | (other, Self::Known(false)) => other,
            (left, right) => Self::Or(Box::new(left), Box::new(right)),
        }
    }

    const fn is_one(&self) -> bool {
        matches!(self, Self::Known(_) | Self::Test(_) | Self::Not(_))
    }
}

/// As a client security expression.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside =
            |f: &mut fmt::Formatter<'_>, tree: &Self| if tree.is_one() { write!(f, "{tree}") } else { write!(f, "({tree})") };
        match self {
            Self::Known(known) => write!(f, "{known}"),
            Self::Test(string) => write!(f, "sys.client_expr(\"{string}\")"),
            Self::Not(inner) => {
                f.write_str("!")?;
                inside(f, inner)
            }
            Self::And(left, right) => {
                inside(f, left)?;
                f.write_str(" && ")?;
                inside(f, right)
            }
            Self::Or(left, right) => {
                inside(f, left)?;
                f.write_str(" || ")?;
                inside(f, right)
            }
        }
    }
}

/// One check, which is all of `text`.
///
/// # Errors
/// [`NotConverted`].
pub fn check(text: &str) -> Result<Check, NotConverted> {
    let mut scanner = Scanner { rest: text.trim_start() };
    let check = scanner.check()?;
    if scanner.rest.is_empty() { Ok(check) } else { Err(scanner.unexpected("the end")) }
}

/// What is left of the text; never begins with white space.
struct Scanner<'t> {
    rest: &'t str,
}

/// What is asked about, by its name behind `CLIENT.`, and how the string's body begins.
static SUBJECTS: [(&str, Kind, &str); 11] = [
    ("APPLICATION.PROCESS", Kind::Process, ""),
    ("APPLICATION.AV", Kind::Application, "ANTIVIR_"),
    ("APPLICATION.PF", Kind::Application, "FIREWALL_"),
    ("APPLICATION.IS", Kind::Application, "IS_"),
    ("APPLICATION.AS", Kind::Application, "ANTISPY_"),
    ("APPLICATION", Kind::Application, ""),
    ("SYSTEM", Kind::System, ""),
    ("FILE", Kind::File, ""),
    ("REG", Kind::Registry, ""),
    ("SVC", Kind::Service, ""),
    // Strings speak of the operating system as of the system.
    ("OS", Kind::System, ""),
];

/// What stands for a test in messages.
const TESTS: &str = "ns_true, ns_false, sys.client_expr or a test of the client such as CLIENT.SVC(name) EXISTS";

/// The longer first, where one begins with another.
const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

impl<'t> Scanner<'t> {
    fn or(&mut self, depth: usize) -> Result<Tree, NotConverted> {
        let mut tree = self.and(depth)?;
        while self.takes("||") {
            tree = tree.or(self.and(depth)?);
        }
        Ok(tree)
    }

    fn and(&mut self, depth: usize) -> Result<Tree, NotConverted> {
        let mut tree = self.unary(depth)?;
        while self.takes("&&") {
            tree = tree.and(self.unary(depth)?);
        }
        Ok(tree)
    }

    fn unary(&mut self, depth: usize) -> Result<Tree, NotConverted> {
        if depth >= DEPTH_MAX {
            return Err(NotConverted::TooDeep);
        }
        if self.takes("!") {
            return Ok(self.unary(depth + 1)?.not());
        }
        if self.takes("(") {
            let tree = self.or(depth + 1)?;
            return if self.takes(")") { Ok(tree) } else { Err(self.unexpected(") or an operator")) };
        }
        if self.takes("ns_true") || self.takes("true") {
            return Ok(Tree::Known(true));
        }
        if self.takes("ns_false") || self.takes("false") {
            return Ok(Tree::Known(false));
        }
        let Check { string, negated } = if self.takes("sys.client_expr") {
            Check { string: ClientString::parse(self.argument()?)?, negated: false }
        } else {
            self.check()?
        };
        let string = string.to_string();
        if string.contains('"') {
            return Err(NotConverted::Quote(string));
        }
        let test = Tree::Test(string);
        Ok(if negated { test.not() } else { test })
    }

    fn check(&mut self) -> Result<Check, NotConverted> {
        if !self.takes("CLIENT.") {
            return Err(self.unexpected(TESTS));
        }
        let subject = SUBJECTS.iter().find(|(name, ..)| self.takes(name));
        let Some((_, kind, prefix)) = subject else {
            return Err(self.unexpected("APPLICATION, SYSTEM, FILE, REG, SVC or OS"));
        };
        let mut body = format!("{prefix}{}", without_comment(self.argument()?));
        let negated = if self.takes("NOTEXISTS") {
            true
        } else if self.takes("EXISTS") {
            false
        } else {
            self.comparison(&mut body)?;
            false
        };
        let mut interval_minutes = 0;
        while self.rest.starts_with('-') {
            let option = self.word("an option")?;
            let value = self.word("the option's value")?;
            match option.to_ascii_lowercase().as_str() {
                "-frequency" => interval_minutes = minutes(value)?,
                "-freshness" => {
                    // Days since the product was brought up to date.
                    let _ = write!(body, "_VIRDEF-FILE-TIME_<=_{value}");
                }
                // It only weighted error messages.
                "-error-weight" => {}
                _ => {
                    return Err(NotConverted::Unexpected {
                        found: option.to_owned(),
                        wanted: "-frequency, -freshness or -error-weight",
                    });
                }
            }
        }
        Ok(Check { string: ClientString::new(kind.clone(), interval_minutes, &body)?, negated })
    }

    /// `.METHOD == value`
    fn comparison(&mut self, body: &mut String) -> Result<(), NotConverted> {
        if !self.takes(".") {
            return Err(self.unexpected("EXISTS, NOTEXISTS or a comparison"));
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(self.rest.len());
        let method = &self.rest[..end];
        if method.is_empty() {
            return Err(self.unexpected("what is compared"));
        }
        self.skip(end);
        let Some(operator) = OPERATORS.into_iter().find(|operator| self.takes(operator)) else {
            return Err(self.unexpected("one of == != < <= > >="));
        };
        let value = self.word("a value")?;
        let _ = write!(body, "_{}_{operator}_{value}", method.to_ascii_uppercase());
        Ok(())
    }

    /// What stands in parentheses, with or without quotes. Paths have parentheses of their own.
    fn argument(&mut self) -> Result<&'t str, NotConverted> {
        if !self.takes("(") {
            return Err(self.unexpected("("));
        }
        let argument = if self.rest.starts_with(['\'', '"']) {
            self.word("a name")?
        } else {
            let mut open = 0_usize;
            let end = self.rest.find(|c| match c {
                '(' => {
                    open += 1;
                    false
                }
                ')' if open == 0 => true,
                ')' => {
                    open -= 1;
                    false
                }
                _ => false,
            });
            let end = end.ok_or(NotConverted::Unfinished(")"))?;
            let argument = self.rest[..end].trim_end();
            self.skip(end);
            argument
        };
        if self.takes(")") { Ok(argument) } else { Err(self.unexpected(")")) }
    }

    /// A word, or what stands in quotes.
    fn word(&mut self, wanted: &'static str) -> Result<&'t str, NotConverted> {
        if let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            let inner = &self.rest[1..];
            let end = inner.find(quote).ok_or(NotConverted::Unfinished("the other quote"))?;
            self.skip(end + 2);
            return Ok(&inner[..end]);
        }
        let end = self.rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '&' | '|')).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        if word.is_empty() {
            return Err(self.unexpected(wanted));
        }
        self.skip(end);
        Ok(word)
    }

    /// Goes behind `literal`, in any case, if it stands here. One that ends in a letter must be a whole word.
    fn takes(&mut self, literal: &str) -> bool {
        let Some(head) = self.rest.get(..literal.len()).filter(|head| head.eq_ignore_ascii_case(literal)) else { return false };
        let next = self.rest[head.len()..].chars().next();
        let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if literal.ends_with(|c: char| c.is_ascii_alphabetic()) && next.is_some_and(goes_on) {
            return false;
        }
        self.skip(head.len());
        true
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest[bytes..].trim_start();
    }

    fn unexpected(&self, wanted: &'static str) -> NotConverted {
        let found: String = self.rest.chars().take_while(|c| !c.is_whitespace()).take(32).collect();
        if found.is_empty() { NotConverted::Unfinished(wanted) } else { NotConverted::Unexpected { found, wanted } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_row_of_the_table_has_its_string() {
        for (classic, string, negated) in [
            ("CLIENT.APPLICATION.PROCESS(firefox) EXISTS", "proc_0_firefox", false),
            ("CLIENT.APPLICATION.PROCESS(firefox) EXISTS -frequency 2", "proc_2_firefox", false),
            ("client.application.process( 'notepad.exe' ) notexists", "proc_0_notepad.exe", true),
            ("CLIENT.FILE(C:\\\\x\\\\y.txt) EXISTS", "file_0_C:\\\\x\\\\y.txt", false),
            ("CLIENT.FILE('/etc/motd').VERSION >= 1.2 -frequency 5", "file_5_/etc/motd_VERSION_>=_1.2", false),
            ("CLIENT.REG('HKEY_LOCAL_MACHINE\\\\a b').VALUE == \"c d\"", "reg_0_HKEY_LOCAL_MACHINE\\\\a b_VALUE_==_c d", false),
            (r"CLIENT.FILE(C:\Program Files (x86)\a.exe) NOTEXISTS", r"file_0_C:\Program Files (x86)\a.exe", true),
            ("CLIENT.REG(HKLM) NOTEXISTS", "reg_0_HKLM", true),
            ("CLIENT.SVC(sshd) EXISTS", "svc_0_sshd", false),
            ("CLIENT.OS(win10).SP == 2", "sys_0_win10_SP_==_2", false),
            ("CLIENT.OS(win10).HOTFIX == KB1", "sys_0_win10_HOTFIX_==_KB1", false),
            ("CLIENT.APPLICATION.AV(X).VERSION == 14 -freshness 5", "app_0_ANTIVIR_X_VERSION_==_14_VIRDEF-FILE-TIME_<=_5", false),
            ("CLIENT.APPLICATION.PF(X).VERSION != 1", "app_0_FIREWALL_X_VERSION_!=_1", false),
            ("CLIENT.APPLICATION.AS(X) EXISTS -error-weight 3", "app_0_ANTISPY_X", false),
            ("CLIENT.APPLICATION.IS(X) EXISTS", "app_0_IS_X", false),
            (
                "CLIENT.APPLICATION('HD-ENC_180_VERSION_<_2.2[COMMENT: Encrypted]') EXISTS",
                "app_0_HD-ENC_180_VERSION_<_2.2",
                false,
            ),
            (
                "CLIENT.SYSTEM('DOMAIN_SUFFIX_anyof_example.com[COMMENT: ours]') EXISTS -frequency 30",
                "sys_30_DOMAIN_SUFFIX_anyof_example.com",
                false,
            ),
        ] {
            let check = check(classic).unwrap();
            assert_eq!((check.string.to_string().as_str(), check.negated), (string, negated), "{classic}");
        }
    }

    #[test]
    fn operators_and_parentheses_stay() {
        assert_eq!(
            convert("(CLIENT.APPLICATION.PROCESS(a) EXISTS||CLIENT.SVC(b) NOTEXISTS -frequency 3 ) && ((CLIENT.FILE(c) EXISTS))"),
            asked("(sys.client_expr(\"proc_0_a\") || !sys.client_expr(\"svc_3_b\")) && sys.client_expr(\"file_0_c\")")
        );
        assert_eq!(
            convert("!(CLIENT.SVC(a) EXISTS || CLIENT.SVC(b) EXISTS) && CLIENT.SVC(c) NOTEXISTS"),
            asked(r#"!(sys.client_expr("svc_0_a") || sys.client_expr("svc_0_b")) && !sys.client_expr("svc_0_c")"#)
        );
        assert_eq!(
            convert(r#"sys.client_expr("proc_2_firefox") || CLIENT.SVC(a) EXISTS && CLIENT.SVC(b) EXISTS"#),
            asked(r#"sys.client_expr("proc_2_firefox") || (sys.client_expr("svc_0_a") && sys.client_expr("svc_0_b"))"#)
        );
    }

    fn asked(expression: &str) -> Result<Converted, NotConverted> {
        Ok(Converted::Asked(expression.to_owned()))
    }

    #[test]
    fn what_is_known_is_not_asked() {
        for (text, known) in [
            ("ns_true", true),
            ("TRUE", true),
            ("!ns_true", false),
            ("ns_false && CLIENT.SVC(a) EXISTS", false),
            ("CLIENT.SVC(a) EXISTS || true", true),
        ] {
            assert_eq!(convert(text), Ok(Converted::Always(known)), "{text}");
        }
        assert_eq!(convert("ns_false || (ns_true && CLIENT.SVC(a) EXISTS)"), asked("sys.client_expr(\"svc_0_a\")"));
        let long = vec!["true"; EXPRESSION_BYTES_MAX / 6].join("||");
        assert_eq!(convert(&long), Ok(Converted::Always(true)));
    }

    #[test]
    fn depth_is_bounded() {
        for sign in ["(", "!"] {
            assert_eq!(convert(&sign.repeat(DEPTH_MAX + 1)), Err(NotConverted::TooDeep), "{sign}");
        }
    }

    #[test]
    fn what_has_no_counterpart_says_what_it_is() {
        let unexpected = |found: &str, wanted| NotConverted::Unexpected { found: found.into(), wanted };
        let long = format!("CLIENT.SVC({}) EXISTS", "x".repeat(EXPRESSION_BYTES_MAX));
        for (text, why) in [
            (long.as_str(), NotConverted::TooLong),
            ("", NotConverted::Unfinished(TESTS)),
            ("ns_truely", unexpected("ns_truely", TESTS)),
            ("REQ.HTTP.HEADER x CONTAINS y", unexpected("REQ.HTTP.HEADER", TESTS)),
            ("sys.client_expr(\"x\")", NotConverted::String(BadClientString::Shape)),
            ("CLIENT.CERT(x) EXISTS", unexpected("CERT(x)", "APPLICATION, SYSTEM, FILE, REG, SVC or OS")),
            ("CLIENT.SVCX(x) EXISTS", unexpected("SVCX(x)", "APPLICATION, SYSTEM, FILE, REG, SVC or OS")),
            ("CLIENT.SVC x", unexpected("x", "(")),
            ("CLIENT.SVC(x", NotConverted::Unfinished(")")),
            ("CLIENT.SVC('x) EXISTS", NotConverted::Unfinished("the other quote")),
            ("CLIENT.SVC('x' y) EXISTS", unexpected("y)", ")")),
            ("CLIENT.SVC(x)", NotConverted::Unfinished("EXISTS, NOTEXISTS or a comparison")),
            ("CLIENT.SVC(x) == 1", unexpected("==", "EXISTS, NOTEXISTS or a comparison")),
            ("CLIENT.SVC(x).STATE 1", unexpected("1", "one of == != < <= > >=")),
            ("CLIENT.SVC(x).STATE ==", NotConverted::Unfinished("a value")),
            ("CLIENT.SVC() EXISTS", NotConverted::String(BadClientString::Shape)),
            ("CLIENT.SVC(a;b) EXISTS", NotConverted::String(BadClientString::Character)),
            ("CLIENT.SVC(x) EXISTS -frequency x", NotConverted::String(BadClientString::Interval)),
            ("CLIENT.SVC(x) EXISTS -frequency", NotConverted::Unfinished("the option's value")),
            ("CLIENT.SVC(x) EXISTS -colour 1", unexpected("-colour", "-frequency, -freshness or -error-weight")),
            ("CLIENT.SVC('a\"b') EXISTS", NotConverted::Quote("svc_0_a\"b".into())),
            ("CLIENT.SVC(x) EXISTS CLIENT.", unexpected("CLIENT.", "&&, || or the end")),
            ("(CLIENT.SVC(x) EXISTS", NotConverted::Unfinished(") or an operator")),
            ("CLIENT.SVC(x) EXISTS)", unexpected(")", "&&, || or the end")),
            ("CLIENT.SVC(x) EXISTS &&", NotConverted::Unfinished(TESTS)),
        ] {
            assert_eq!(convert(text), Err(why), "{text:.60}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_answered(text in any::<String>(), near in "[CLIENTSVOREGFXUS.(') \"=<&|ü-]{0,60}") {
            let _answered = convert(&text);
            let _answered = convert(&format!("CLIENT.{near}"));
            let _answered = check(&near);
        }
    }
}
