//! `test authentication`: a login that nobody makes. The machine that decides is told what the operator says, and every decision is shown.
//!
//! ```text
//!   arguments ─► typed form, digits, answers ─┐
//!   Model ──────────────────► Conversation ◄──┴─ step, step, … ─► decisions ─► rows
//! ```
//!
//! Nobody is asked, nothing is counted, and nothing is kept.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gate_auth::login::{
    Answer as Said, Ask, Certificate, Challenge, Code as LoginCode, Conversation, Decision, Event, Grant, NotCode, Owner, Proven,
    Rule, Setting, Step, UserDevices, ViewKind,
};
use gate_auth::sessions::Arrival;
use gate_config::answer::{Answer, Row};
use gate_config::code::Code;
use gate_config::expr::{Method, Request, Typed};
use gate_config::model::{Model, VserverName};
use gate_config::order::AskOrder;
use gate_config::problem::Problem;
use zeroize::Zeroizing;

/// Steps of one dry run: more than any conversation has.
const STEPS_MAX: usize = 128;
/// Typed where a password is needed; nobody gets to see it.
const PASSWORD: &str = "not asked";
/// The digit of something that is not as it should be.
const FAILED: u8 = b'3';

/// Carries `order` out on `model`.
pub(super) fn run(model: &Arc<Model>, order: &AskOrder, wall: SystemTime) -> Result<Answer, Problem> {
    let name = order.text("name").unwrap_or_default();
    let Some(vserver) = at(model, name) else {
        let cause = format!(
            "no vpn vserver leads to an authentication virtual server {name:?}: set vpn vserver NAME -authnProfile PROFILE"
        );
        return Err(order.problem("name", Code::NoSuchResource, cause));
    };
    let client = SocketAddr::new(order.ip("address").unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))), 40_000);
    let arrival = Arrival { client, vserver: vserver.as_str().into() };
    let request = request(order, client, wall)?;
    let setting = Setting { model: Arc::clone(model), vserver };
    let mut conversation = Conversation::begin(setting, arrival, 0, Duration::ZERO);
    let mut scans = order.texts("epa").map(str::to_owned).collect::<Vec<_>>().into_iter();
    let mut scan = scans.next().unwrap_or_else(|| "skip".to_owned());
    let mut step = conversation.step(Event::Asked, &request, Duration::ZERO);
    let mut last = None;
    for _ in 0..STEPS_MAX {
        let event = match step {
            Step::Show(view) => {
                // A form that is shown again would only be filled in the same way.
                let typed = match view.kind {
                    ViewKind::Schema(_) | ViewKind::Single | ViewKind::Dual | ViewKind::Challenge { .. }
                        if view.error.is_none() =>
                    {
                        typed(order)?
                    }
                    ViewKind::Schema(_)
                    | ViewKind::Single
                    | ViewKind::Dual
                    | ViewKind::ChangePassword { .. }
                    | ViewKind::Devices(_)
                    | ViewKind::Challenge { .. } => {
                        last =
                            Some(row(&view.factor, format!("here the form {} is shown, and the dry run ends", view.kind.word())));
                        break;
                    }
                };
                Event::Posted { step: Some(view.step), typed: Box::new(typed) }
            }
            Step::Scan(view) => {
                let question = conversation.scan_question(Duration::ZERO);
                let asked = question.map_or(0, |question| question.strings.len());
                let said = std::mem::take(&mut scan);
                scan = scans.next().unwrap_or_else(|| said.clone());
                let digits = match said.as_str() {
                    "pass" => Some(vec![gate_auth::login::scan::PASSED; asked]),
                    "fail" => Some(vec![FAILED; asked]),
                    "skip" => None,
                    digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.as_bytes().to_vec()),
                    _ => return Err(order.problem("epa", Code::InvalidValue, "-epa takes pass, fail, skip, or digits")),
                };
                match digits {
                    Some(digits) => {
                        // What became of it is among the decisions.
                        let _ = conversation.scan_answer(Some(&digits), true, Duration::ZERO);
                        Event::Scanned { step: Some(view.step) }
                    }
                    None => Event::Skipped { step: Some(view.step) },
                }
            }
            Step::Certificate(view) => Event::Certificate { step: Some(view.step), shown: certificate(order) },
            Step::Ask(question) => Event::Answered { question: question.number, answer: said(order, &question.ask) },
            Step::Granted(grant) => {
                last = Some(granted(&grant));
                break;
            }
            // Why is the last of its decisions.
            Step::Over(_) | Step::Stale(_) | Step::Busy => break,
        };
        step = conversation.step(event, &request, Duration::ZERO);
    }
    let mut answer = Answer::of(order.ask);
    conversation.path().iter().for_each(|decision| answer.push(decided(decision)));
    last.into_iter().for_each(|row| answer.push(row));
    Ok(answer)
}

