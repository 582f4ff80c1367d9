//! Scripts of logins.
//!
//! ```text
//!   > asked                          the client wants to know what to show
//!   > post ann pw [second]           a form; `-` is nothing; `post@3 …` answers step 3
//!   > fields old=a new=b             a form with these fields and nothing else
//!   > right ann [staff,admins]       the answer to the question; `right@2 …` to question 2. More: `attribute=value`, `sso=name`
//!   > wrong 4001 | must 4012 | outage | held 30 | locked | challenge TEXT
//!   > nocode wrong|used|none|unreadable | devices a,b [most] | secret | notdone taken|full|name|proof|gone|closed
//!   > question                       what the client is asked
//!   > digits 03 | digits -           what it says; `-` is nothing that can be read. `digits! …` announces that it will repeat it
//!   > scanned | skip                 the client is through, or cannot; `scanned@2`
//!   > scan 03                        the three above, one after the other
//!   > cert ann [staff,admins]         a good certificate with that CN and those OU; `upn=…`; `cert -` none; `cert! TEXT` a bad one
//!   > device                         the machine's certificate was found good
//!   > cancel
//!   > url /x | agent X | cookie A=B | wait 60     what the next request is like; seconds pass
//!   > why TEXT                       no event: some decision must say TEXT
//!   < …                              what must come of the line above
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gate_auth::Now;
use gate_auth::login::scan::ScanNoted;
use gate_auth::login::{
    Answer, Ask, Certificate, CertificateView, Challenge, Code, Conversation, DeviceSecret, Event, Grant, NotCode, NotDone,
    Owner, Page, Proven, Question, Setting, Shown, Step, UserDevices, View, ViewKind,
};
use gate_auth::sessions::Arrival;
use gate_config::expr::{Group, GroupOrigin, Method, Request, Typed};
use gate_config::model::{AskedAt, Model, VserverName};
use gate_config::{Strictness, check};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// What every configuration here begins with.
pub(crate) const GATEWAY: &str = "\
    enable ns feature SSLVPN AAA\n\
    add vpn vserver gw SSL 192.0.2.1 443\n\
    add authentication ldapAction dir -serverIP 10.0.0.9 -ldapBase dc=example -ldapLoginName uid -secType SSL -passwdChange ENABLED\n\
    add authentication ldapAction dir2 -serverIP 10.0.0.10 -ldapBase dc=example -ldapLoginName uid\n\
    add authentication ldapAction groups -serverIP 10.0.0.9 -ldapBase dc=example -ldapLoginName uid -authentication DISABLED\n\
    add authentication Policy p_dir -rule true -action dir\n\
    add authentication Policy p_dir2 -rule true -action dir2\n\
    add authentication Policy p_groups -rule true -action groups\n\
    add authentication Policy p_local -rule true -action LOCAL\n\
    add authentication Policy p_false -rule false -action dir\n\
    add authentication loginSchema single -authenticationSchema LoginSchema/SingleAuth.xml\n\
    add authentication vserver av SSL 0.0.0.0\n\
    add authentication authnProfile ap -authnVsName av\n\
    set vpn vserver gw -authnProfile ap\n";

/// Reads a configuration, which must be right.
pub(crate) fn model(text: &str) -> Arc<Model> {
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for name in ["SingleAuth.xml", "DualAuth.xml", "OnlyUsername.xml", "OnlyPassword.xml"] {
        for folder in ["LoginSchema", "/nsconfig/loginschema/LoginSchema"] {
            files.insert(PathBuf::from(folder).join(name), FORM.into());
        }
    }
    files.insert("own.pem".into(), b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec());
    files.insert("own.key".into(), b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_vec());
    let checked = check("ns.conf", text, Strictness::Strict, &files);
    let problems: Vec<String> = checked.problems.iter().filter(|problem| problem.is_error()).map(|p| format!("{p:?}")).collect();
    Arc::new(checked.model.unwrap_or_else(|| panic!("{problems:#?}")))
}

