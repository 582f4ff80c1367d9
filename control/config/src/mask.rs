//! Which words of a line are secrets that stand there openly, so that no message and no printed line repeats them.
//!
//! It errs towards hiding: a line may be wrong in any way when it is shown.

use crate::catalog::{Form, Support, nearest};
use crate::text::lex::{Kind, Lexed, Span, Token};

/// Keywords that hold a secret in commands that are not known here contain one of these, in lower case.
const SECRET_PARTS: &[&str] = &["pass", "pasw", "pwd", "secret", "radkey", "psk"];
/// Beginnings of such keywords that are too short to contain them; abbreviations are allowed.
const SECRET_WORDS: &[&str] = &["p", "pa", "pas", "rad", "radk", "radke", "se", "sec"];

/// Keywords that look so and hold none, in lower case.
const HARMLESS: &[&str] = &[
    "forcepasswordchange",
    "minpasswordlen",
    "passencoding",
    "passwdchange",
    "passwdexpression",
    "passwdfield",
    "passwordcredentialindex",
    "passwordhistorycontrol",
    "pwdexpirynotificationdays",
    "pwdhistorycount",
    "sectype",
    "secure",
    "strongpassword",
];
/// Parts of words that contain such a part and mean something else.
const OTHER_PARTS: &[&str] = &["bypass", "passive", "passthrough", "passthru"];

/// What a line is masked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// To be shown in a message: nobody needs to see hashes there, and what is said to be one may be open.
    Showing,
    /// To be kept for printing back: what is encrypted must survive.
    Keeping,
}

/// The places of secrets in a line, ascending and apart. `form` is the command's, if it was found.
pub(crate) fn secrets(line: &str, lexed: &Lexed, form: Option<&'static Form>, purpose: For) -> Vec<Span> {
    let mut found = Vec::new();
    let encrypted = lexed.tokens.iter().any(|t| t.kind == Kind::Keyword && is_encrypted(&t.value));
    if encrypted && lexed.fault.is_none() && purpose == For::Keeping {
        return found;
    }
    if let Some(position) = secret_position(lexed, form) {
        let words = lexed.tokens.iter().take_while(|t| t.kind == Kind::Word);
        found.extend(words.skip(position).map(|t| t.span));
    }
    let mut hiding = false;
    for token in &lexed.tokens {
        match token.kind {
            Kind::Keyword => hiding = is_secret_keyword(&token.value, form),
            Kind::Word if hiding => found.push(token.span),
            Kind::Word => {}
        }
    }
    if lexed.fault.is_some() {
        // Nobody knows how the rest of the line is cut; it is hidden if it can hold a secret at all.
        let end = lexed.tokens.last().map_or_else(Span::default, |t| t.span);
        let rest = line.get(end.end..).unwrap_or_default();
        let may = hiding
            || secret_position(lexed, form).is_some_and(|p| p <= lexed.tokens.len())
            || rest.split(['-', ' ', '\t']).any(|w| is_secret_keyword(w, form));
        if may {
            let blanks = rest.chars().take_while(|c| c.is_whitespace());
            let (bytes, characters) = blanks.fold((0, 0), |(b, n), c| (b + c.len_utf8(), n + 1));
            found.push(Span {
                start: end.end + bytes,
                end: line.len(),
                column: end.column.max(1) + end.width + characters,
                width: rest.chars().count() - characters,
            });
        }
    }
    found
}

/// Whether an argument of this name holds a secret, as far as one can tell from the name.
pub(crate) fn is_secret_name(keyword: &str) -> bool {
    let keyword = keyword.to_lowercase();
    if HARMLESS.contains(&&*keyword) {
        return false;
    }
    let keyword = OTHER_PARTS.iter().fold(keyword, |keyword, part| keyword.replace(part, ""));
    SECRET_PARTS.iter().any(|part| keyword.contains(part)) || SECRET_WORDS.contains(&&*keyword)
}

