//! One scan from its beginning to its end: asks, looks, answers, waits, again.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gate_proto::epa::envelope::Envelope;
use gate_proto::epa::question::write_digits;
use gate_proto::epa::{ClientString, HEADER, REPEATS, TYPE_ON};
use zeroize::Zeroizing;

use crate::consent::{Memory, Reply, reply};
use crate::fault::Fault;
use crate::http::{Answer, exchange};
use crate::line::{Way, now};
use crate::link::Aim;
use crate::look::{Finding, Machine};
use crate::orders;
use crate::question::{Asked, BadQuestion};
use crate::rounds::{End, Heard, Next, Rounds, Verdict};
use crate::status::Note;
use crate::words::Language;

/// How gateways know a native client: `AGEE` in it.
const USER_AGENT: &str = concat!("Mozilla/4.0 (compatible; AGEE 8.0; sluice-epa ", env!("CARGO_PKG_VERSION"), ")");
/// The digit of a check that passed.
const PASSED: &[u8] = b"0";
/// The digit of one that did not.
const FAILED: &[u8] = b"3";

/// What the user has been told.
struct Told {
    strings: Vec<ClientString>,
    findings: Vec<Finding>,
    interval_minutes: Option<u16>,
}

/// Who is asked whether the gateway may be answered.
#[derive(Debug)]
pub enum Consent {
    /// Nobody: it was said beforehand.
    Given,
    /// The user, at a terminal or from memory.
    Asked(Memory),
}

/// What a scan needs.
pub struct Visit<'a> {
    /// To whom.
    pub aim: Aim,
    /// How to get there.
    pub way: Way,
    /// What is looked at.
    pub machine: Machine,
    /// Who agrees.
    pub consent: Consent,
    /// Where the user types, if at all.
    pub terminal: Option<&'a mut dyn BufRead>,
    /// In which words the user reads.
    pub language: Language,
    /// Where.
    pub log: &'a mut dyn Write,
    /// How long a minute of intervals lasts.
    pub minute: Duration,
    /// What was agreed to for this time only.
    pub agreed: Vec<ClientString>,
    /// Where repeats are noted for `status`, if anywhere.
    pub notes: Option<PathBuf>,
}