const FORM: &str = r#"<?xml version="1.0" encoding="UTF-8"?><AuthenticateResponse xmlns="http://citrix.com/authentication/response/1"><Status>success</Status><Result>more-info</Result><StateContext></StateContext><AuthenticationRequirements><PostBack>/nf/auth/doAuthentication.do</PostBack><CancelPostBack>/nf/auth/doLogoff.do</CancelPostBack><Requirements><Requirement><Credential><ID>login</ID><Type>username</Type></Credential><Label><Text>User name</Text><Type>plain</Type></Label><Input><Text><Secret>false</Secret></Text></Input></Requirement></Requirements></AuthenticationRequirements></AuthenticateResponse>"#;

pub(crate) fn setting(model: &Arc<Model>) -> Setting {
    Setting { model: Arc::clone(model), vserver: VserverName::parse("gw").unwrap() }
}

pub(crate) fn arrival() -> Arrival {
    Arrival { client: "192.0.2.7:55000".parse().unwrap(), vserver: "gw".into() }
}

pub(crate) fn request() -> Request {
    Request {
        method: Method::Post,
        host: "gw.example".into(),
        target: "/nf/auth/doAuthentication.do".into(),
        headers: Vec::new(),
        body: Zeroizing::default(),
        client: "192.0.2.7:55000".parse().unwrap(),
        server: "192.0.2.1:443".parse().unwrap(),
        tls: None,
        certificate: None,
        wall: SystemTime::UNIX_EPOCH,
    }
}

pub(crate) fn typed(user: &str, password: &str, second: &str) -> Box<Typed> {
    Box::new(Typed {
        username: user.into(),
        password: password.into(),
        password2: second.into(),
        domain: String::new(),
        fields: vec![("login".into(), Zeroizing::new(user.into())), ("passwd".into(), Zeroizing::new(password.into()))],
    })
}

pub(crate) fn proven(user: &str, groups: &[&str]) -> Answer {
    Answer::Proven(Box::new(Proven {
        user: user.into(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Proven::default()
    }))
}

/// Runs a script against what is configured behind [`GATEWAY`].
pub(crate) fn run(config: &str, script: &str) {
    run_whole(&format!("{GATEWAY}{config}"), script);
}

/// Runs a script against a whole configuration.
pub(crate) fn run_whole(config: &str, script: &str) {
    let mut login = Login::new(&model(config));
    let lines: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut told = String::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        let said = line.strip_prefix("> ").unwrap_or_else(|| panic!("a line begins with > or <, not {line:?}"));
        let came = login.say(said);
        writeln!(told, "> {said}\n< {came}").unwrap();
        if let Some(wanted) = lines.get(at).and_then(|line| line.strip_prefix("< ")) {
            at += 1;
            assert_eq!(came, wanted, "\nso far:\n{told}\nwhy:\n{}", login.why());
        }
    }
}

/// One login, with its own clock.
pub(crate) struct Login {
    pub(crate) conversation: Conversation,
    pub(crate) now: Now,
    pub(crate) request: Request,
    pub(crate) granted: Option<Grant>,
}

impl Login {
    pub(crate) fn new(model: &Arc<Model>) -> Self {
        let now = Now::from_secs(1000);
        Self { conversation: Conversation::begin(setting(model), arrival(), 1, now), now, request: request(), granted: None }
    }

    pub(crate) fn step(&mut self, event: Event) -> Step {
        self.conversation.step(event, &self.request, self.now)
    }

    /// Every decision, one a line.
    pub(crate) fn why(&self) -> String {
        self.conversation.path().iter().map(|d| format!("{} {}: {d}\n", d.at.as_secs(), d.factor)).collect()
    }

