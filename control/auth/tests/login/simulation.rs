//! Logins over factors that nobody has thought of, by somebody who says anything at any time.
//!
//! A failure prints its seed; `SEED=7 cargo test -p gate-auth --test login simulation` replays it.
//!
//! What holds after every step:
//!
//! - one question is outstanding or none, and a new one never comes while another is;
//! - what is stale changes nothing; what was over stays over;
//! - a factor is entered behind one that has succeeded, and a login granted behind the last;
//! - a name, a group and a password are there only if the one who was asked has said so, or the action has succeeded;
//! - nothing grows beyond its bound.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use gate_auth::login::{
    Answer, Ask, Certificate, Challenge, Code, Conversation, DECISIONS_MAX, Event, FACTORS_MAX, Grant, Outcome, Owner, Proven,
    SHOWN_MAX, Shown, Step, TRIES_MAX,
};
use gate_config::expr::{GroupOrigin, Typed};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::kit::{GATEWAY, arrival, model, request, setting, typed};

const WORLDS: u64 = 120;
const LOGINS: usize = 12;
const EVENTS: usize = 60;

struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(u64::try_from(of.len()).unwrap())).unwrap()]
    }
}

/// Factors at random: rules, actions, gotos, forms, and where a success goes.
fn world(chance: &mut Chance) -> String {
    let mut text = GATEWAY.to_owned();
    text += "set authentication ldapAction dir -defaultAuthenticationGroup of_dir\n\
        add authentication noAuthAction free -defaultAuthenticationGroup of_free\n\
        add authentication radiusAction rad -serverIP 10.0.0.3 -radKey 0123456789abcdef -defaultAuthenticationGroup of_rad\n\
        add authentication certAction card -groupNameField Subject:OU -defaultAuthenticationGroup of_card\n\
        set ssl vserver gw -clientAuth ENABLED -clientCert Optional\n\
        add authentication loginSchema wants -authenticationSchema LoginSchema/DualAuth.xml -SSOCredentials YES -passwordCredentialIndex 3\n";
    for n in 0..3 {
        let expression = ["sys.client_expr(\"proc_0_a\")", "sys.client_expr(\"proc_2_b\")", "sys.client_expr(\"proc_0_c\")"][n];
        let quarantine = if chance.one_in(2) { format!("-quarantineGroup weak{n}") } else { String::new() };
        writeln!(text, "add authentication epaAction e{n} -csecexpr {expression} -defaultEPAGroup of_e{n} {quarantine}").unwrap();
    }
    let labels = 2 + chance.below(5);
    for label in 0..labels {
        let schema = chance.pick(&["LSCHEMA_INT", "LSCHEMA_INT", "single", "wants"]);
        writeln!(text, "add authentication policylabel l{label} -loginSchema {schema}").unwrap();
    }
    for factor in 0..=labels {
        let scan = chance.one_in(3);
        for policy in 0..1 + chance.below(3) {
            let rule = chance.pick(&[
                "true",
                "true",
                "true",
                "false",
                "HTTP.REQ.URL.CONTAINS(\\\"odd\\\")",
                "AAA.USER.IS_MEMBER_OF(\\\"of_free\\\")",
            ]);
            let action = if scan {
                chance.pick(&["e0", "e1", "e2"])
            } else {
                chance.pick(&["dir", "dir2", "groups", "LOCAL", "free", "rad", "NO_AUTHN", "card"])
            };
            let name = format!("q_{factor}_{policy}");
            writeln!(text, "add authentication Policy {name} -rule \"{rule}\" -action {action}").unwrap();
            let goto =
                chance.pick(&["", "-gotoPriorityExpression NEXT", "-gotoPriorityExpression END", "-gotoPriorityExpression 30"]);
            let next = if chance.one_in(3) { String::new() } else { format!("-nextFactor l{}", chance.below(labels)) };
            let priority = 10 * (policy + 1);
            let (to, word) = if factor == labels {
                ("vserver av".to_owned(), "policy")
            } else {
                (format!("policylabel l{factor}"), "policyName")
            };
            writeln!(text, "bind authentication {to} -{word} {name} -priority {priority} {goto} {next}").unwrap();
        }
    }
    if chance.one_in(3) {
        text += "bind authentication vserver av -policy p_local -priority 900 -secondary\n";
    }
    text
}

