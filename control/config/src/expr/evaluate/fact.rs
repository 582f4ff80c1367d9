//! What stands in the facts.

use std::borrow::Cow;
use std::time::SystemTime;

use secrecy::ExposeSecret;

use super::super::facts::{ATTRIBUTES, BODY_BYTES_MAX, Certificate, Facts, GroupOrigin, Method};
use super::super::members::Fact;
use super::super::moment::seconds;
use super::super::text;
use super::super::tree::Call;
use super::super::value::{Characters, List, Text, Value};
use super::{Found, Machine, Undefined};

impl<'f> Machine<'f> {
    pub(super) fn of_facts(&mut self, fact: Fact, call: &'f Call) -> Found<Value<'f>> {
        let Facts { request, typed, person, .. } = self.facts;
        let lent = |text: &'f str| Ok(Value::Text(Text::lent(text)));
        let certificate = || request.certificate.as_ref();
        let of_certificate = |text: fn(&Certificate) -> &str| lent(certificate().map_or("", text));
        let until = |time: fn(&Certificate) -> SystemTime| certificate().map(time).ok_or(Undefined::NoCertificate);
        match fact {
            Fact::Header => {
                let name = self.text_argument(call, 0)?;
                self.header(&name.characters).map(Value::Text)
            }
            Fact::Cookies => self.cookies().map(Value::Text),
            Fact::Target => lent(&request.target),
            Fact::HostName => Ok(Value::Text(Text { folded: true, ..Text::lent(host_name(&request.host)) })),
            Fact::Method => match request.method {
                Method::Get => lent("GET"),
                Method::Post => lent("POST"),
                Method::Other => Ok(Value::Text(Text::field(None))),
            },
            Fact::Body => self.body(BODY_BYTES_MAX).map(Value::Text),
            Fact::BodyPart => {
                let bytes = self.count(call, 0)?;
                self.body(bytes).map(Value::Text)
            }
            Fact::ValidRequest => Ok(Value::Truth(true)),
            Fact::ClientAddress => Ok(Value::Address(request.client.ip().to_canonical())),
            Fact::ServerAddress => Ok(Value::Address(request.server.ip().to_canonical())),
            Fact::ClientPort => Ok(Value::Number(request.client.port().into())),
            Fact::ServerPort => Ok(Value::Number(request.server.port().into())),
            Fact::IsTls => Ok(Value::Truth(request.tls.is_some())),
            Fact::TlsVersion => Ok(Value::Number(request.tls.as_ref().map_or(0, |tls| tls.version.into()))),
            Fact::TlsSuite => lent(request.tls.as_ref().map_or("", |tls| &tls.suite)),
            Fact::HasCertificate => Ok(Value::Truth(request.certificate.is_some())),
            Fact::Subject => of_certificate(|certificate| &certificate.subject),
            Fact::Issuer => of_certificate(|certificate| &certificate.issuer),
            Fact::Serial => of_certificate(|certificate| &certificate.serial),
            Fact::NotBefore => until(|certificate| certificate.not_before).map(Value::Moment),
            Fact::NotAfter => until(|certificate| certificate.not_after).map(Value::Moment),
            Fact::DaysToExpire => {
                let left = seconds(until(|certificate| certificate.not_after)?) - seconds(request.wall);
                Ok(Value::Number(left.div_euclid(86_400)))
            }
            Fact::UserName => lent(&person.name),
            Fact::LoginName => lent(&person.login_name),
            Fact::UserDomain => lent(&person.domain),
            Fact::Groups => Ok(self.groups(|_| true)),
            Fact::InternalGroups => Ok(self.groups(|origin| origin != GroupOrigin::Directory)),
            Fact::ExternalGroups => Ok(self.groups(|origin| origin == GroupOrigin::Directory)),
            Fact::IsMemberOf => {
                let name = self.text_argument(call, 0)?;
                self.spend(person.groups.len())?;
                Ok(Value::Truth(person.groups.iter().any(|group| *group.name == *name.characters)))
            }
            Fact::Attribute => {
                let number = self.count(call, 0)?;
                if !(1..=ATTRIBUTES).contains(&number) {
                    return Err(Undefined::Index);
                }
                let attribute = person.attributes.get(number - 1).and_then(Option::as_ref);
                Ok(Value::Text(Text::field(attribute.map(|attribute| attribute.as_str()))))
            }
            Fact::NamedAttribute => {
                let name = self.text_argument(call, 0)?;
                Ok(Value::Text(Text::field(person.named.get(&*name.characters).map(|attribute| attribute.as_str()))))
            }
            Fact::SessionId => lent(&person.session),
            Fact::Strength => Ok(Value::Number(person.strength.into())),
            Fact::Attempts => Ok(Value::Number(person.attempts.into())),
            Fact::TypedName => lent(&typed.username),
            Fact::TypedPassword => lent(typed.password.expose_secret()),
            Fact::TypedPassword2 => lent(typed.password2.expose_secret()),
            Fact::TypedDomain => lent(&typed.domain),
            Fact::TypedField => {
                let name = self.text_argument(call, 0)?;
                let field = typed.fields.iter().find(|(field, _)| **field == *name.characters);
                Ok(Value::Text(Text::field(field.map(|(_, value)| value.as_str()))))
            }
            Fact::Now => Ok(Value::Moment(request.wall)),
        }
    }

    /// All headers of one name.
    fn header(&mut self, name: &str) -> Found<Text<'f>> {
        let headers = &self.facts.request.headers;
        self.spend(headers.len() * name.len().min(64))?;
        let mut values = headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let first = values.next();
        let mut whole = Text::field(first);
        for value in values {
            whole = self.joined(whole, &Text::lent(", "))?;
            whole = self.joined(whole, &Text::lent(value))?;
        }
        Ok(whole)
    }

    fn cookies(&mut self) -> Found<Text<'f>> {
        let headers = self.facts.request.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case("cookie"));
        let mut whole = Text::field(None);
        for (_, value) in headers {
            if whole.there {
                whole = self.joined(whole, &Text::lent("; "))?;
                whole = self.joined(whole, &Text::lent(value))?;
            } else {
                whole = Text::lent(value);
            }
        }
        Ok(whole)
    }

    /// The first bytes of the body.
    fn body(&mut self, bytes: usize) -> Found<Text<'f>> {
        let body = self.facts.request.body.as_slice();
        let part = body.get(..bytes.min(BODY_BYTES_MAX)).unwrap_or(body);
        self.spend(part.len())?;
        Ok(match text::lossy(part) {
            Cow::Borrowed(text) => Text::lent(text),
            Cow::Owned(text) => Text::own(text),
        })
    }

    fn groups(&self, wanted: impl Fn(GroupOrigin) -> bool) -> Value<'f> {
        let groups = self.facts.person.groups.iter().filter(|group| wanted(group.origin));
        Value::List(List { parts: groups.map(|group| Characters::Lent(&group.name)).collect(), folded: false })
    }
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((inside, _)) => inside,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}