    pub(crate) fn say(&mut self, said: &str) -> String {
        let mut words = said.split_whitespace();
        let word = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        let (word, number) = word.split_once('@').map_or((word, None), |(word, number)| (word, number.parse::<u64>().ok()));
        let step = number.and_then(|number| u32::try_from(number).ok());
        let arg = |at: usize| words.get(at).copied().filter(|word| *word != "-").unwrap_or_default();
        let rest = words.join(" ");
        let event = match word {
            "asked" => Event::Asked,
            "post" => Event::Posted { step, typed: typed(arg(0), arg(1), arg(2)) },
            "fields" => {
                let field =
                    |word: &&str| word.split_once('=').map(|(name, value)| (name.to_owned(), Zeroizing::new(value.to_owned())));
                Event::Posted {
                    step,
                    typed: Box::new(Typed { fields: words.iter().filter_map(field).collect(), ..Typed::default() }),
                }
            }
            "right" | "wrong" | "must" | "outage" | "held" | "locked" | "challenge" | "nocode" | "devices" | "secret"
            | "notdone" => {
                let question = number.or_else(|| self.conversation.outstanding()).unwrap_or_default();
                Event::Answered { question, answer: answer(word, &words) }
            }
            "question" => return self.question(),
            "digits" | "digits!" => return self.digits(arg(0), word == "digits!"),
            "scanned" => Event::Scanned { step },
            "skip" => Event::Skipped { step },
            "scan" => {
                self.question();
                self.digits(arg(0), false);
                Event::Scanned { step }
            }
            "cert" => Event::Certificate { step, shown: certificate(&words) },
            "cert!" => Event::Certificate { step, shown: Certificate::Bad(rest.into()) },
            "device" => return if self.conversation.device_proven(self.now) { "proven".into() } else { "not wanted".into() },
            "cancel" => Event::Cancelled,
            "url" => {
                self.request.target = rest;
                return "ok".into();
            }
            "agent" => {
                self.request.headers = vec![("User-Agent".into(), rest)];
                return "ok".into();
            }
            "cookie" => {
                self.request.headers = vec![("Cookie".into(), rest)];
                return "ok".into();
            }
            "wait" => {
                self.now += Duration::from_secs(arg(0).parse().unwrap());
                return "ok".into();
            }
            "why" => {
                let why = self.why();
                assert!(why.contains(&rest), "no decision says {rest:?}:\n{why}");
                return "ok".into();
            }
            other => panic!("no such word: {other}"),
        };
        let step = self.step(event);
        self.shown(step)
    }

    fn question(&mut self) -> String {
        let Some(question) = self.conversation.scan_question(self.now) else { return "nothing".into() };
        let list = |list: &[Box<str>]| list.iter().map(|entry| &**entry).collect::<Vec<_>>().join("; ");
        let mut text = format!("asks {}", list(&question.strings));
        if !question.orders.kill.is_empty() {
            write!(text, ", kill {}", list(&question.orders.kill)).unwrap();
        }
        if !question.orders.delete.is_empty() {
            write!(text, ", delete {}", list(&question.orders.delete)).unwrap();
        }
        text
    }

    fn digits(&mut self, digits: &str, announces: bool) -> String {
        let digits = (!digits.is_empty()).then_some(digits.as_bytes());
        match self.conversation.scan_answer(digits, announces, self.now) {
            ScanNoted::Taken { passed: true } => "taken, passed".into(),
            ScanNoted::Taken { passed: false } => "taken, failed".into(),
            ScanNoted::Malformed => "malformed".into(),
            ScanNoted::Unasked => "unasked".into(),
            ScanNoted::Late => "late".into(),
            ScanNoted::Repeated => "repeated".into(),
        }
    }

    fn shown(&mut self, step: Step) -> String {
        match step {
            Step::Show(view) => form(&view),
            Step::Scan(view) => format!("scan {} #{}", view.factor, view.step),
            Step::Certificate(view) => wanted(&view),
            Step::Ask(question) => asked(&question),
            Step::Granted(grant) => {
                let text = granted(&grant);
                self.granted = Some(*grant);
                text
            }
            Step::Over(denial) => {
                let message = denial.message.map(|message| format!(", {message}")).unwrap_or_default();
                format!("over {:?} {}{message}", denial.why, denial.code.number())
            }
            Step::Stale(Shown::Form(view)) => format!("stale, {}", form(&view)),
            Step::Stale(Shown::Scan(view)) => format!("stale, scan {} #{}", view.factor, view.step),
            Step::Stale(Shown::Certificate(view)) => format!("stale, {}", wanted(&view)),
            Step::Stale(Shown::Nothing) => "stale".into(),
            Step::Busy => "busy".into(),
        }
    }
}

