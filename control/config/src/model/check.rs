//! What a client's machine must be like, as classic policies and session actions say it, turned into what a client can be asked.
//!
//! ```text
//!   CLIENT.APPLICATION.PROCESS(firefox.exe) EXISTS -frequency 5      sys.client_expr("proc_5_firefox.exe")
//!   CLIENT.SVC(telnet) NOTEXISTS && CLIENT.FILE(C:\a.ini) EXISTS     !sys.client_expr("svc_0_telnet") && sys.client_expr("file_0_C:\a.ini")
//!   CLIENT.APPLICATION.AV(X).VERSION == 12 || ns_false               sys.client_expr("app_0_ANTIVIR_X_VERSION_==_12")
//!   ns_true                                                          nothing: it holds
//! ```
//!
//! The old language is read by [`gate_proto::epa::classic`]; here is what a configuration keeps of it.

use std::fmt;

use gate_proto::epa::classic::{self, Converted, NotConverted};
use thiserror::Error;

use super::authentication::{ClientExpression, NotAClientExpression};

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
    /// Something in it has no counterpart.
    #[error(transparent)]
    Classic(#[from] NotConverted),
    /// What came out is no client security expression.
    #[error("as a client security expression: {0}")]
    Result(#[from] NotAClientExpression),
}

impl ClientCheck {
    /// Reads it; what cannot be put to a client is kept, and its answer is no.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let asked = match classic::convert(text) {
            Ok(Converted::Always(known)) => Ok(Asked::Always(known)),
            Ok(Converted::Asked(text)) => ClientExpression::parse(&text).map(Asked::Client).map_err(NotAsked::from),
            Err(not) => Err(not.into()),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_be_asked_is_asked() {
        for (text, asked) in [
            ("CLIENT.APPLICATION.PROCESS(firefox.exe) EXISTS -frequency 5", r#"sys.client_expr("proc_5_firefox.exe")"#),
            ("CLIENT.APPLICATION.AV(Norton).VERSION != 12", r#"sys.client_expr("app_0_ANTIVIR_Norton_VERSION_!=_12")"#),
            (
                "CLIENT.APPLICATION.AV(X) EXISTS -freshness 5 && CLIENT.APPLICATION.PF(Y) EXISTS",
                r#"sys.client_expr("app_0_ANTIVIR_X_VIRDEF-FILE-TIME_<=_5") && sys.client_expr("app_0_FIREWALL_Y")"#,
            ),
            (r#"sys.client_expr("proc_2_firefox")"#, r#"sys.client_expr("proc_2_firefox")"#),
            (
                "!(CLIENT.SVC(a) EXISTS || CLIENT.SVC(b) EXISTS) && CLIENT.SVC(c) NOTEXISTS",
                r#"!(sys.client_expr("svc_0_a") || sys.client_expr("svc_0_b")) && !sys.client_expr("svc_0_c")"#,
            ),
        ] {
            let check = ClientCheck::read(text);
            let Asked::Client(expression) = check.asked() else { panic!("{text}: {:?}", check.asked()) };
            assert_eq!(expression.as_str(), asked, "{text}");
            assert_eq!(check.to_string(), text);
        }
        assert_eq!(ClientCheck::read("ns_false && CLIENT.SVC(a) EXISTS").asked(), &Asked::Always(false));
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        for text in [
            "",
            "CLIENT.SVC(a) EXISTSNOT",
            "CLIENT.SVC('a) EXISTS",
            "CLIENT.OS(x).SP ==",
            "CLIENT.SVC(a) EXISTS -frequency x",
            "CLIENT.SVC(a) EXISTS CLIENT.SVC(b) EXISTS",
            "REQ.HTTP.HEADER User-Agent CONTAINS x",
        ] {
            let check = ClientCheck::read(text);
            assert!(matches!(check.asked(), Asked::Cannot(NotAsked::Classic(_))), "{text}: {:?}", check.asked());
        }
        let many = vec!["CLIENT.SVC(a) EXISTS"; 300].join("&&");
        let check = ClientCheck::read(&many);
        assert!(matches!(check.asked(), Asked::Cannot(NotAsked::Result(_))), "{:?}", check.asked());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(ns_true|CLIENT\\.SVC|CLIENT\\.OS|\\(a\\)|\\.SP| == |EXISTS|-frequency 2|&&|\\|\\||[()! \"']|\\PC){0,14}") {
            let check = ClientCheck::read(&text);
            prop_assert_eq!(check.as_str(), text);
        }
    }
}
