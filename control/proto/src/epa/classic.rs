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
//! What stands in parentheses goes into the string as it is, and so does a comparison, as `_METHOD_operator_value`: only the client
//! understands either. That `PROCESS`, `APPLICATION(…)` and `SYSTEM(…)` become these strings is known; the others follow from them.

use std::fmt::Write as _;

use thiserror::Error;

use super::client_string::{BadClientString, ClientString, Kind, minutes, without_comment};

/// Longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 8191;

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
    /// What came out is no client string.
    #[error(transparent)]
    String(#[from] BadClientString),
    /// The string holds `"`, which ends a string in an expression.
    #[error("{0:?} holds a quote")]
    Quote(String),
}

/// The expression that asks the same as the classic `text`.
///
/// # Errors
/// [`NotConverted`], naming the first thing that has no counterpart.
pub fn convert(text: &str) -> Result<String, NotConverted> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(NotConverted::TooLong);
    }
    let mut scanner = Scanner { rest: text.trim_start() };
    let (mut out, mut depth) = (String::new(), 0_usize);
    loop {
        while scanner.takes("(") {
            depth += 1;
            out.push('(');
        }
        let Check { string, negated } = scanner.check()?;
        let string = string.to_string();
        if string.contains('"') {
            return Err(NotConverted::Quote(string));
        }
        let not = if negated { "!" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(out, "{not}sys.client_expr(\"{string}\")");
        while depth > 0 && scanner.takes(")") {
            depth -= 1;
            out.push(')');
        }
        if scanner.takes("&&") {
            out.push_str(" && ");
        } else if scanner.takes("||") {
            out.push_str(" || ");
        } else if scanner.rest.is_empty() && depth == 0 {
            return Ok(out);
        } else {
            return Err(scanner.unexpected(if depth > 0 { ") or an operator" } else { "an operator" }));
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

/// The longer first, where one begins with another.
const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

impl<'t> Scanner<'t> {
    fn check(&mut self) -> Result<Check, NotConverted> {
        if !self.takes("CLIENT.") {
            return Err(self.unexpected("CLIENT."));
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

    /// What stands in parentheses, with or without quotes.
    fn argument(&mut self) -> Result<&'t str, NotConverted> {
        if !self.takes("(") {
            return Err(self.unexpected("("));
        }
        let argument = if self.rest.starts_with(['\'', '"']) {
            self.word("a name")?
        } else {
            let end = self.rest.find(')').ok_or(NotConverted::Unfinished(")"))?;
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
            convert("(CLIENT.APPLICATION.PROCESS(a) EXISTS||CLIENT.SVC(b) NOTEXISTS -frequency 3 ) && ((CLIENT.FILE(c) EXISTS))")
                .as_deref(),
            Ok("(sys.client_expr(\"proc_0_a\") || !sys.client_expr(\"svc_3_b\")) && ((sys.client_expr(\"file_0_c\")))")
        );
    }

    #[test]
    fn what_has_no_counterpart_says_what_it_is() {
        let unexpected = |found: &str, wanted| NotConverted::Unexpected { found: found.into(), wanted };
        let long = format!("CLIENT.SVC({}) EXISTS", "x".repeat(EXPRESSION_BYTES_MAX));
        for (text, why) in [
            (long.as_str(), NotConverted::TooLong),
            ("", NotConverted::Unfinished("CLIENT.")),
            ("ns_true", unexpected("ns_true", "CLIENT.")),
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
            ("CLIENT.SVC(x) EXISTS CLIENT.", unexpected("CLIENT.", "an operator")),
            ("(CLIENT.SVC(x) EXISTS", NotConverted::Unfinished(") or an operator")),
            ("CLIENT.SVC(x) EXISTS)", unexpected(")", "an operator")),
            ("CLIENT.SVC(x) EXISTS &&", NotConverted::Unfinished("CLIENT.")),
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