/// What the one outside has said, and the machine has heard.
#[derive(Default)]
struct Heard {
    proven: BTreeSet<String>,
    groups: BTreeSet<String>,
}

struct Watcher {
    conversation: Conversation,
    outstanding: Option<(u64, Ask)>,
    heard: Heard,
    over: bool,
    granted: bool,
    steps: u32,
}

impl Watcher {
    /// An event at random; most of the time one that fits.
    fn event(&mut self, chance: &mut Chance) -> Event {
        let step = match chance.below(6) {
            0 => Some(u32::try_from(chance.below(8)).unwrap()),
            1 | 2 => Some(self.steps),
            _ => None,
        };
        if let Some((number, ask)) = &self.outstanding
            && !chance.one_in(4)
        {
            let wrong = chance.one_in(6);
            let question = if wrong { number.wrapping_add(chance.below(3)).wrapping_sub(1) } else { *number };
            let answer = Self::answer(ask, question, chance);
            return Event::Answered { question, answer };
        }
        match chance.below(12) {
            0 => Event::Asked,
            1 => Event::Scanned { step },
            2 => Event::Skipped { step },
            3 => Event::Answered { question: chance.below(4), answer: Answer::Proven(Box::new(proven("mallory", "stolen"))) },
            4 if chance.one_in(6) => Event::Cancelled,
            // Now and then where none is wanted.
            4 => self.certificate(step, chance),
            5..=8 if matches!(self.conversation.shown(), Shown::Certificate(_)) => self.certificate(step, chance),
            5..=8 if matches!(self.conversation.shown(), Shown::Scan(_)) => {
                let now = Duration::from_secs(5);
                let strings = self.conversation.scan_question(now).unwrap().strings.len();
                let digits: Vec<u8> = (0..strings).map(|_| if chance.one_in(2) { b'0' } else { b'3' }).collect();
                let _noted = self.conversation.scan_answer(Some(&digits), chance.one_in(2), now);
                Event::Scanned { step: None }
            }
            _ => {
                let user = chance.pick(&["ann", "bob", "DEMO\\ann", "", "@"]);
                let password = chance.pick(&["pw1", "pw2", ""]);
                let mut typed: Box<Typed> = typed(user, password, chance.pick(&["", "otp"]));
                for (name, value) in [("newpwd", "pw3"), ("confirmedpwd", chance.pick(&["pw3", "pw4"]))] {
                    typed.fields.push((name.into(), Zeroizing::new(value.into())));
                }
                Event::Posted { step, typed }
            }
        }
    }

    fn certificate(&mut self, step: Option<u32>, chance: &mut Chance) -> Event {
        let shown = match chance.below(4) {
            0 => Certificate::None,
            1 => Certificate::Bad("it has expired".into()),
            _ => {
                let is_wanted =
                    matches!(self.conversation.shown(), Shown::Certificate(view) if step.is_none_or(|step| step == view.step));
                if is_wanted {
                    self.heard.proven.insert("carol".to_owned());
                    self.heard.groups.insert("carded".to_owned());
                }
                let subject = vec![("CN".into(), "carol".into()), ("OU".into(), "carded".into())];
                Certificate::Good(Box::new(Owner { subject, ..Owner::default() }))
            }
        };
        Event::Certificate { step, shown }
    }

