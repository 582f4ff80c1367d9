//! The user in a scan: whether he agrees, now or from before, and what he is shown at its end.
//!
//! ```text
//!   strings, deeds ─► agreed to before? ─► go on
//!                         │ no
//!                         ▼
//!                  terminal or window: once / only answer / always / no ─► what was declined is denied; asked anew
//! ```

use std::io::{self, BufRead};

use gate_proto::epa::ClientString;

use super::{Told, Visit};
use crate::consent::{Memory, Reply, reply};
use crate::deeds::{Deed, Denied, Plan};
use crate::dialog::Dialog;
use crate::explain::cure;
use crate::fault::Fault;
use crate::look::Finding;
use crate::orders::Order;
use crate::rounds::{End, LOGIN_MAX};
use crate::words::Language;

/// Most of what does not hold that is shown in a window.
const BAD_NEWS_MAX: usize = 8;

/// Whether the gateway may be answered.
#[derive(Debug)]
pub enum Consent {
    /// So it was said beforehand.
    Given,
    /// If the user agrees now, or has before.
    Asked(Memory),
}

/// How the user is asked.
pub enum Asks<'a> {
    /// At a terminal, where he types.
    Terminal(&'a mut dyn BufRead),
    /// In a window.
    Window(Dialog),
    /// Not at all.
    Nobody,
}

/// What the user said to what was shown.
#[derive(Debug, Default)]
pub struct Agreed {
    strings: Vec<ClientString>,
    orders: Vec<Order>,
    declined: Vec<Order>,
}

impl Visit<'_> {
    /// Makes sure that the user agrees to `strings`; of `deeds`, what he does not agree to is denied. Whether he was asked now.
    pub(super) fn agree(&mut self, strings: &[ClientString], deeds: &mut [Deed]) -> Result<bool, Fault> {
        let gateway = self.aim.gateway.to_string();
        let memory = match &self.consent {
            Consent::Given => return Ok(false),
            Consent::Asked(memory) => memory.clone(),
        };
        let may_look =
            memory.holds(std::slice::from_ref(&gateway)) || strings.iter().all(|string| self.agreed.strings.contains(string));
        let mut open = Vec::new();
        for deed in deeds.iter_mut().filter(|deed| deed.plan == Plan::Will) {
            if self.agreed.declined.contains(&deed.order) {
                deed.plan = Plan::Denied(Denied::NotAgreed);
            } else if !self.agreed.orders.contains(&deed.order) && !memory.holds(&[remembered(&gateway, &deed.order)]) {
                open.push(deed);
            }
        }
        if may_look && open.is_empty() {
            return Ok(false);
        }
        if may_look && matches!(self.asks, Asks::Nobody) {
            open.into_iter().for_each(|deed| deed.plan = Plan::Denied(Denied::NotAgreed));
            return Ok(false);
        }
        let open: Vec<Order> = open.into_iter().map(|deed| deed.order.clone()).collect();
        let reply = self.reply(&gateway, strings, deeds, !open.is_empty())?;
        self.note_down(&self.language.replied(reply));
        match reply {
            Reply::No => return Err(Fault::NotAgreed),
            Reply::AnswerOnly => self.agreed.declined.extend(open),
            Reply::Once => self.agreed.orders.extend(open),
            Reply::Always => {
                let all: Vec<String> =
                    std::iter::once(gateway.clone()).chain(open.iter().map(|order| remembered(&gateway, order))).collect();
                self.agreed.orders.extend(open);
                if let Err(source) = memory.keep(&all) {
                    self.say(&self.language.fault(&Fault::Own { action: "remember the consent", source }));
                }
            }
        }
        self.agreed.strings = strings.to_vec();
        Ok(true)
    }

    /// Asks the user.
    fn reply(&mut self, gateway: &str, strings: &[ClientString], deeds: &[Deed], does: bool) -> Result<Reply, Fault> {
        let own = |action| move |source| Fault::Own { action, source };
        // What cannot show Japanese is given English.
        let language = match &self.asks {
            Asks::Window(window) if !window.has_letters() => Language::English,
            Asks::Window(_) | Asks::Terminal(_) | Asks::Nobody => self.language,
        };
        let text = language.question_for_consent(gateway, strings, deeds);
        match &mut self.asks {
            Asks::Nobody => Err(Fault::Nobody),
            Asks::Terminal(terminal) => {
                let text = text + &language.may_it(does);
                self.log.write_all(text.as_bytes()).and_then(|()| self.log.flush()).map_err(own("ask for consent"))?;
                reply(&mut Through(*terminal)).map_err(own("read the answer"))
            }
            Asks::Window(window) => {
                let buttons = language.buttons(does);
                window.ask(&language.title(), &text, &buttons, &language.no(), LOGIN_MAX).map_err(own("ask for consent"))
            }
        }
    }

    /// Who has no terminal is shown why he does not get in; all else he sees in the browser.
    pub(super) fn show_bad_news(&self, done: &Result<End, Fault>, told: Option<&Told>) {
        let Asks::Window(window) = &self.asks else { return };
        if matches!(done, Ok(End::Passed | End::Forgotten) | Err(Fault::NotAgreed)) {
            return;
        }
        let language = if window.has_letters() { self.language } else { Language::English };
        let mut text = match done {
            Ok(end) => language.end(*end),
            Err(fault) => language.fault(fault),
        };
        let findings = told.iter().flat_map(|told| told.strings.iter().zip(&told.findings));
        let bad = findings.filter_map(|(string, finding)| match finding {
            Finding::Yes => None,
            Finding::No(why) => Some(format!("\n\n{}\n    {}", language.found(string, finding), cure(language, why))),
        });
        text.extend(bad.take(BAD_NEWS_MAX));
        // It stands in the journal, too.
        let _seen = window.tell(&language.failed_title(), &text, &language.close(), LOGIN_MAX);
    }
}

impl std::fmt::Debug for Asks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Terminal(_) => "Terminal",
            Self::Window(_) => "Window",
            Self::Nobody => "Nobody",
        })
    }
}

/// How "always" to a deed is remembered.
fn remembered(gateway: &str, order: &Order) -> String {
    match order {
        Order::Kill(name) => format!("{gateway} kill {name}"),
        Order::Delete(path) => format!("{gateway} delete {path}"),
        // Nobody is asked about it.
        Order::Unclear => format!("{gateway} unclear"),
    }
}

/// A reader behind a reference to one of unknown type.
struct Through<'t>(&'t mut dyn BufRead);

impl io::Read for Through<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl BufRead for Through<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.0.consume(bytes);
    }
}
