//! One click: from a resource in the list to a launch file.
//!
//! ```text
//!   app data (is it theirs? how does it look?) ─► address ─► logon ticket ─► STA ticket ─► ICA file
//!        XML Service                               XML Service  XML Service    an authority of this virtual server
//! ```
//!
//! The host's address goes into the STA's ticket and nowhere else.

use std::net::IpAddr;

use bytes::Bytes;
use gate_auth::sessions::Sso;
use gate_proto::form::Form;
use gate_proto::host_port::HostPort;
use gate_proto::ica_file::MEDIA_TYPE;
use gate_proto::ica_file::write::{self, displayable};
use gate_proto::secret::Secret;
use gate_proto::xml::nfuse::answer::{AddressAnswer, Answer};
use gate_proto::xml::nfuse::app::{App, Settings};
use gate_proto::xml::nfuse::request::{AddressRequest, AddressTarget, LogonTicketRequest, Request as Question};
use gate_proto::xml::nfuse::words::{AddressFlag, AddressForm, ClientType};
use gate_proto::xml::sta::{Connection, IssuedTicket, Value};
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use tracing::{info, warn};

use super::text::Problem;
use super::{Failed, Portal, Visit, Visitor, credentials_of, pages, unexpected};
use crate::action::{Action, Presented};
use crate::http::Reply;

/// Life of a logon ticket that is asked for, in seconds.
const LOGON_LIFE_S: u32 = 200;
/// Longest name of a download, in characters.
const FILE_NAME_CHARS_MAX: usize = 64;
/// Longest internal name of a resource, in bytes.
const NAME_BYTES_MAX: usize = 256;

impl Portal {
    /// Starts what the form names.
    pub(super) async fn launch(&self, visit: &Visit<'_>, visitor: &Visitor, form: &Form) -> Result<Reply, Failed> {
        let name = form.text("resource").filter(|name| name.len() <= NAME_BYTES_MAX);
        let name = name.ok_or_else(|| Failed::new(Problem::BadRequest, "no resource named"))?;
        let apps = self.apps(visit, visitor, vec![name.to_owned()]).await?;
        let app = apps.into_iter().find(|app| app.in_name == name);
        let app = app.ok_or_else(|| Failed::new(Problem::NoResource, "not published to this user"))?;
        let address = self.host_of(&app, visit, visitor).await?;
        let host = address.host_port().map_err(|bad| Failed::new(Problem::FarmDown, bad))?;
        let logon_ticket = self.logon_ticket(&address, visit, visitor).await?;
        let ticket = self.sta_ticket(&app, &host, address.cgp_port, visit, visitor).await?;
        let file = self.file(&app, &ticket, &logon_ticket, visit, visitor)?;
        self.tie(&app, &ticket, visitor).await?;
        let user = visitor.login.user();
        info!(user, client = %visit.caller.client, resource = %app.in_name, sta = %ticket.authority_id, "launch file issued");
        answer(&app, &file)
    }

    /// Ties the ticket to the login, before anybody has it.
    async fn tie(&self, app: &App, ticket: &IssuedTicket, visitor: &Visitor) -> Result<(), Failed> {
        let (login, resource) = (visitor.login.number, app.in_name.clone());
        let code = ticket.ticket.expose().to_owned().into();
        let ticket = Presented { authority: ticket.authority_id.clone(), code };
        let is_in = self.owner.ask(|reply| Action::Ticketed { login, ticket, resource, reply }).await?;
        if is_in { Ok(()) } else { Err(Failed::new(Problem::StaleForm, "the login ended meanwhile")) }
    }

    async fn host_of(&self, app: &App, visit: &Visit<'_>, visitor: &Visitor) -> Result<AddressAnswer, Failed> {
        let question = Question::Address(AddressRequest {
            target: AddressTarget::App(app.in_name.clone()),
            client: self.client(visit, visitor),
            wanted: Some(AddressForm::DotPort),
            flags: vec![AddressFlag::NoLoadBias],
            credentials: Some(credentials_of(sso(visitor)?)),
            client_type: Some(ClientType::Ica30),
        });
        let answer = visit.world.xml.ask(&question).await?;
        if let Answer::Address(address) = answer { Ok(address) } else { Err(unexpected(&answer)) }
    }

    async fn logon_ticket(&self, address: &AddressAnswer, visit: &Visit<'_>, visitor: &Visitor) -> Result<Secret, Failed> {
        let question = Question::Ticket(LogonTicketRequest {
            credentials: credentials_of(sso(visitor)?),
            ticket_type: "CtxLogon".to_owned(),
            ticket_tag: address.ticket_tag.clone(),
            time_to_live_s: Some(LOGON_LIFE_S),
        });
        let answer = visit.world.xml.ask(&question).await?;
        if let Answer::Ticket(ticket) = answer { Ok(ticket) } else { Err(unexpected(&answer)) }
    }