fn answer(word: &str, words: &[&str]) -> Answer {
    let code = |at: usize| {
        let number = words.get(at).and_then(|word| word.parse().ok()).unwrap_or(4001);
        Code::ALL.into_iter().find(|code| code.number() == number).unwrap()
    };
    match word {
        "right" => {
            let mut proven = Proven { user: (*words.first().unwrap_or(&"")).into(), ..Proven::default() };
            for word in words.iter().skip(1) {
                match word.split_once('=') {
                    Some(("sso", name)) => proven.sso_user = Some(name.into()),
                    Some(("domain", domain)) => proven.domain = domain.into(),
                    Some((name, value)) => {
                        proven.named.insert(name.into(), Zeroizing::new(value.into()));
                    }
                    None => proven.groups = word.split(',').map(Into::into).collect(),
                }
            }
            Answer::Proven(Box::new(proven))
        }
        "must" => Answer::MustChange(code(0)),
        "outage" => Answer::Outage(Code::TryLater, "no answer in time".into()),
        "held" => Answer::Held(Duration::from_secs(words.first().and_then(|word| word.parse().ok()).unwrap_or(30))),
        "locked" => Answer::Locked,
        "nocode" => Answer::NotCode(match words.first().copied() {
            Some("used") => NotCode::Used,
            Some("none") => NotCode::NoDevice,
            Some("unreadable") => NotCode::Unreadable,
            _ => NotCode::Wrong,
        }),
        "devices" => Answer::Devices(UserDevices {
            names: words.first().unwrap_or(&"-").split(',').filter(|name| *name != "-").map(Into::into).collect(),
            names_max: words.get(1).map_or(4, |most| most.parse().unwrap()),
        }),
        "secret" => Answer::Secret(DeviceSecret(Zeroizing::new(*SECRET))),
        "notdone" => Answer::NotDone(match words.first().copied() {
            Some("taken") => NotDone::Taken,
            Some("full") => NotDone::Full,
            Some("name") => NotDone::Name,
            Some("proof") => NotDone::Proof,
            Some("gone") => NotDone::Gone,
            _ => NotDone::Closed,
        }),
        "challenge" => Answer::Challenge(Challenge { text: words.join(" ").into(), state: Zeroizing::new(b"state".to_vec()) }),
        _ => Answer::Wrong(code(0)),
    }
}

fn certificate(words: &[&str]) -> Certificate {
    let mut owner = Owner::default();
    for (at, word) in words.iter().enumerate() {
        match (word.split_once('='), at) {
            (Some(("upn", name)), _) => owner.principal_names.push(name.into()),
            (Some((kind, value)), _) => owner.subject.push((kind.into(), value.into())),
            (None, 0) if *word == "-" => return Certificate::None,
            (None, 0) => owner.subject.push(("CN".into(), (*word).into())),
            (None, _) => owner.subject.extend(word.split(',').map(|group| ("OU".into(), group.into()))),
        }
    }
    Certificate::Good(Box::new(owner))
}

fn wanted(view: &CertificateView) -> String {
    let at = match &view.at {
        AskedAt::Itself => "here".to_owned(),
        AskedAt::Authentication(name, address) => format!("at {name}, {address}"),
    };
    format!("certificate {} #{} {at}{}", view.factor, view.step, if view.again { ", again" } else { "" })
}

/// The secret of every new device: that of RFC 6238. Its code at the beginning of time is 755224.
pub(crate) const SECRET: &[u8; 20] = b"12345678901234567890";