pub(crate) fn is_encrypted(keyword: &str) -> bool {
    keyword.len() >= 3 && "encrypted".starts_with(&keyword.to_lowercase())
}

/// An abbreviation hides as soon as it could mean a secret, and so does a slip of the pen.
fn is_secret_keyword(keyword: &str, form: Option<&'static Form>) -> bool {
    let begins = |name: &str| !keyword.is_empty() && name.get(..keyword.len()).is_some_and(|h| h.eq_ignore_ascii_case(keyword));
    // Written in full, it is that argument and no other; what has an effect here says itself whether it is a secret.
    let exact = form.and_then(|form| form.keywords.iter().find(|a| a.name.eq_ignore_ascii_case(keyword)));
    if let Some(argument) = exact {
        return argument.kind.is_secret() || (argument.support != Support::Full && is_secret_name(argument.name));
    }
    match form {
        Some(form) if form.keywords.iter().any(|a| begins(a.name)) => {
            form.keywords.iter().any(|a| begins(a.name) && (a.kind.is_secret() || is_secret_name(a.name)))
        }
        Some(form) => {
            let secrets = form.keywords.iter().filter(|a| a.kind.is_secret()).map(|a| a.name);
            is_secret_name(keyword) || nearest(keyword, secrets).is_some()
        }
        None if HARMLESS.contains(&&*keyword.to_lowercase()) => false,
        None => is_secret_name(keyword) || nearest(keyword, ["password", "passplain", "secret"]).is_some(),
    }
}

/// At which word, counted from the line's first, a secret without keyword begins.
fn secret_position(lexed: &Lexed, form: Option<&'static Form>) -> Option<usize> {
    if let Some(form) = form {
        return form.positionals.iter().position(|a| a.kind.is_secret()).map(|at| at + 3);
    }
    // `add system user <name> <password>`, the one such command of the other product; words may be abbreviated.
    let word = |at: usize, full: &str| {
        let is = |t: &Token| !t.value.is_empty() && full.starts_with(&t.value.to_lowercase());
        lexed.tokens.get(at).is_some_and(is)
    };
    (word(1, "system") && word(2, "user")).then_some(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Masked;
    use crate::text::lex::lex;

    fn shown(line: &str) -> String {
        Masked::of(line, &secrets(line, &lex(line), None, For::Keeping)).shown.to_string()
    }

    #[test]
    fn hides_what_is_open() {
        for (line, hidden) in [
            ("add x y -ldapBindDnPassword s3cret -z a", "add x y -ldapBindDnPassword ******** -z a"),
            ("add x y -Pass s3cret more", "add x y -Pass ******** ********"),
            (
                "add x y -radKey abc -encrypted -encryptmethod ENCMTHD_3",
                "add x y -radKey abc -encrypted -encryptmethod ENCMTHD_3",
            ),
            ("add system user root s3cret -timeout 9", "add system user root ******** -timeout 9"),
            ("add x y -pasword s3cret -paswd s3cret", "add x y -pasword ******** -paswd ********"),
            ("ad sys us root s3cret", "ad sys us root ********"),
            ("add system user root \"s3cret", "add system user root ********"),
            ("add x -password \"s3cret\"x y", "add x -password ********"),
            ("add x \"a\"b -clientSecret s3cret", "add x ********"),
            ("add x \"a\"b -port 5", "add x \"a\"b -port 5"),
            ("add ssl certKey c -cert f -key k", "add ssl certKey c -cert f -key k"),
            (
                "add lb monitor m -secure YES -passive ON -proxyBypass x",
                "add lb monitor m -secure YES -passive ON -proxyBypass x",
            ),
            ("add x y -passwdChange ENABLED -bypassPassword s3cret", "add x y -passwdChange ENABLED -bypassPassword ********"),
        ] {
            assert_eq!(shown(line), hidden);
        }
        let line = "add x y -radKey abc -encrypted";
        let spans = secrets(line, &lex(line), None, For::Showing);
        assert_eq!(&*Masked::of(line, &spans).shown, "add x y -radKey ******** -encrypted");
    }
}