impl Visit<'_> {
    /// Scans, and stays for as long as it is to be repeated.
    ///
    /// # Errors
    /// [`Fault`], if nothing, or nothing more, was answered.
    pub fn run(&mut self) -> Result<End, Fault> {
        let begin = now();
        let mut rounds = Rounds::new(self.minute);
        let mut told: Option<Told> = None;
        let mut missed = None;
        let mut note: Option<(u16, Option<Note>)> = None;
        match self.is_wanted() {
            Ok(Some(true)) => {}
            Ok(Some(false)) => return Err(Fault::NotWanted),
            Ok(None) => return Ok(End::NeverKnown),
            Err(fault) => return Err(fault),
        }
        loop {
            match rounds.next(now().saturating_duration_since(begin)) {
                // Nobody else wakes this thread; if something does, it waits for the rest.
                Next::Wait(wait) => std::thread::park_timeout(wait),
                Next::End(End::Lost) if missed.is_some() && told.is_none() => return missed.map_or(Ok(End::Lost), Err),
                Next::End(end) => return Ok(end),
                Next::Scan => {
                    let heard = match self.round(&mut told) {
                        Ok(heard) => heard,
                        Err(fault @ (Fault::Unreached(_) | Fault::Busy(_))) => {
                            if told.is_some() {
                                self.say(&self.language.tries_again(&fault));
                            }
                            missed = Some(fault);
                            Heard::Unreached
                        }
                        Err(fault) => return Err(fault),
                    };
                    if let Heard::Answered { interval_minutes: Some(minutes), verdict: Verdict::Passed | Verdict::Untold } = heard
                        && note.as_ref().is_none_or(|(noted, _)| *noted != minutes)
                    {
                        // The old one first: both have the same name.
                        drop(note.take());
                        note = Some((minutes, self.note(minutes)));
                    }
                    rounds.heard(heard, now().saturating_duration_since(begin));
                }
            }
        }
    }

    /// Notes the repeats. Without a note they are made all the same.
    fn note(&mut self, minutes: u16) -> Option<Note> {
        match Note::put(self.notes.as_deref()?, minutes, &self.aim.gateway.to_string()) {
            Ok(note) => Some(note),
            Err(source) => {
                self.say(&self.language.fault(&Fault::Own { action: "note that the check is repeated", source }));
                None
            }
        }
    }

    /// `None`: the gateway does not know the token.
    fn is_wanted(&mut self) -> Result<Option<bool>, Fault> {
        let (answer, _) = self.ask("/epatype", None)?;
        Ok(answer.map(|answer| answer.body.trim_ascii() == TYPE_ON.trim_ascii().as_bytes()))
    }

    /// Question and answer, once.
    fn round(&mut self, told: &mut Option<Told>) -> Result<Heard, Fault> {
        let (Some(answer), envelope) = self.ask("/epaq", None)? else { return Ok(Heard::Forgotten) };
        let asked = Asked::read(answer.only(HEADER).ok_or(BadQuestion::Missing)?, &envelope)?;
        if asked.strings.is_empty() {
            return Err(Fault::NotWanted);
        }
        let wanted = answer.only(orders::HEADER).map(|payload| orders::read(payload, &envelope));
        self.agree(&asked.strings)?;
        for order in wanted.unwrap_or_default().iter().filter(|_| told.is_none()) {
            self.say(&self.language.not_done(order));
        }
        let findings = self.machine.look(&asked.strings);
        let verdicts: Vec<bool> = findings.iter().map(|finding| *finding == Finding::Yes).collect();
        // A repeat that finds the same is not told again. Told before it is answered: the answer may be the last thing that is heard.
        let is_same = told.as_ref().is_some_and(|before| before.strings == asked.strings && before.findings == findings);
        if !is_same {
            for (string, finding) in asked.strings.iter().zip(&findings) {
                self.say(&self.language.found(string, finding));
            }
        }
        let (Some(answer), envelope) = self.ask("/epas", Some((&write_digits(&verdicts), asked.is_plain)))? else {
            return Ok(Heard::Forgotten);
        };
        let verdict = match verdict(&answer.body, asked.is_plain, &envelope) {
            // What did a moment ago still does. Another agent of this login has answered the same question: this answer did not count.
            Verdict::Failed if is_same => Verdict::Untold,
            other @ (Verdict::Passed | Verdict::Failed | Verdict::Untold) => other,
        };
        let interval_minutes = asked.interval_minutes();
        if let Some(minutes) = interval_minutes
            && verdict != Verdict::Failed
            && told.as_ref().is_none_or(|before| before.interval_minutes != interval_minutes)
        {
            self.say(&self.language.stays(minutes));
        }
        *told = Some(Told { strings: asked.strings, findings, interval_minutes });
        Ok(Heard::Answered { interval_minutes, verdict })
    }

    /// Makes sure that the user agrees to `strings`.
    fn agree(&mut self, strings: &[ClientString]) -> Result<(), Fault> {
        let gateway = self.aim.gateway.to_string();
        let memory = match &self.consent {
            Consent::Given => return Ok(()),
            Consent::Asked(memory) if memory.holds(&gateway) => return Ok(()),
            Consent::Asked(memory) => memory.clone(),
        };
        if strings.iter().all(|string| self.agreed.contains(string)) {
            return Ok(());
        }
        let Some(terminal) = self.terminal.as_deref_mut() else { return Err(Fault::Nobody) };
        let mut text = format!("{}\n", self.language.asks(&gateway));
        for string in strings {
            text += &format!("  {}\n", crate::words::shown(&string.to_string()));
        }
        text += &self.language.may_it();
        let own = |action| move |source| Fault::Own { action, source };
        self.log.write_all(text.as_bytes()).and_then(|()| self.log.flush()).map_err(own("ask for consent"))?;
        match reply(&mut Through(terminal)).map_err(own("read the answer"))? {
            Reply::No => Err(Fault::NotAgreed),
            Reply::Once => {
                self.agreed = strings.to_vec();
                Ok(())
            }
            Reply::Always => {
                self.agreed = strings.to_vec();
                if let Err(source) = memory.keep(&gateway) {
                    self.say(&self.language.fault(&Fault::Own { action: "remember the consent", source }));
                }
                Ok(())
            }
        }
    }

    /// One of the three requests. No answer: the gateway does not know the token. The envelope is that of this request.
    fn ask(&mut self, path: &str, digits: Option<(&str, bool)>) -> Result<(Option<Answer>, Envelope), Fault> {
        let (host, token) = (self.aim.host_header(), &self.aim.token);
        let date = seconds_since_1970();
        let envelope = Envelope::derive(token, date.as_bytes(), host.as_bytes()).ok_or(crate::link::NoAim::Token)?;
        let (repeats, periodic) = REPEATS;
        let mut request = Zeroizing::new(String::with_capacity(2048));
        for part in [
            "GET ",
            path,
            " HTTP/1.1\r\nHost: ",
            &host,
            "\r\nCookie: NSC_EPAC=",
            token,
            "\r\nDate: ",
            &date,
            "\r\nUser-Agent: ",
            USER_AGENT,
            "\r\n",
            repeats,
            ": ",
            periodic,
            "\r\nConnection: close\r\n",
        ] {
            request.push_str(part);
        }
        if let Some((digits, is_plain)) = digits {
            let payload =
                if is_plain { digits.to_owned() } else { envelope.seal(digits.as_bytes()).map_err(|_| Fault::Sealing)? };
            request.push_str(&format!("{HEADER}: {payload}\r\n"));
        }
        request.push_str("\r\n");
        let answer = exchange(&self.way, &self.aim.gateway, &request)?;
        match answer.status {
            200 => Ok((Some(answer), envelope)),
            403 => Ok((None, envelope)),
            429 | 500..=599 => Err(Fault::Busy(answer.status)),
            other => Err(Fault::Status(other)),
        }
    }

    /// A line for the user. Who has closed the terminal has read enough.
    fn say(&mut self, line: &str) {
        let _unread = writeln!(self.log, "sluice-epa: {line}");
    }
}

impl std::fmt::Debug for Visit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Visit").field("aim", &self.aim).finish_non_exhaustive()
    }
}

fn verdict(body: &[u8], is_plain: bool, envelope: &Envelope) -> Verdict {
    let opened = if is_plain { Ok(Zeroizing::new(body.to_vec())) } else { envelope.open(body.trim_ascii()) };
    match opened.as_deref().map(|text| text.trim_ascii()) {
        Ok(PASSED) => Verdict::Passed,
        Ok(FAILED) => Verdict::Failed,
        Ok(_) | Err(_) => Verdict::Untold,
    }
}

fn seconds_since_1970() -> String {
    #[expect(clippy::disallowed_methods, reason = "the named place: the date enters the key, and any date would do")]
    let wall = SystemTime::now();
    wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string()
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
