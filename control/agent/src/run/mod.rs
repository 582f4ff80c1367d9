//! One scan from its beginning to its end: asks, looks, answers, waits, again.

mod agree;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gate_proto::epa::client_string::Kind;
use gate_proto::epa::envelope::Envelope;
use gate_proto::epa::question::write_digits;
use gate_proto::epa::{ClientString, DEVICE_PATH, HEADER, REPEATS, TYPE_ON};
use zeroize::Zeroizing;

use crate::deeds::kill::TERM_WAIT;
use crate::deeds::{self, Deed, Denied, Plan, policy};
use crate::device::Certificates;
use crate::fault::Fault;
use crate::http::{Answer, exchange};
use crate::journal::Journal;
use crate::last::Last;
use crate::line::{Way, now};
use crate::link::Aim;
use crate::look::{Finding, Machine, Why};
use crate::orders::{self, Order};
use crate::question::{Asked, BadQuestion};
use crate::rounds::{End, Heard, Next, Rounds, Verdict};
use crate::status::Note;
use crate::words::Language;

pub use agree::{Agreed, Asks, Consent};

/// How gateways know a native client: `AGEE` in it.
const USER_AGENT: &str = concat!("Mozilla/4.0 (compatible; AGEE 8.0; sluice-epa ", env!("CARGO_PKG_VERSION"), ")");
/// The digit of a check that passed.
const PASSED: &[u8] = b"0";
/// The digit of one that did not.
const FAILED: &[u8] = b"3";

/// To whom the policy belongs.
const ROOT: u32 = 0;

/// What the user has been told.
struct Told {
    strings: Vec<ClientString>,
    findings: Vec<Finding>,
    interval_minutes: Option<u16>,
}

/// Who lets gateways do something on this machine, and how far.
#[derive(Clone, Debug)]
pub struct Hands {
    /// The policy of the machine's owner: its whole path.
    pub policy: String,
    /// Whether it is only told what would be done.
    pub is_dry: bool,
    /// Whom the agent runs as.
    pub uid: u32,
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
    /// How he is asked.
    pub asks: Asks<'a>,
    /// What may be done.
    pub hands: Hands,
    /// In which words the user reads.
    pub language: Language,
    /// Where.
    pub log: &'a mut dyn Write,
    /// Where it is kept.
    pub journal: Journal,
    /// Where the last question of each gateway is kept, if anywhere.
    pub last: Option<PathBuf>,
    /// How long a minute of intervals lasts.
    pub minute: Duration,
    /// What was agreed to this time.
    pub agreed: Agreed,
    /// Files with certificates of this machine; empty: those that it keeps.
    pub certificates: Vec<PathBuf>,
    /// Where repeats are noted for `status`, if anywhere.
    pub notes: Option<PathBuf>,
}

