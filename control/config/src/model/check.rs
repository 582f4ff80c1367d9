//! What a client's machine must be like, as classic policies and session actions say it, turned into what a client can be asked.
//!
//! ```text
//!   CLIENT.APPLICATION.PROCESS(firefox.exe) EXISTS -frequency 5      sys.client_expr("proc_5_firefox.exe")
//!   CLIENT.SVC(telnet) NOTEXISTS && CLIENT.FILE(C:\a.ini) EXISTS     !sys.client_expr("svc_0_telnet") && sys.client_expr("file_0_C:\a.ini")
//!   CLIENT.APPLICATION.AV(X).VERSION == 12 || ns_false               sys.client_expr("app_0_X_VERSION_==_12")
//!   ns_true                                                          nothing: it holds
//! ```
//!
//! Which string a classic test becomes is public for processes, services, applications and systems; the others follow the same shape.

use std::fmt;

use thiserror::Error;

use super::authentication::{ClientExpression, EXPRESSION_CHARS_MAX, NotAClientExpression};

/// How deep parentheses may stand.
const DEPTH_MAX: usize = 32;

/// What a client's machine must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCheck {
    text: Box<str>,
    asked: Asked,
}

/// What a client is asked for a [`ClientCheck`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: the answer is known.
    Always(bool),
    /// This.
    Client(ClientExpression),
    /// It cannot be put to a client, so the answer is no.
    Cannot(NotAsked),
}

/// Why a check cannot be put to a client. All are the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAsked {
    /// Nothing there.
    #[error("a check cannot be empty")]
    Empty,
    /// More than [`EXPRESSION_CHARS_MAX`] characters.
    #[error("a check has at most {EXPRESSION_CHARS_MAX} characters")]
    TooLong,
    /// It stops where something must follow.
    #[error("it ends where {0} must follow")]
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
    /// What came out is no client security expression.
    #[error("as a client security expression: {0}")]
    Result(#[from] NotAClientExpression),
}

impl ClientCheck {
    /// Reads it; what cannot be put to a client is kept, and its answer is no.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let asked = match parse(text).map(Tree::settled) {
            Ok(Tree::Known(known)) => Ok(Asked::Always(known)),
            Ok(tree) => ClientExpression::parse(&tree.to_string()).map(Asked::Client).map_err(NotAsked::from),
            Err(not) => Err(not),
        };
        Self { text: text.into(), asked: asked.unwrap_or_else(Asked::Cannot) }
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What a client is asked.
    #[must_use]
    pub const fn asked(&self) -> &Asked {
        &self.asked
    }
}

impl fmt::Display for ClientCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A check, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    Known(bool),
    Test(String),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

