//! One login, from the first request to its end.

use std::fmt;
use std::sync::Arc;

use gate_config::expr::{Facts, Request};

use super::code::Code;
use super::devices;
use super::event::{Denial, Event, Shown, Step, Why};
use super::gathered::Gathered;
use super::path::{Decision, Outcome, Path, Rule};
use super::place::{Place, Setting};
use super::scan::{Lack, ScanNoted, ScanQuestion, Stage};
use super::state::State;
use super::view::{Prefill, View, ViewKind};
use super::walk::Walk;
use crate::Now;
use crate::sessions::Arrival;

/// Factors that one conversation may enter: more can only be a circle.
pub const FACTORS_MAX: u32 = 32;
/// Forms and scans that one conversation may show, those not counted that are shown again after a failure.
pub const SHOWN_MAX: u32 = 10;
/// Failed tries that one conversation may have.
pub const TRIES_MAX: u32 = 8;

/// A login that is under way.
///
/// It is told what happens with [`step`](Self::step), one event after the other, and says what is to be done. It keeps the configuration
/// with which it began.
pub struct Conversation {
    pub(super) core: Core,
    state: State,
}

/// Everything but what is waited for.
pub(super) struct Core {
    pub(super) setting: Setting,
    pub(super) arrival: Arrival,
    pub(super) number: u64,
    pub(super) began: Now,
    pub(super) gathered: Gathered,
    pub(super) path: Path,
    /// The place that is tried now, by its name.
    pub(super) factor: Arc<str>,
    pub(super) entered: u32,
    pub(super) shown: u32,
    pub(super) tries: u32,
    pub(super) steps: u32,
    pub(super) questions: u64,
    pub(super) periodic: Option<super::grant::Periodic>,
    /// What was lacking in the last look at the client, until its user is told.
    pub(super) lack: Option<Lack>,
    /// The look at the client that session settings want was made.
    pub(super) looked_at: bool,
    /// It went through a classic cascade, whose first password is the one for single sign-on.
    pub(super) cascade: bool,
    /// It is about the user's devices, and never becomes a login.
    pub(super) for_devices: bool,
    /// A code of a device of the one who it is was right.
    pub(super) code_was_right: bool,
}

impl Conversation {
    /// Begins one. `number` names it to operators and is no secret; nothing is shown before the first [`step`](Self::step).
    #[must_use]
    pub fn begin(setting: Setting, arrival: Arrival, number: u64, now: Now) -> Self {
        let mut gathered = Gathered::default();
        gathered.person.session = number.to_string();
        let factor = setting.first().name(&setting);
        Self {
            core: Core {
                setting,
                arrival,
                number,
                began: now,
                gathered,
                path: Path::default(),
                factor,
                entered: 0,
                shown: 0,
                tries: 0,
                steps: 0,
                questions: 0,
                periodic: None,
                lack: None,
                looked_at: false,
                cascade: false,
                for_devices: false,
                code_was_right: false,
            },
            state: State::Fresh,
        }
    }

    /// Something happened while `request` is being answered; rules see that one.
    pub fn step(&mut self, event: Event, request: &Request, now: Now) -> Step {
        self.core.for_devices |= devices::is_wanted(request);
        let state = std::mem::replace(&mut self.state, State::Over(Denial::of(Why::Finished, Code::Unprocessable)));
        let (state, step) = Walk { core: &mut self.core, request, now }.go(state, event);
        self.state = state;
        step
    }

    /// What the client is asked about itself now; `None` if nothing is. It may be asked again: only an answer to the latest question counts.
    pub fn scan_question(&mut self, now: Now) -> Option<ScanQuestion> {
        Some(self.state.scanning_mut()?.exchange.ask(now))
    }

    /// What the client says: a digit for each string of the question, [`PASSED`](super::scan::PASSED) or another. `None`: what it sent could
    /// not be read. It is judged with [`Event::Scanned`].
    ///
    /// `announces_repeat`: the client will look again and again by itself, see [`Watch`](super::again::Watch).
    pub fn scan_answer(&mut self, digits: Option<&[u8]>, announces_repeat: bool, now: Now) -> ScanNoted {
        let Some(scanning) = self.state.scanning_mut() else { return ScanNoted::Unasked };
        scanning.announced |= announces_repeat;
        scanning.note(&self.core.setting, digits, now)
    }

    /// The gate has found the certificate of the client's machine good: what is asked now of [certificates of machines](super::scan) has passed,
    /// if the client says so, too. It counts for this question only. Whether anything is asked.
    pub fn device_proven(&mut self, now: Now) -> bool {
        self.state.scanning_mut().is_some_and(|scanning| scanning.exchange.prove_device(now))
    }