impl Visit<'_> {
    /// Scans, and stays for as long as it is to be repeated.
    ///
    /// # Errors
    /// [`Fault`], if nothing, or nothing more, was answered.
    pub fn run(&mut self) -> Result<End, Fault> {
        let mut told = None;
        let done = self.rounds(&mut told);
        let words = match &done {
            Ok(end) => self.language.end(*end),
            Err(fault) => self.language.fault(fault),
        };
        self.note_down(&words);
        self.show_bad_news(&done, told.as_ref());
        done
    }

    fn rounds(&mut self, told: &mut Option<Told>) -> Result<End, Fault> {
        let begin = now();
        let mut rounds = Rounds::new(self.minute);
        let mut missed = None;
        let mut note = None;
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
                    let heard = match self.round(told) {
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
                    {
                        self.note(&mut note, minutes);
                    }
                    rounds.heard(heard, now().saturating_duration_since(begin));
                }
            }
        }
    }

    /// Notes the repeats, and when the next is due. Without a note they are made all the same.
    fn note(&mut self, note: &mut Option<Note>, minutes: u16) {
        let Some(folder) = self.notes.clone() else { return };
        let due = seconds_since_1970() + self.minute.saturating_mul(u32::from(minutes)).as_secs();
        let put = match note {
            Some(note) => note.put(minutes, due, &self.aim.gateway.to_string()),
            None => Note::begin(&folder).and_then(|begun| note.insert(begun).put(minutes, due, &self.aim.gateway.to_string())),
        };
        if let Err(source) = put {
            self.say(&self.language.fault(&Fault::Own { action: "note that the check is repeated", source }));
        }
    }

    /// `None`: the gateway does not know the token.
    fn is_wanted(&mut self) -> Result<Option<bool>, Fault> {
        let (answer, _) = self.ask("/epatype", None)?;
        Ok(answer.map(|answer| answer.body.trim_ascii() == TYPE_ON.trim_ascii().as_bytes()))
    }

    /// Question and answer, once.
    fn round(&mut self, told: &mut Option<Told>) -> Result<Heard, Fault> {
        let (asked, deeds) = loop {
            let (Some(answer), envelope) = self.ask("/epaq", None)? else { return Ok(Heard::Forgotten) };
            let asked = Asked::read(answer.only(HEADER).ok_or(BadQuestion::Missing)?, &envelope)?;
            if asked.strings.is_empty() {
                let wait = answer.only("retry-after").and_then(|wait| std::str::from_utf8(wait).ok()?.parse().ok());
                let wait = wait.filter(|_| told.is_some()).map(Duration::from_secs);
                return wait.map(Heard::NotNow).ok_or(Fault::NotWanted);
            }
            let wanted = answer.only(orders::HEADER).map(|payload| orders::read(payload, &envelope)).unwrap_or_default();
            // Before the first look, and never again.
            let mut deeds = if told.is_none() { self.plan(wanted) } else { Vec::new() };
            if !self.agree(&asked.strings, &mut deeds)? {
                break (asked, deeds);
            }
            // He may have thought about it for longer than a question waits: it is asked anew.
        };
        self.act(deeds);
        let mut findings = self.machine.look(&asked.strings);
        if asked.strings.iter().any(|string| *string.kind() == Kind::DeviceCertificate) {
            let shown = self.show_certificate()?;
            let of_machine =
                asked.strings.iter().zip(&mut findings).filter(|(string, _)| *string.kind() == Kind::DeviceCertificate);
            of_machine.for_each(|(_, finding)| *finding = shown.clone());
        }
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
        self.keep(&asked.strings, &verdicts, verdict);
        *told = Some(Told { strings: asked.strings, findings, interval_minutes });
        Ok(Heard::Answered { interval_minutes, verdict })
    }

    /// What is going to happen of what the gateway wants done.
    fn plan(&self, wanted: Vec<Order>) -> Vec<Deed> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let policy = policy::read(Path::new("/"), &self.hands.policy, ROOT);
        deeds::plan(wanted, &self.aim.gateway, &policy, self.hands.is_dry, self.hands.uid)
    }

    /// Does what is planned, and says what became of it. Nothing is done that was not written down before.
    fn act(&mut self, mut deeds: Vec<Deed>) {
        if deeds.is_empty() {
            return;
        }
        for deed in deeds.iter_mut().filter(|deed| deed.plan == Plan::Will) {
            let line = self.language.begins(&deed.order);
            if self.journal.write(seconds_since_1970(), &self.aim.gateway.to_string(), &line).is_err() {
                deed.plan = Plan::Denied(Denied::NotLogged);
            }
        }
        let outcomes = deeds::carry_out(&deeds, Path::new("/"), self.hands.uid, TERM_WAIT);
        for (deed, outcome) in deeds.iter().zip(&outcomes) {
            self.say(&self.language.outcome(&deed.order, outcome));
        }
    }

    /// Keeps what was asked and answered, for `status` and `explain`.
    fn keep(&mut self, strings: &[ClientString], verdicts: &[bool], verdict: Verdict) {
        let Some(folder) = &self.last else { return };
        let answers = strings.iter().cloned().zip(verdicts.iter().copied()).collect();
        let last = Last { gateway: self.aim.gateway.to_string(), seconds: seconds_since_1970(), verdict, answers };
        if let Err(source) = last.keep(folder) {
            self.say(&self.language.fault(&Fault::Own { action: "remember the answer", source }));
        }
    }

    /// Shows the certificate of the machine, and says whether the gateway has accepted it.
    fn show_certificate(&mut self) -> Result<Finding, Fault> {
        let own = Certificates::of(&self.certificates);
        if own.is_empty() {
            return Ok(Finding::No(Why::NoCertificate));
        }
        let way = self.way.showing(own);
        let (answer, _) = self.ask_on(&way, DEVICE_PATH, None)?;
        Ok(match answer.map(|answer| answer.body) {
            Some(body) if body == PASSED => Finding::Yes,
            Some(_) => Finding::No(Why::Certificate),
            // Nobody asked for one, or none of ours was wanted.
            None => Finding::No(Why::NoCertificate),
        })
    }

    /// One of the three requests. No answer: the gateway does not know the token. The envelope is that of this request.
    fn ask(&self, path: &str, digits: Option<(&str, bool)>) -> Result<(Option<Answer>, Envelope), Fault> {
        self.ask_on(&self.way, path, digits)
    }

    fn ask_on(&self, way: &Way, path: &str, digits: Option<(&str, bool)>) -> Result<(Option<Answer>, Envelope), Fault> {
        let (host, token) = (self.aim.host_header(), &self.aim.token);
        let date = seconds_since_1970().to_string();
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
        let answer = exchange(way, &self.aim.gateway, &request)?;
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
        self.note_down(line);
    }

    /// A line for the journal alone. Whether it is written matters only to what is done.
    fn note_down(&self, line: &str) {
        let _written = self.journal.write(seconds_since_1970(), &self.aim.gateway.to_string(), line);
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

/// The wall clock.
#[must_use]
pub fn seconds_since_1970() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the named place: the date enters the key, where any date would do, and what people read"
    )]
    let wall = SystemTime::now();
    wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