impl Tree {
    /// The same without what is known from the beginning. Its depth is bounded by the length of the text.
    fn settled(self) -> Self {
        match self {
            Self::Known(_) | Self::Test(_) => self,
            Self::Not(inner) => match inner.settled() {
                Self::Known(known) => Self::Known(!known),
                other @ (Self::Test(_) | Self::Not(_) | Self::And(..) | Self::Or(..)) => Self::Not(Box::new(other)),
            },
            Self::And(left, right) => match (left.settled(), right.settled()) {
                (Self::Known(false), _) | (_, Self::Known(false)) => Self::Known(false),
                (Self::Known(true), other) | (other, Self::Known(true)) => other,
                (left, right) => Self::And(Box::new(left), Box::new(right)),
            },
            Self::Or(left, right) => match (left.settled(), right.settled()) {
                (Self::Known(true), _) | (_, Self::Known(true)) => Self::Known(true),
                (Self::Known(false), other) | (other, Self::Known(false)) => other,
                (left, right) => Self::Or(Box::new(left), Box::new(right)),
            },
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

fn parse(text: &str) -> Result<Tree, NotAsked> {
    if text.trim().is_empty() {
        return Err(NotAsked::Empty);
    }
    if text.chars().count() > EXPRESSION_CHARS_MAX {
        return Err(NotAsked::TooLong);
    }
    let mut reader = Reader { rest: text };
    let tree = reader.or(0)?;
    if reader.blank().is_empty() { Ok(tree) } else { Err(reader.unexpected("&&, || or the end")) }
}

/// What is still to be read.
struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// What is left behind blanks.
    fn blank(&mut self) -> &'t str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    fn take(&mut self, sign: &str) -> bool {
        match self.blank().strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn while_is(&mut self, is: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !is(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn unexpected(&self, wanted: &'static str) -> NotAsked {
        let found: String = self.rest.split_whitespace().next().unwrap_or_default().chars().take(64).collect();
        if found.is_empty() { NotAsked::Unfinished(wanted) } else { NotAsked::Unexpected { found, wanted } }
    }

    fn or(&mut self, depth: usize) -> Result<Tree, NotAsked> {
        let mut tree = self.and(depth)?;
        while self.take("||") {
            tree = Tree::Or(Box::new(tree), Box::new(self.and(depth)?));
        }
        Ok(tree)
    }

    fn and(&mut self, depth: usize) -> Result<Tree, NotAsked> {
        let mut tree = self.unary(depth)?;
        while self.take("&&") {
            tree = Tree::And(Box::new(tree), Box::new(self.unary(depth)?));
        }
        Ok(tree)
    }

    fn unary(&mut self, depth: usize) -> Result<Tree, NotAsked> {
        if depth >= DEPTH_MAX {
            return Err(NotAsked::TooDeep);
        }
        if self.take("!") {
            return Ok(Tree::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take("(") {
            let tree = self.or(depth + 1)?;
            return if self.take(")") { Ok(tree) } else { Err(self.unexpected("a closing parenthesis")) };
        }
        self.test()
    }

    fn test(&mut self) -> Result<Tree, NotAsked> {
        const TESTS: &str = "ns_true, ns_false, sys.client_expr or a test of the CLIENT such as CLIENT.SVC(name) EXISTS";
        self.blank();
        let before = self.rest;
        let subject = self.while_is(|c| c.is_alphanumeric() || "_.".contains(c)).to_lowercase();
        match subject.as_str() {
            "ns_true" | "true" => return Ok(Tree::Known(true)),
            "ns_false" | "false" => return Ok(Tree::Known(false)),
            _ => {}
        }
        let kind = match subject.as_str() {
            "sys.client_expr" => "",
            "client.application.process" => "proc",
            "client.file" => "file",
            "client.reg" => "reg",
            "client.svc" => "svc",
            "client.os" | "client.system" => "sys",
            "client.application"
            | "client.application.av"
            | "client.application.pf"
            | "client.application.is"
            | "client.application.as" => "app",
            _ => {
                self.rest = before;
                return Err(self.unexpected(TESTS));
            }
        };
        let object = self.argument()?;
        if kind.is_empty() {
            return Ok(Tree::Test(object));
        }
        let member = if self.rest.starts_with('.') {
            self.while_is(|c| c.is_alphanumeric() || "_.".contains(c)).trim_start_matches('.').to_uppercase()
        } else {
            String::new()
        };
        let operator = self.operator()?;
        let value = match operator {
            "EXISTS" | "NOTEXISTS" => None,
            _ => Some(self.value()?),
        };
        let minutes = self.minutes()?;
        let mut string = format!("{kind}_{minutes}_{object}");
        if !member.is_empty() {
            string.push('_');
            string.push_str(&member);
        }
        if let Some(value) = value {
            string.push_str(&format!("_{operator}_{value}"));
        }
        let test = Tree::Test(string);
        Ok(if operator == "NOTEXISTS" { Tree::Not(Box::new(test)) } else { test })
    }

    /// What stands in parentheses, with or without quotes. Paths have parentheses of their own.
    fn argument(&mut self) -> Result<String, NotAsked> {
        if !self.take("(") {
            return Err(self.unexpected("what it is about, in parentheses"));
        }
        self.blank();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let inside = if let Some(quote) = quote {
            let (inside, rest) =
                self.rest.get(1..).and_then(|rest| rest.split_once(quote)).ok_or(NotAsked::Unfinished("a quote"))?;
            self.rest = rest;
            if !self.take(")") {
                return Err(self.unexpected("a closing parenthesis"));
            }
            inside
        } else {
            let mut depth = 0_usize;
            let end = self.rest.find(|c| match c {
                '(' => {
                    depth += 1;
                    false
                }
                ')' if depth == 0 => true,
                ')' => {
                    depth -= 1;
                    false
                }
                _ => false,
            });
            let (inside, rest) =
                end.and_then(|end| self.rest.split_at_checked(end)).ok_or(NotAsked::Unfinished("a closing parenthesis"))?;
            self.rest = rest.strip_prefix(')').unwrap_or(rest);
            inside
        };
        let inside = inside.trim();
        if inside.is_empty() || inside.contains('"') {
            return Err(NotAsked::Unexpected { found: inside.to_owned(), wanted: "a name or a path without quotes" });
        }
        Ok(inside.to_owned())
    }

    fn operator(&mut self) -> Result<&'static str, NotAsked> {
        const OPERATORS: [&str; 8] = ["==", "!=", "<=", ">=", "<", ">", "EXISTS", "NOTEXISTS"];
        self.blank();
        for operator in OPERATORS {
            let head = self.rest.get(..operator.len());
            let behind = self.rest.get(operator.len()..).unwrap_or_default();
            let is_word = operator.ends_with(char::is_alphabetic);
            if head.is_some_and(|head| head.eq_ignore_ascii_case(operator))
                && !(is_word && behind.starts_with(char::is_alphanumeric))
            {
                self.rest = behind;
                return Ok(operator);
            }
        }
        Err(self.unexpected("EXISTS, NOTEXISTS or a comparison"))
    }

    fn value(&mut self) -> Result<String, NotAsked> {
        const WANTED: &str = "a value without quotes in it";
        self.blank();
        let value = match self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            Some(quote) => {
                let (value, rest) =
                    self.rest.get(1..).and_then(|rest| rest.split_once(quote)).ok_or(NotAsked::Unfinished("a quote"))?;
                self.rest = rest;
                value
            }
            None => self.while_is(|c| !c.is_whitespace() && !"()&|\"'".contains(c)),
        };
        if value.is_empty() || value.contains('"') { Err(self.unexpected(WANTED)) } else { Ok(value.to_owned()) }
    }

    /// `-frequency n`, if it is there: minutes between repeats. Other options change what is asked in ways that are not public.
    fn minutes(&mut self) -> Result<u32, NotAsked> {
        const WANTED: &str = "-frequency with its minutes";
        if !self.take("-") {
            return Ok(0);
        }
        let name = self.while_is(char::is_alphabetic);
        if !name.eq_ignore_ascii_case("frequency") {
            return Err(NotAsked::Unexpected { found: format!("-{name}"), wanted: WANTED });
        }
        self.blank();
        let number = self.while_is(|c| c.is_ascii_digit());
        number.parse().map_err(|_| self.unexpected(WANTED))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_be_asked_is_asked() {
        for (text, asked) in [
            ("CLIENT.APPLICATION.PROCESS(firefox.exe) EXISTS", r#"sys.client_expr("proc_0_firefox.exe")"#),
            ("client.application.process( \"a b\" ) exists -frequency 5", r#"sys.client_expr("proc_5_a b")"#),
            (
                r"CLIENT.FILE(C:\Program Files (x86)\a.exe) NOTEXISTS",
                r#"!sys.client_expr("file_0_C:\Program Files (x86)\a.exe")"#,
            ),
            (r"CLIENT.FILE('C:\a.exe').VERSION >= 1.2", r#"sys.client_expr("file_0_C:\a.exe_VERSION_>=_1.2")"#),
            (r"CLIENT.REG('HKLM\Software\X').VALUE == 1", r#"sys.client_expr("reg_0_HKLM\Software\X_VALUE_==_1")"#),
            ("CLIENT.SVC(svchost.exe) EXISTS", r#"sys.client_expr("svc_0_svchost.exe")"#),
            ("CLIENT.OS(win10).SP == 1", r#"sys.client_expr("sys_0_win10_SP_==_1")"#),
            ("CLIENT.APPLICATION.AV(Norton).VERSION != 12", r#"sys.client_expr("app_0_Norton_VERSION_!=_12")"#),
            (
                "CLIENT.APPLICATION('ANTIVIR_0_RTP_==_TRUE[COMMENT: any]') EXISTS",
                r#"sys.client_expr("app_0_ANTIVIR_0_RTP_==_TRUE[COMMENT: any]")"#,
            ),
            ("CLIENT.SYSTEM('DOMAIN_SUFFIX_anyof_x.y') EXISTS", r#"sys.client_expr("sys_0_DOMAIN_SUFFIX_anyof_x.y")"#),
            (r#"sys.client_expr("proc_2_firefox")"#, r#"sys.client_expr("proc_2_firefox")"#),
            (
                "!(CLIENT.SVC(a) EXISTS || CLIENT.SVC(b) EXISTS) && CLIENT.SVC(c) NOTEXISTS",
                r#"!(sys.client_expr("svc_0_a") || sys.client_expr("svc_0_b")) && !sys.client_expr("svc_0_c")"#,
            ),
            ("ns_false || (ns_true && CLIENT.SVC(a) EXISTS)", r#"sys.client_expr("svc_0_a")"#),
        ] {
            let check = ClientCheck::read(text);
            let Asked::Client(expression) = check.asked() else { panic!("{text}: {:?}", check.asked()) };
            assert_eq!(expression.as_str(), asked, "{text}");
            assert_eq!(check.to_string(), text);
        }
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
            assert_eq!(ClientCheck::read(text).asked(), &Asked::Always(known), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        for text in [
            "",
            "CLIENT",
            "CLIENT.SVC",
            "CLIENT.SVC(a)",
            "CLIENT.SVC() EXISTS",
            "CLIENT.SVC(a) EXISTSNOT",
            "CLIENT.SVC('a) EXISTS",
            "CLIENT.SVC(a\"b) EXISTS",
            "CLIENT.OS(x).SP ==",
            "CLIENT.OS(x).SP == 'a",
            "CLIENT.SVC(a) EXISTS -freshness 5",
            "CLIENT.SVC(a) EXISTS -frequency x",
            "CLIENT.SVC(a) EXISTS CLIENT.SVC(b) EXISTS",
            "CLIENT.SVC(a) EXISTS &&",
            "(CLIENT.SVC(a) EXISTS",
            "REQ.HTTP.HEADER User-Agent CONTAINS x",
        ] {
            assert!(matches!(ClientCheck::read(text).asked(), Asked::Cannot(_)), "{text}: {:?}", ClientCheck::read(text));
        }
        assert_eq!(ClientCheck::read(&"(".repeat(40)).asked(), &Asked::Cannot(NotAsked::TooDeep));
        assert_eq!(ClientCheck::read(&"!".repeat(40)).asked(), &Asked::Cannot(NotAsked::TooDeep));
        assert_eq!(ClientCheck::read(&"a".repeat(EXPRESSION_CHARS_MAX + 1)).asked(), &Asked::Cannot(NotAsked::TooLong));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(ns_true|CLIENT\\.SVC|CLIENT\\.OS|\\(a\\)|\\.SP| == |EXISTS|-frequency 2|&&|\\|\\||[()! \"']|\\PC){0,14}") {
            let check = ClientCheck::read(&text);
            prop_assert_eq!(check.as_str(), text);
        }

        #[test]
        fn long_chains_are_no_danger(count in 1_usize..200) {
            let text = vec!["true"; count].join("||");
            let check = ClientCheck::read(&text);
            prop_assert_eq!(check.asked(), &Asked::Always(true));
        }
    }
}
