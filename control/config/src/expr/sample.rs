//! The request and the user of the examples, for tests.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::facts::{Certificate, Facts, Group, GroupOrigin, Method, Person, Request, Tls, Typed};
use super::names::{ExpressionName, NamedExpression, Names, Pattern, PatternSet, Says};
use super::value::{Characters, Value, of};
use crate::model::PatternSetName;
use crate::model::authentication::Expression;

/// Facts that own what they say.
pub(crate) struct Sample {
    pub(crate) request: Request,
    pub(crate) typed: Typed,
    pub(crate) person: Person,
    pub(crate) names: Names,
}

impl Sample {
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts { request: &self.request, typed: &self.typed, person: &self.person, names: &self.names }
    }
}

/// What the page describes: Sunday, 29 November 2026, 16:30 UTC.
pub(crate) fn ann() -> Sample {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_969_800);
    let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let request = Request {
        method: Method::Post,
        host: "gw.example.com:8443".to_owned(),
        target: "/nf/auth/doAuthentication.do?client=native&lang=de".to_owned(),
        headers: owned(&[
            ("Host", "gw.example.com:8443"),
            ("User-Agent", "CitrixReceiver/24.2 Linux"),
            ("X-Citrix-Gateway", "gw"),
            ("X-Forwarded-For", "203.0.113.7"),
            ("Cookie", "NSC_TASS=manageotp; NSC_TMAS=\"4f00\"; twice=1; twice=2"),
        ]),
        body: b"login=ann%40dom.EXAMPLE&passwd=secret&passwd1=123456&domain=corp&persistdevice=true".to_vec().into(),
        client: address("[::ffff:192.0.2.1]:50000"),
        server: address("198.51.100.1:443"),
        tls: Some(Tls { version: 0x304, suite: "TLS13_AES_256_GCM_SHA384".to_owned() }),
        certificate: Some(Certificate {
            subject: "CN=ann,O=Example".to_owned(),
            issuer: "CN=Example CA,O=Example".to_owned(),
            serial: "0a1b".to_owned(),
            not_before: wall - Duration::from_secs(86_400),
            not_after: wall + Duration::from_secs(10 * 86_400),
        }),
        wall,
    };
    let fields = [
        ("login", "ann@dom.EXAMPLE"),
        ("passwd", "secret"),
        ("passwd1", "123456"),
        ("domain", "corp"),
        ("persistdevice", "true"),
    ];
    let typed = Typed {
        username: "ann@dom.EXAMPLE".to_owned(),
        password: "secret".into(),
        password2: "123456".into(),
        domain: "corp".to_owned(),
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into())).collect(),
    };
    let group = |name: &str, origin| Group { name: name.to_owned(), origin };
    let person = Person {
        login_name: "ann@dom.EXAMPLE".to_owned(),
        name: "ann".to_owned(),
        domain: "corp".to_owned(),
        groups: vec![
            group("staff", GroupOrigin::Directory),
            group("vpn", GroupOrigin::Directory),
            group("compliant", GroupOrigin::Epa),
        ],
        attributes: std::array::from_fn(|at| (at == 0).then(|| "ann@example.com".to_owned().into())),
        named: [("mail".to_owned(), "ann@example.com".to_owned().into())].into(),
        session: "4711".to_owned(),
        strength: 10,
        attempts: 2,
    };
    Sample { request, typed, person, names: names() }
}

fn names() -> Names {
    let mut names = Names::default();
    for (name, text) in [
        ("is_native", "HTTP.REQ.HEADER(\"User-Agent\").CONTAINS(\"CitrixReceiver\")"),
        ("is_inside", "CLIENT.IP.SRC.IN_SUBNET(10.0.0.0/8)"),
    ] {
        add(&mut names, name, text);
    }
    for (name, patterns) in [("agents", ["AGEE", "CitrixReceiver"]), ("operators", ["ann", "bob"])] {
        let patterns = patterns.map(|text| Pattern { text: text.into(), index: None, comment: None }).into();
        let set = PatternSet { patterns, comment: None };
        names.pattern_sets.add(PatternSetName::parse(name).unwrap(), set).unwrap();
    }
    names
}

/// Adds a named expression.
pub(crate) fn add(names: &mut Names, name: &str, text: &str) {
    let says = Says::Of(Expression::parse(text).unwrap());
    let expression = NamedExpression { says, comment: None };
    names.expressions.add(ExpressionName::parse(name).unwrap(), expression).unwrap();
}

/// The value of an expression as the page writes it.
pub(crate) fn shown(expression: &Expression, facts: &Facts<'_>) -> String {
    let quoted = |text: &Characters<'_>| format!("\"{}\"", &**text);
    match of(expression, facts) {
        Err(_) => "undefined".to_owned(),
        Ok(Value::Truth(truth)) => truth.to_string(),
        Ok(Value::Number(number)) => number.to_string(),
        Ok(Value::Address(address)) => address.to_string(),
        Ok(Value::Text(text)) => quoted(&text.characters),
        Ok(Value::List(list)) => format!("({})", list.parts.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        Ok(Value::Nothing | Value::Pairs(_) | Value::Moment(_)) => "no value that is shown".to_owned(),
    }
}