    fn answer(ask: &Ask, question: u64, chance: &mut Chance) -> Answer {
        let user = match ask {
            Ask::Local { user, .. }
            | Ask::Ldap { user, .. }
            | Ask::LdapChange { user, .. }
            | Ask::Radius { user, .. }
            | Ask::Reply { user, .. }
            | Ask::Code { user, .. }
            | Ask::Devices { user }
            | Ask::NewSecret { name: user }
            | Ask::DeviceAdd { user, .. }
            | Ask::DeviceRemove { user, .. } => user,
        };
        match chance.below(12) {
            0 => Answer::Wrong(Code::Password),
            1 => Answer::Outage(Code::TryLater, "no answer in time".into()),
            2 => Answer::MustChange(Code::Expired),
            3 => Answer::Challenge(Challenge { text: "again".into(), state: Zeroizing::default() }),
            4 => Answer::Held(Duration::from_secs(3)),
            5 => Answer::Locked,
            _ => Answer::Proven(Box::new(proven(user, &format!("answered{question}")))),
        }
    }

    fn step(&mut self, event: Event, chance: &mut Chance) {
        let before = (self.conversation.shown(), self.conversation.outstanding(), self.conversation.factor().clone());
        let mut answered = false;
        if let Event::Answered { question, answer } = &event
            && self.conversation.outstanding() == Some(*question)
        {
            answered = true;
            if let (Answer::Proven(proven), Some((_, ask))) = (answer, &self.outstanding) {
                self.hear(proven, &ask.kind());
            }
        }
        let mut request = request();
        if chance.one_in(2) {
            request.target = "/odd".into();
        }
        let step = self.conversation.step(event, &request, Duration::from_secs(5));
        match step {
            Step::Ask(question) => {
                assert!(before.1.is_none() || answered, "two questions at a time");
                assert_eq!(self.conversation.outstanding(), Some(question.number));
                assert!(self.outstanding.as_ref().is_none_or(|(number, _)| *number < question.number), "a number was used twice");
                self.outstanding = Some((question.number, question.ask));
            }
            Step::Show(view) => self.shows(view.step),
            Step::Scan(view) => self.shows(view.step),
            Step::Certificate(view) => self.shows(view.step),
            Step::Granted(grant) => {
                assert!(!self.over && !self.granted, "granted twice, or after the end");
                self.granted = true;
                self.check(&grant);
            }
            Step::Over(_) => self.over = true,
            Step::Stale(shown) => {
                assert_eq!((shown, self.conversation.outstanding()), (before.0, before.1), "what is stale changed something");
                assert_eq!(*self.conversation.factor(), before.2);
            }
            Step::Busy => assert!(before.1.is_some() && self.conversation.outstanding() == before.1),
        }
        if self.over || self.granted {
            assert!(self.conversation.is_over() && self.conversation.outstanding().is_none());
            assert_eq!(self.conversation.shown(), Shown::Nothing);
        }
        self.bounds();
    }

    fn shows(&mut self, step: u32) {
        assert!(!self.over && !self.granted && self.conversation.outstanding().is_none());
        assert!(step >= self.steps, "steps go back");
        self.steps = step;
        self.outstanding = None;
    }

    fn hear(&mut self, proven: &Proven, ask: &Kind) {
        match ask {
            Kind::Secret => {
                self.heard.proven.insert(proven.user.to_lowercase());
                self.heard.groups.extend(proven.groups.iter().cloned());
            }
            Kind::LookUp => self.heard.groups.extend(proven.groups.iter().cloned()),
            Kind::Change => {}
        }
    }