fn form(view: &View) -> String {
    let mut text = format!("form {}: {} #{}", view.factor, view.kind.word(), view.step);
    if let Some(code) = view.error {
        write!(text, ", error {}", code.number()).unwrap();
    }
    if let Some(wait) = view.wait {
        write!(text, ", wait {}", wait.as_secs()).unwrap();
    }
    if let ViewKind::Devices(shown) = &view.kind {
        let lock = if shown.may_change { "" } else { ", locked" };
        write!(text, ", {} has [{}]{lock}", shown.user, shown.devices.names.join(" ")).unwrap();
        match &shown.page {
            Page::List => {}
            Page::Enrol(name, _) => write!(text, ", new {name}").unwrap(),
            Page::Remove(name) => write!(text, ", remove {name}?").unwrap(),
        }
        if let Some(told) = &shown.told {
            write!(text, ", {told:?}").unwrap();
        }
    }
    text
}

fn asked(question: &Question) -> String {
    let open = |secret: &SecretString| secret.expose_secret().to_owned();
    let ask = match &question.ask {
        Ask::Local { user, domain, password } if domain.is_empty() => format!("local {user} with {}", open(password)),
        Ask::Local { user, domain, password } => format!("local {user} of {domain} with {}", open(password)),
        Ask::Ldap { user, password: Some(password) } => format!("{user} with {}", open(password)),
        Ask::Ldap { user, password: None } => format!("{user} looked up"),
        Ask::LdapChange { user, old, new } => format!("{user} from {} to {}", open(old), open(new)),
        Ask::Radius { user, password } => format!("{user} with {}", open(password)),
        Ask::Code { user, code, now: _ } => format!("{user} with code {}", open(code)),
        Ask::Devices { user } => format!("devices of {user}"),
        Ask::NewSecret { name } => format!("secret for {name}"),
        Ask::DeviceAdd { user, name, secret: _, used, first_only } => {
            format!("{user} adds {name} with step {}{}", used.0, if *first_only { ", only as the first" } else { "" })
        }
        Ask::DeviceRemove { user, name } => format!("{user} removes {name}"),
        Ask::Reply { user, reply, state } => format!("{user} replies {} to {}", open(reply), String::from_utf8_lossy(state)),
    };
    let guess = question.guess.as_ref().map(|user| format!(", guess {user}")).unwrap_or_default();
    format!("ask {}: {ask}{guess}", question.action)
}

fn granted(grant: &Grant) -> String {
    let mut text = match &grant.identity {
        Some(identity) if identity.domain.is_empty() => format!("granted {}", identity.user),
        Some(identity) => format!("granted {} of {}", identity.user, identity.domain),
        None => "granted nobody".into(),
    };
    if !grant.groups.is_empty() {
        write!(text, ", groups {}", grant.groups.iter().map(group).collect::<Vec<_>>().join(" ")).unwrap();
    }
    if grant.quarantined {
        text.push_str(", quarantined");
    }
    if let Some(sso) = &grant.sso {
        write!(text, ", sso {}:{}", sso.user, sso.password.expose_secret()).unwrap();
    }
    if grant.strength > 0 {
        write!(text, ", strength {}", grant.strength).unwrap();
    }
    if let Some(periodic) = &grant.periodic {
        write!(text, ", again {}", periodic.factor).unwrap();
    }
    for (at, value) in grant.attributes.numbered.iter().enumerate() {
        if let Some(value) = value {
            write!(text, ", attribute {}={}", at + 1, &**value).unwrap();
        }
    }
    for (name, value) in &grant.attributes.named {
        write!(text, ", {name}={}", &**value).unwrap();
    }
    text
}

fn group(group: &Group) -> String {
    let origin = match group.origin {
        GroupOrigin::Local => "local",
        GroupOrigin::Directory => "directory",
        GroupOrigin::Epa => "epa",
        GroupOrigin::Quarantine => "quarantine",
        GroupOrigin::Default => "default",
    };
    format!("{}({origin})", group.name)
}
