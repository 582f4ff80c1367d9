//! What a conversation is told, and what it answers.

use std::time::Duration;

use gate_config::expr::Typed;

use super::certificate::Certificate;
use super::code::Code;
use super::grant::Grant;
use super::question::{Answer, Question};
use super::scan::Lack;
use super::view::{CertificateView, ScanView, View};

/// Something happened.
#[expect(missing_debug_implementations, reason = "it carries what was typed")]
pub enum Event {
    /// The client wants to know what it is to show: it has just come, or shows the page again.
    Asked,
    /// A form came back.
    Posted {
        /// The [`View::step`] that it answers. `None`: the client does not know steps, and means whatever is shown.
        step: Option<u32>,
        /// What is in it.
        typed: Box<Typed>,
    },
    /// Somebody outside has answered.
    Answered {
        /// [`Question::number`].
        question: u64,
        /// What was said.
        answer: Answer,
    },
    /// The client says that it has been looked at. What it says of the result does not count; see
    /// [`Conversation::scan_answer`](super::Conversation::scan_answer).
    Scanned {
        /// The [`ScanView::step`] that it answers, if the client knows steps.
        step: Option<u32>,
    },
    /// The client cannot be looked at, or its user does not want that: as if everything had been found wrong.
    Skipped {
        /// As in [`Scanned`](Self::Scanned).
        step: Option<u32>,
    },
    /// The client has shown a certificate, or none. What it says is believed: whoever says so has judged it.
    Certificate {
        /// The [`CertificateView::step`] that it answers, if the client knows steps.
        step: Option<u32>,
        /// What it has shown.
        shown: Certificate,
    },
    /// The user has had enough.
    Cancelled,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// Show this form.
    Show(View),
    /// Have the client looked at.
    Scan(ScanView),
    /// Have the client show a certificate, and come back with [`Event::Certificate`].
    Certificate(CertificateView),
    /// Ask somebody outside, and come back with [`Event::Answered`].
    Ask(Question),
    /// The login is complete. Said once; the conversation is over.
    Granted(Box<Grant>),
    /// The conversation is over without a login. Said again to whoever goes on with it.
    Over(Denial),
    /// What came does not belong to what is waited for: an older form, an answer to another question. Nothing has changed. This is
    /// what is shown.
    Stale(Shown),
    /// What came must wait, since somebody outside is being asked. Nothing has changed.
    Busy,
}

/// What lies before the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A form.
    Form(View),
    /// A scan.
    Scan(ScanView),
    /// That a certificate is wanted.
    Certificate(CertificateView),
    /// Nothing: somebody outside is being asked, or the conversation is over.
    Nothing,
}

/// Why there is no login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Whose doing it was.
    pub why: Why,
    /// What the user is told; see [`Code::shown`].
    pub code: Code,
    /// More words for the user, as the operator has written them.
    pub message: Option<Box<str>>,
    /// How long a new try is refused, if that is known.
    pub wait: Option<Duration>,
    /// What was not as it should be at the client, if it was for that.
    pub lack: Option<Lack>,
}

/// Why a conversation ended without a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A factor without a form has failed.
    Factor,
    /// What was found at the client was not good enough, and there is no quarantine.
    Scan,
    /// Too many failed tries in this conversation.
    Tries,
    /// Too many forms or factors; the factors lead in a circle, or somebody plays.
    Steps,
    /// Everything was right, but the user is in none of the groups that may log in.
    Groups,
    /// The user ended it.
    Cancelled,
    /// It had its login already.
    Finished,
    /// Logins are switched off there.
    Off,
    /// The user has looked after his devices, and is done.
    DevicesLeft,
    /// It was about the user's devices, see [`devices`](super::devices), and its factors led to a login instead.
    NoDevices,
}

impl Denial {
    /// One without more words.
    #[must_use]
    pub const fn of(why: Why, code: Code) -> Self {
        Self { why, code, message: None, wait: None, lack: None }
    }
}