    fn check(&self, grant: &Grant) {
        let path = self.conversation.path();
        let succeeded = |action: &str| path.iter().any(|d| matches!(&d.outcome, Outcome::Succeeded(by) if &**by == action));
        if let Some(identity) = &grant.identity {
            assert!(
                self.heard.proven.iter().any(|user| user.ends_with(&identity.user.to_lowercase())),
                "{identity:?} has proven nothing"
            );
        } else {
            assert!(grant.sso.is_none(), "nobody has a password");
        }
        for group in &grant.groups {
            match group.origin {
                GroupOrigin::Directory | GroupOrigin::Local => {
                    assert!(self.heard.groups.contains(&group.name), "nobody has said {group:?}");
                    assert!(grant.identity.is_some(), "{group:?} of nobody");
                }
                GroupOrigin::Epa | GroupOrigin::Default => {
                    assert!(succeeded(group.name.trim_start_matches("of_")), "{group:?}: the action has not succeeded");
                }
                GroupOrigin::Quarantine => {
                    assert!(
                        grant.quarantined
                            && path.iter().any(|d| matches!(&d.outcome, Outcome::Quarantined(by) if **by == group.name))
                    );
                }
            }
        }
        if let Some(sso) = &grant.sso {
            assert!(["pw1", "pw2", "pw3", "otp"].contains(&sso.password.expose_secret()));
        }
        if path.len() < DECISIONS_MAX {
            let mut passed = true;
            for decision in path {
                if matches!(decision.outcome, Outcome::Entered(_)) {
                    assert!(passed, "{} was entered behind a factor that has not succeeded", decision.factor);
                    passed = false;
                } else if matches!(decision.outcome, Outcome::Granted) {
                    assert!(passed, "granted behind a factor that has not succeeded");
                } else {
                    passed |= matches!(decision.outcome, Outcome::Succeeded(_) | Outcome::Quarantined(_));
                }
            }
        }
    }

    fn bounds(&self) {
        let path = self.conversation.path();
        assert!(path.len() <= DECISIONS_MAX);
        assert!(self.steps <= SHOWN_MAX + TRIES_MAX);
        let entered = path.iter().filter(|d| matches!(d.outcome, Outcome::Entered(_))).count();
        assert!(entered <= usize::try_from(FACTORS_MAX).unwrap());
    }

    /// Nothing that was typed is told to operators.
    fn secrets(&self) {
        let text = format!("{:?} {:?}", self.conversation, self.conversation.path());
        for secret in ["pw1", "pw2", "pw3", "pw4", "otp"] {
            assert!(!text.contains(secret), "{secret} is in the path");
        }
    }
}

/// What kind of question it was.
enum Kind {
    Secret,
    LookUp,
    Change,
}

trait OfKind {
    fn kind(&self) -> Kind;
}

impl OfKind for Ask {
    fn kind(&self) -> Kind {
        match self {
            Self::Local { .. }
            | Self::Radius { .. }
            | Self::Reply { .. }
            | Self::Code { .. }
            | Self::Ldap { password: Some(_), .. } => Kind::Secret,
            Self::Ldap { password: None, .. }
            | Self::Devices { .. }
            | Self::NewSecret { .. }
            | Self::DeviceAdd { .. }
            | Self::DeviceRemove { .. } => Kind::LookUp,
            Self::LdapChange { .. } => Kind::Change,
        }
    }
}

fn proven(user: &str, group: &str) -> Proven {
    Proven { user: user.into(), groups: vec![group.into()], ..Proven::default() }
}

fn play(seed: u64) -> (usize, usize) {
    let mut chance = Chance::new(seed);
    let text = world(&mut chance);
    let model = model(&text);
    let (mut granted, mut over) = (0, 0);
    for number in 0..LOGINS {
        let conversation =
            Conversation::begin(setting(&model), arrival(), u64::try_from(number).unwrap(), Duration::from_secs(5));
        let mut watcher =
            Watcher { conversation, outstanding: None, heard: Heard::default(), over: false, granted: false, steps: 0 };
        for _ in 0..EVENTS {
            let event = watcher.event(&mut chance);
            watcher.step(event, &mut chance);
        }
        watcher.secrets();
        granted += usize::from(watcher.granted);
        over += usize::from(watcher.over && !watcher.granted);
    }
    (granted, over)
}

/// Prints the seed if what it stands beside does not end well.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stdout, reason = "the seed is what a failure is replayed from")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("SEED={}", self.0);
        }
    }
}

#[test]
fn random_factors_random_events() {
    let seeds = match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 1..1 + WORLDS,
    };
    let all = seeds.clone().count() > 1;
    let (mut granted, mut over) = (0, 0);
    for seed in seeds {
        let shown = Seed(seed);
        let (g, o) = play(shown.0);
        granted += g;
        over += o;
    }
    assert!(!all || (granted > 100 && over > 100), "{granted} granted, {over} over: the worlds are too poor to show anything");
}