/// A good certificate of the user's, with his name wherever one can be.
fn certificate(order: &AskOrder) -> Certificate {
    let Some(user) = order.text("user") else { return Certificate::None };
    let groups = order.texts("groups").map(|group| ("OU".into(), group.into()));
    let subject = std::iter::once(("CN".into(), user.into())).chain(groups).collect();
    let named = || vec![user.into()];
    Certificate::Good(Box::new(Owner { subject, issuer: Vec::new(), principal_names: named(), emails: named(), dns: Vec::new() }))
}

/// A virtual server whose logins begin at an authentication virtual server.
fn at(model: &Model, authentication: &str) -> Option<VserverName> {
    let profiles = &model.authentication.profiles;
    let leads = |(_, vserver): &(&VserverName, &gate_config::model::Vserver)| {
        let profile = vserver.authn_profile.as_ref().and_then(|profile| profiles.find(profile.as_str()));
        profile.is_some_and(|profile| profile.vserver.as_str() == authentication)
    };
    model.vservers.iter().find(leads).map(|(name, _)| name.clone())
}

fn request(order: &AskOrder, client: SocketAddr, wall: SystemTime) -> Result<Request, Problem> {
    let mut headers = Vec::new();
    for header in order.texts("header") {
        let Some((name, value)) = header.split_once(':') else {
            return Err(order.problem("header", Code::InvalidValue, "a header is written \"Name: value\""));
        };
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, value)| value.clone());
    Ok(Request {
        method: Method::Post,
        host: host.unwrap_or_default(),
        target: order.text("url").unwrap_or("/nf/auth/doAuthentication.do").to_owned(),
        headers,
        body: Zeroizing::new(body(order)),
        client,
        server: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 443),
        tls: None,
        certificate: None,
        wall,
    })
}

/// The fields of a form, as a rule finds them in the body.
fn body(order: &AskOrder) -> Vec<u8> {
    let user = order.text("user").unwrap_or_default();
    let fields = [format!("login={user}"), format!("passwd={PASSWORD}")];
    let fields: Vec<String> = fields.into_iter().chain(order.texts("field").map(str::to_owned)).collect();
    fields.join("&").into_bytes()
}

fn typed(order: &AskOrder) -> Result<Typed, Problem> {
    let user = order.text("user").unwrap_or_default().to_owned();
    let mut fields =
        vec![("login".to_owned(), Zeroizing::new(user.clone())), ("passwd".to_owned(), Zeroizing::new(PASSWORD.to_owned()))];
    for field in order.texts("field") {
        let Some((name, value)) = field.split_once('=') else {
            return Err(order.problem("field", Code::InvalidValue, "a field is written name=value"));
        };
        fields.push((name.to_owned(), Zeroizing::new(value.to_owned())));
    }
    let domain = fields.iter().find(|(name, _)| name == "domain").map(|(_, value)| value.to_string());
    Ok(Typed {
        username: user,
        password: PASSWORD.into(),
        password2: PASSWORD.into(),
        domain: domain.unwrap_or_default(),
        fields,
    })
}

/// What servers and local users say.
fn said(order: &AskOrder, ask: &Ask) -> Said {
    match order.text("answer") {
        Some("wrong") if matches!(ask, Ask::Code { .. }) => Said::NotCode(NotCode::Wrong),
        Some("wrong") => Said::Wrong(LoginCode::Password),
        Some("challenge") if matches!(ask, Ask::Radius { .. }) => {
            Said::Challenge(Challenge { text: "as was asked for".into(), state: Zeroizing::default() })
        }
        Some("outage") => Said::Outage(LoginCode::TryLater, "as was asked for".into()),
        Some(_) | None if matches!(ask, Ask::Devices { .. }) => Said::Devices(UserDevices { names: Vec::new(), names_max: 0 }),
        Some(_) | None => {
            let user = order.text("user").unwrap_or_default().to_owned();
            Said::Proven(Box::new(Proven {
                user,
                groups: order.texts("groups").map(str::to_owned).collect(),
                ..Proven::default()
            }))
        }
    }
}

fn row(factor: &str, decision: String) -> Row {
    Row::new().text("factor", factor).text("decision", decision)
}

/// A decision of the machine.
pub(crate) fn decided(decision: &Decision) -> Row {
    let rule = decision.rule.map(|rule| match rule {
        Rule::True => "TRUE",
        Rule::False => "FALSE",
        Rule::Undefined => "UNDEFINED",
    });
    row(&decision.factor, decision.outcome.to_string()).maybe("policy", decision.policy.as_deref()).maybe("rule", rule)
}

/// What the session would have.
fn granted(grant: &Grant) -> Row {
    let user = grant.identity.as_ref().map_or("nobody", |identity| &identity.user);
    let groups: Vec<&str> = grant.groups.iter().map(|group| group.name.as_str()).collect();
    let groups = if groups.is_empty() { "no groups".to_owned() } else { format!("groups {}", groups.join(", ")) };
    let quarantine = if grant.quarantined { ", in quarantine" } else { "" };
    let again =
        grant.periodic.as_ref().map_or_else(String::new, |periodic| format!(", scanned again as {} wants", periodic.factor));
    Row::new().text("decision", format!("session of {user}: {groups}{quarantine}{again}"))
}