    /// A ticket of the first authority that gives one: those that are up first, the others if none of them does.
    async fn sta_ticket(
        &self,
        app: &App,
        host: &HostPort,
        cgp_port: Option<u16>,
        visit: &Visit<'_>,
        visitor: &Visitor,
    ) -> Result<IssuedTicket, Failed> {
        let sso = sso(visitor)?;
        let connection = Connection {
            server_address: host.to_string(),
            user_name: sso.user.to_string(),
            user_domain: sso.domain.to_string(),
            application_name: app.in_name.clone(),
            protocol: "ICA".to_owned(),
        };
        let value = |name: &str, text: String| Value { name: name.to_owned(), text };
        let mut values = vec![value("ICAAddress", host.to_string())];
        if let Some(port) = cgp_port {
            values.push(value("CGPAddress", HostPort { host: host.host.clone(), port }.to_string()));
        }
        values.push(value("XData", connection.write()));
        let issuer: IpAddr = visit.caller.client.ip();
        let (up, down): (Vec<_>, Vec<_>) = visit.site.stas.iter().partition(|sta| sta.is_up());
        for sta in up.into_iter().chain(down) {
            match sta.issue(values.clone(), false, issuer).await {
                Ok(ticket) => return Ok(ticket),
                Err(why) => warn!(sta = %sta.url, %why, "no ticket from this authority"),
            }
        }
        Err(Failed::new(Problem::NoTicket, format!("no authority of virtual server {} issued a ticket", visit.site.vserver)))
    }

    fn file(
        &self,
        app: &App,
        ticket: &IssuedTicket,
        logon_ticket: &Secret,
        visit: &Visit<'_>,
        visitor: &Visitor,
    ) -> Result<Secret, Failed> {
        let unlaunchable = |why: &dyn std::fmt::Display| Failed::new(Problem::Unlaunchable, why);
        let named = format!("{}:{}", visit.own.host, visit.own.port);
        let gateway = HostPort::parse(&named, visit.own.port).map_err(|bad| unlaunchable(&bad))?;
        let default = Settings::default();
        let settings = app.settings.as_ref().unwrap_or(&default);
        let sso = sso(visitor)?;
        let colors = settings.colors.to_string();
        let shared = [sso.user.as_bytes(), sso.domain.as_bytes(), colors.as_bytes(), settings.encryption.as_bytes()];
        let sharing_key = self.names.seal("session sharing", &shared).to_text();
        write::Launch {
            application: &app.in_name,
            title: &displayable(&app.display_name),
            ticket: &ticket.client_string(),
            gateway: &gateway,
            logon_ticket: Some(logon_ticket),
            user: &sso.user,
            client_name: &self.client_name(visitor),
            colors: settings.colors,
            size: (settings.width, settings.height),
            seamless: !settings.is_desktop,
            sound: settings.sound != "none",
            encryption: if settings.encryption == "basic" { "Basic" } else { &settings.encryption },
            session_sharing_key: sharing_key.get(..32).unwrap_or_default(),
            launch_reference: None,
            language: visit.language.tag(),
            session_reliability: false,
        }
        .write()
        .map_err(|refused| unlaunchable(&refused))
    }
}

/// What the farm is told; nobody in particular starts nothing.
fn sso(visitor: &Visitor) -> Result<&Sso, Failed> {
    visitor.login.entry.sso.as_ref().ok_or_else(|| Failed::new(Problem::NoResource, "the login has no user for the farm"))
}

fn answer(app: &App, file: &Secret) -> Result<Reply, Failed> {
    let mut reply = pages::bare(StatusCode::OK);
    let disposition = format!("attachment; filename=\"{}.ica\"", file_name(&app.in_name));
    let disposition = HeaderValue::from_str(&disposition).map_err(|bad| Failed::new(Problem::Internal, bad))?;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    reply.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    *reply.body_mut() = Full::new(Bytes::copy_from_slice(file.expose().as_bytes()));
    Ok(reply)
}

/// A name that no system takes amiss: letters, digits, `-` and `_`.
fn file_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
        .take(FILE_NAME_CHARS_MAX)
        .collect();
    if plain.trim_matches('_').is_empty() { "launch".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_have_harmless_names() {
        for (name, file) in [
            ("Notepad", "Notepad"),
            ("../../etc/passwd", "______etc_passwd"),
            ("a\"; x=\"\r\nb", "a___x____b"),
            ("メモ帳", "launch"),
            ("", "launch"),
        ] {
            assert_eq!(file_name(name), file);
        }
    }
}
