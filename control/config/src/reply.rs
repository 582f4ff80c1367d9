//! A problem as the control socket says it: the line of NetScaler's command line, and below it what that does not say.
//!
//! ```text
//!   add ssl certKey demo -certt demo.pem          only on a terminal
//!                        ^^^^^^
//!   ERROR: No such argument [-certt]
//!           1090: `add ssl certKey` has no argument `-certt`; did you mean `-cert`?
//! ```

use std::fmt::Write as _;

use serde::Serialize;

use crate::answer::safe;
use crate::problem::{Problem, Severity, window};
use crate::text::visible::visible;

/// The form for programs, with the keys that programs for NetScaler know first.
#[derive(Serialize)]
struct Flat<'p> {
    errorcode: u16,
    message: &'static str,
    severity: &'static str,
    about: &'p str,
    cause: &'p str,
    hint: Option<&'p str>,
    line: Option<usize>,
    column: Option<usize>,
    width: Option<usize>,
    shown: Option<&'p str>,
}

impl Problem {
    /// As the command line of NetScaler says it, with the number, the reason and the cure below. Every line ends with a line feed.
    /// `underlined`, for terminals, shows the line with the word marked first.
    #[must_use]
    pub fn reply(&self, underlined: bool) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let mut put = |line: std::fmt::Arguments<'_>| -> std::fmt::Result { writeln!(text, "{line}") };
        let mut all = || -> std::fmt::Result {
            if let Some(place) = self.place.as_ref().filter(|place| underlined && !place.shown.is_empty()) {
                let (line, under) = window(place);
                put(format_args!("{line}"))?;
                put(format_args!("{under}"))?;
            }
            let severity = match self.severity {
                Severity::Warning => "Warning",
                Severity::Error => "ERROR",
            };
            if self.about.is_empty() {
                put(format_args!("{severity}: {}", self.code.text()))?;
            } else {
                put(format_args!("{severity}: {} [{}]", self.code.text(), visible(&self.about)))?;
            }
            let cure = self.cure.as_deref().map(visible).map(|cure| format!("; {cure}")).unwrap_or_default();
            put(format_args!("\t{}: {}{cure}", self.code.number(), visible(&self.cause)))
        };
        let _: std::fmt::Result = all();
        text
    }

    /// As a program reads it: one JSON object on one line, without line end.
    #[must_use]
    pub fn reply_json(&self) -> String {
        let place = self.place.as_ref();
        safe(serde_json::to_string(&Flat {
            errorcode: self.code.number(),
            message: self.code.text(),
            severity: match self.severity {
                Severity::Warning => "WARNING",
                Severity::Error => "ERROR",
            },
            about: &self.about,
            cause: &self.cause,
            hint: self.cure.as_deref(),
            line: place.map(|p| p.line),
            column: place.map(|p| p.column),
            width: place.map(|p| p.width),
            shown: place.map(|p| &*p.shown),
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::order::read;
    use crate::text::visible::is_unseen;

    #[test]
    fn people_and_programs_are_told_what_is_wrong() {
        let problems = read("add ssl certKey demo -cert a.pem -kye b.pem").err().unwrap();
        let [problem] = problems.as_slice() else { panic!("one problem") };
        let told = "ERROR: No such argument [-kye]\n\t1090: `add ssl certKey` has no argument `-kye`; did you mean `-key`?\n";
        assert_eq!(problem.reply(false), told);
        let marked = "add ssl certKey demo -cert a.pem -kye b.pem\n                                 ^^^^\n";
        assert_eq!(problem.reply(true), format!("{marked}{told}"));
        assert_eq!(
            problem.reply_json(),
            r#"{"errorcode":1090,"message":"No such argument","severity":"ERROR","about":"-kye","cause":"`add ssl certKey` has no argument `-kye`","hint":"did you mean `-key`?","line":1,"column":34,"width":4,"shown":"add ssl certKey demo -cert a.pem -kye b.pem"}"#
        );
    }

    proptest! {
        #[test]
        fn nothing_acts_on_a_terminal(line in any::<String>()) {
            for problem in read(&line).err().into_iter().flatten() {
                for text in [problem.reply(false), problem.reply(true), problem.reply_json(), problem.to_string()] {
                    prop_assert!(!text.chars().any(|c| is_unseen(c) && c != '\n' && c != '\t'), "{text:?}");
                }
            }
        }
    }
}
