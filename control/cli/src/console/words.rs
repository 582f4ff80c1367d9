//! Arguments of a shell to one line of the gateway's language.
//!
//! ```text
//!   sluicectl add aaa user 'Ann Lee' -password 'a"b'    ─►  add aaa user "Ann Lee" -password "a\"b"
//!   sluicectl 'show worker; show sta'                   ─►  as it stands
//! ```
//!
//! The shell has cut the words already, and each must arrive as the one word that it is. Only a single argument with blanks in it is a
//! line: nobody quotes a lone word that way.

use gate_config::text::word::word;

/// Puts arguments together to a line that reads back as just these words.
///
/// What begins with a dash and a letter and holds nothing but letters and digits is the name of an argument; anything else
/// that begins with a dash is a value. `;` by itself divides commands.
#[must_use]
pub fn line(arguments: &[String]) -> String {
    match arguments {
        [whole] if is_line(whole) => whole.clone(),
        words => words.iter().map(|argument| one(argument)).collect::<Vec<_>>().join(" "),
    }
}

/// `show vpn vserver --help` is the usual way to ask for `help show vpn vserver`, and no argument of the gateway begins with two dashes.
#[must_use]
pub fn help_instead(mut arguments: Vec<String>) -> Vec<String> {
    if arguments.len() > 1 && matches!(arguments.last().map(String::as_str), Some("--help" | "-h")) {
        arguments.pop();
        arguments.insert(0, "help".to_owned());
    }
    arguments
}

/// Whether a lone argument is a line by itself.
fn is_line(argument: &str) -> bool {
    argument.contains([' ', '\t', ';', '\n'])
}

fn one(argument: &str) -> String {
    if is_keyword(argument) || argument == ";" {
        return argument.to_owned();
    }
    let written = word(argument);
    // A semicolon divides commands, but not inside quotes.
    if argument.contains(';') && !written.starts_with('"') { format!("\"{written}\"") } else { written.into_owned() }
}

/// Whether an argument of the shell is a keyword, as opposed to a value that begins with a dash.
fn is_keyword(argument: &str) -> bool {
    argument.strip_prefix('-').is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use gate_config::text::lex::{Kind, lex};
    use proptest::prelude::*;

    use super::*;

    fn of(arguments: &[&str]) -> String {
        line(&arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_stay_words() {
        assert_eq!(of(&["show", "vpn", "vserver"]), "show vpn vserver");
        assert_eq!(of(&["add", "aaa", "user", "Ann Lee", "-password", "a\"b"]), r#"add aaa user "Ann Lee" -password "a\"b""#);
        assert_eq!(of(&["set", "x", "-offset", "-5"]), "set x -offset \"-5\"");
        assert_eq!(of(&["set", "x", "-text", "--", "-a b", "-"]), "set x -text \"--\" \"-a b\" \"-\"");
        assert_eq!(of(&["set", "x", "-text", ""]), "set x -text \"\"");
        assert_eq!(of(&["set", "x", "a;b"]), "set x \"a;b\"");
        assert_eq!(of(&["show", "worker", ";", "show", "sta"]), "show worker ; show sta");
    }

    #[test]
    fn a_lone_argument_with_blanks_is_a_line() {
        assert_eq!(of(&["show worker; show sta"]), "show worker; show sta");
        assert_eq!(of(&["set x -password \"-secret\""]), "set x -password \"-secret\"");
        assert_eq!(of(&["whoami"]), "whoami");
        assert_eq!(of(&[]), "");
    }

    #[test]
    fn help_is_asked_for_as_usual() {
        let of = |words: &[&str]| help_instead(words.iter().map(|word| (*word).to_owned()).collect()).join(" ");
        assert_eq!(of(&["show", "worker", "--help"]), "help show worker");
        assert_eq!(of(&["show", "-h"]), "help show");
        assert_eq!(of(&["show", "worker"]), "show worker");
        assert_eq!(of(&["--help", "worker"]), "--help worker");
    }

    proptest! {
        #[test]
        fn the_gateway_reads_what_the_shell_said(
            arguments in proptest::collection::vec("-?[a-z]{1,4}|\\PC{0,8}|[q/{}<>\"'\\\\() #;\\-a\t\r\n]{0,8}", 2..6),
        ) {
            prop_assume!(arguments.iter().all(|argument| argument != ";"));
            let lexed = lex(&line(&arguments));
            prop_assert_eq!(lexed.fault, None);
            let read: Vec<String> = lexed.tokens.iter().map(|token| match token.kind {
                Kind::Keyword => format!("-{}", *token.value),
                Kind::Word => token.value.to_string(),
            }).collect();
            prop_assert_eq!(&read, &arguments);
            for (token, argument) in lexed.tokens.iter().zip(&arguments) {
                prop_assert_eq!(token.kind == Kind::Keyword, is_keyword(argument));
            }
        }
    }
}