#[cfg(test)]
mod tests {
    use gate_config::Strictness;
    use gate_config::order::{self, Order};

    use super::*;

    /// A scan behind a directory, and phones kept away from it.
    const SEED: &str = "enable ns feature SSLVPN AAA\n\
        add authentication ldapAction dir -serverIP 10.0.0.10 -ldapBase dc=x -ldapLoginName uid\n\
        add authentication epaAction scan -csecexpr \"sys.client_expr(\\\"proc_2_firefox\\\") && !sys.client_expr(\\\"proc_0_telnet\\\")\" -defaultEPAGroup compliant\n\
        add authentication noAuthAction phone -defaultAuthenticationGroup phones\n\
        add authentication Policy password -rule true -action dir\n\
        add authentication Policy phones -rule \"HTTP.REQ.HEADER(\\\"User-Agent\\\").CONTAINS(\\\"iPhone\\\")\" -action phone\n\
        add authentication Policy check -rule true -action scan\n\
        add authentication policylabel post-scan -loginSchema LSCHEMA_INT\n\
        bind authentication policylabel post-scan -policyName phones -priority 10\n\
        bind authentication policylabel post-scan -policyName check -priority 100\n\
        add authentication vserver av SSL 0.0.0.0\n\
        bind authentication vserver av -policy password -priority 100 -nextFactor post-scan\n\
        add authentication authnProfile prof -authnVsName av\n\
        add vpn vserver gw SSL 127.0.0.1 0 -authnProfile prof\n";

    fn test(text: &str, line: &str) -> Result<String, Problem> {
        let none: std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> = std::collections::BTreeMap::new();
        let checked = gate_config::check("ns.conf", text, Strictness::Strict, &none);
        let told = checked.problems.iter().map(ToString::to_string).collect::<String>();
        let model = Arc::new(checked.model.unwrap_or_else(|| panic!("{told}")));
        let Ok(Order::Ask(order)) = order::read(line) else { panic!("{line} is no ask") };
        run(&model, &order, SystemTime::UNIX_EPOCH).map(|answer| answer.text())
    }

    #[test]
    fn a_login_that_passes_is_told_factor_by_factor() {
        let told = test(SEED, "test authentication av -user ann -groups staff,all -epa 03").unwrap();
        let at = |words: &str| told.find(words).unwrap_or_else(|| panic!("{words} is not in\n{told}"));
        assert!(at("dir succeeded") < at("post-scan") && at("1 of 2 passed") < at("login complete"), "{told}");
        assert!(told.contains("session of ann: groups staff, all, compliant, scanned again as post-scan wants"), "{told}");
        assert!(!told.contains(PASSWORD), "{told}");
    }

    #[test]
    fn a_login_that_does_not_pass_says_why() {
        for (line, why) in [
            ("test authentication av -user ann -answer wrong", "here the form built in, one password is shown"),
            ("test authentication av -user ann -answer outage", "nobody could be asked"),
            ("test authentication av -user ann -epa fail", "no login"),
            ("test authentication av -user ann", "no login"),
            ("test authentication av -user ann -epa 0", "the answer does not cover what was asked"),
        ] {
            let told = test(SEED, line).unwrap();
            assert!(told.contains(why), "{line}\n{told}");
            assert!(!told.contains("session of"), "{line}\n{told}");
        }
    }

    #[test]
    fn a_server_that_asks_back_is_answered() {
        let codes = "enable ns feature SSLVPN AAA\n\
            add authentication radiusAction codes -serverIP 10.0.0.20 -radKey \"a key that both sides know\"\n\
            add authentication Policy code -rule true -action codes\n\
            add authentication vserver av SSL 0.0.0.0\nbind authentication vserver av -policy code -priority 10\n\
            add authentication authnProfile prof -authnVsName av\nadd vpn vserver gw SSL 127.0.0.1 0 -authnProfile prof\n";
        let told = test(codes, "test authentication av -user ann -answer challenge -groups staff").unwrap();
        let at = |words: &str| told.find(words).unwrap_or_else(|| panic!("{words} is not in\n{told}"));
        assert!(at("server asks back") < at("codes succeeded"), "{told}");
        assert!(told.contains("session of ann: groups staff"), "{told}");
        assert!(test(codes, "test authentication av -user ann").unwrap().contains("session of ann: no groups"));
    }

    #[test]
    fn rules_see_the_request_that_the_arguments_describe() {
        let told = test(SEED, "test authentication av -user ann -epa fail -header \"User-Agent: iPhone\"").unwrap();
        assert!(told.contains("session of ann: groups phones"), "{told}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, code) in [
            ("test authentication none -user ann", Code::NoSuchResource),
            ("test authentication av -user ann -epa maybe", Code::InvalidValue),
            ("test authentication av -user ann -header Host", Code::InvalidValue),
            ("test authentication av -user ann -field domain", Code::InvalidValue),
        ] {
            assert_eq!(test(SEED, line).map_err(|problem| problem.code), Err(code), "{line}");
        }
    }
}