    /// What lies before the user.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.state.shown()
    }

    /// How far the look at the client is that is waited for; `None` if none is. What was answered is judged with [`Event::Scanned`].
    #[must_use]
    pub fn scan_stage(&self) -> Option<Stage> {
        Some(self.state.scanning()?.exchange.stage())
    }

    /// Whoever looks at the client has come, and will ask what at.
    pub fn scan_begins(&mut self) {
        match &mut self.state {
            State::Scan(scanning) => scanning.exchange.begin(),
            State::Fresh
            | State::Form(_)
            | State::Certificate(_)
            | State::Asking(_)
            | State::Change(_)
            | State::Challenged(_)
            | State::Managing(_)
            | State::Over(_) => {}
        }
    }

    /// The number of the question that is outstanding, if one is.
    #[must_use]
    pub fn outstanding(&self) -> Option<u64> {
        match &self.state {
            State::Asking(asking) => Some(asking.question),
            State::Fresh
            | State::Form(_)
            | State::Scan(_)
            | State::Certificate(_)
            | State::Change(_)
            | State::Challenged(_)
            | State::Managing(_)
            | State::Over(_) => None,
        }
    }

    /// Whether it has ended, with a login or without.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    /// The number that was given to it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.core.number
    }

    /// How it began.
    #[must_use]
    pub fn arrival(&self) -> &Arrival {
        &self.core.arrival
    }

    /// With what it began.
    #[must_use]
    pub fn setting(&self) -> &Setting {
        &self.core.setting
    }

    /// When it began.
    #[must_use]
    pub fn began(&self) -> Now {
        self.core.began
    }

    /// The factor that it is at, by its name.
    #[must_use]
    pub fn factor(&self) -> &Arc<str> {
        &self.core.factor
    }

    /// Who it is, once somebody has proven that.
    #[must_use]
    pub fn user(&self) -> Option<&Arc<str>> {
        self.core.gathered.identity.as_ref().map(|identity| &identity.user)
    }

    /// Every decision and its reason, oldest first; at most [`DECISIONS_MAX`](super::path::DECISIONS_MAX). No secret and nothing that was
    /// merely typed is in it.
    #[must_use]
    pub fn path(&self) -> &[Decision] {
        self.core.path.decisions()
    }

    /// How many decisions are left out of [`path`](Self::path), just before its last.
    #[must_use]
    pub fn path_left_out(&self) -> u32 {
        self.core.path.dropped()
    }
}

/// Says where it is, and nothing of what was typed.
impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("number", &self.core.number)
            .field("factor", &self.core.factor)
            .finish_non_exhaustive()
    }
}

impl Core {
    /// What rules see: the request that is answered now, the last form that came back, and who it is so far.
    pub(super) fn facts<'f>(&'f self, request: &'f Request) -> Facts<'f> {
        Facts { request, typed: &self.gathered.form, person: &self.gathered.person, names: &self.setting.model.names }
    }

    pub(super) fn note(&mut self, now: Now, policy: Option<&str>, rule: Option<Rule>, outcome: Outcome) {
        let factor = Arc::clone(&self.factor);
        self.path.push(Decision { at: now, factor, policy: policy.map(Into::into), rule, outcome });
    }

    /// Whether one more form or scan may be shown.
    pub(super) fn may_show(&mut self) -> bool {
        self.shown += 1;
        self.shown <= SHOWN_MAX
    }

    /// How many failed tries this conversation may have: fewer than usual where users are locked out for no time.
    pub(super) fn tries_max(&self) -> u32 {
        match self.setting.lockout() {
            Some(lockout) if lockout.time.is_none() => TRIES_MAX.min(u32::from(lockout.attempts)),
            Some(_) | None => TRIES_MAX,
        }
    }

    pub(super) fn next_step(&mut self) -> u32 {
        self.steps += 1;
        self.steps
    }

    pub(super) fn view(&mut self, kind: ViewKind, error: Option<Code>) -> View {
        let step = self.next_step();
        let lack = self.lack.take();
        View { factor: Arc::clone(&self.factor), kind, error, wait: None, lack, prefill: self.prefill(), step }
    }

    fn prefill(&self) -> Prefill {
        let filled = |text: &str| (!text.is_empty()).then(|| text.into());
        Prefill { user: filled(self.gathered.user_at_hand()), domain: filled(&self.gathered.person.domain) }
    }

    pub(super) fn goes_to(&mut self, place: &Place) {
        self.factor = place.name(&self.setting);
        self.cascade |= place.is_secondary() || place.is_group_extraction();
    }
}
