//! Tickets: issued by a real authority as a portal would ask for them, and authorities that misbehave.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::deadline::PATIENCE;
use crate::host::Host;

/// A ticket and who issued it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The authority's id.
    pub sta_id: String,
    /// The ticket.
    pub code: String,
}

impl Issued {
    /// As it stands in an ICA file.
    #[must_use]
    pub fn single(&self) -> String {
        format!(";40;{};{}", self.sta_id, self.code)
    }
}

/// A dual ticket.
#[must_use]
pub fn dual(first: &Issued, second: &Issued) -> String {
    format!(";42;{};{};{};{}", first.sta_id, first.code, second.sta_id, second.code)
}

/// Asks the authority at `sta` for a ticket for `host`, over plain HTTP.
///
/// # Panics
/// If it does not give one.
#[must_use]
pub fn issue(sta: SocketAddr, host: &str) -> Issued {
    issue_kind(sta, host, false)
}

/// The same, refreshable or not.
///
/// # Panics
/// If it does not give one.
#[must_use]
pub fn issue_kind(sta: SocketAddr, host: &str, refreshable: bool) -> Issued {
    issue_for(sta, &[("ICAAddress", host)], refreshable)
}

/// The same for any values, such as `CGPAddress`.
///
/// # Panics
/// If it does not give one.
#[must_use]
pub fn issue_for(sta: SocketAddr, values: &[(&str, &str)], refreshable: bool) -> Issued {
    let values: String = values.iter().map(|(name, value)| format!("<Value name=\"{name}\">{value}</Value>")).collect();
    let body = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE CtxSTAProtocol SYSTEM \"CtxSTA.dtd\">\n<CtxSTAProtocol version=\"4.0\"><RequestTicket>\
         <AllowedTicketType>STA-v4</AllowedTicketType><AllowedAuthorityIDType>STA-v1</AllowedAuthorityIDType>\
         <TicketData>{values}</TicketData>\
         <Control><Refreshable>{refreshable}</Refreshable></Control></RequestTicket></CtxSTAProtocol>"
    );
    let answer = post(sta, "/scripts/ctxsta.dll", &body).expect("an answer of the authority");
    let text = |element: &str| between(&answer, element).unwrap_or_else(|| panic!("no {element} in {answer}"));
    Issued { sta_id: text("AuthorityID"), code: text("Ticket") }
}

/// The text of the first `element` in `xml`.
#[must_use]
pub fn between(xml: &str, element: &str) -> Option<String> {
    let from = xml.find(&format!("<{element}>"))? + element.len() + 2;
    let to = xml[from..].find(&format!("</{element}>"))? + from;
    Some(xml[from..to].to_owned())
}

/// Posts XML and gives the answer's body.
///
/// # Errors
/// If TCP fails or the answer is no HTTP.
pub fn post(server: SocketAddr, path: &str, body: &str) -> io::Result<String> {
    let mut tcp = TcpStream::connect(server)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        tcp,
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other(format!("not HTTP: {answer}")))?;
    Ok(body.to_owned())
}

/// What an authority that misbehaves does with a redemption. It answers probes (`RequestTicket`) properly.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This body with status 200.
    Body(String),
    /// This status, without a body.
    Status(u16),
    /// Nothing, for ever.
    Hang,
    /// Half of an answer, then the end.
    Truncated,
}

/// An authority with the id `id` that answers every redemption with `answer`.
#[must_use]
pub fn misbehaving(id: &'static str, answer: Answer) -> Host {
    Host::start(move |connection| {
        let mut reader = BufReader::new(connection.try_clone()?);
        let mut writer = connection;
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap_or(0);
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let reply = if String::from_utf8_lossy(&body).contains("<RequestTicket>") {
                Answer::Body(format!(
                    "<?xml version=\"1.0\"?><CtxSTAProtocol version=\"4.0\"><ResponseTicket><AuthorityID>{id}</AuthorityID>\
                     <Ticket>0123456789ABCDEF0123456789ABCDEF</Ticket><TicketVersion>40</TicketVersion></ResponseTicket></CtxSTAProtocol>"
                ))
            } else {
                answer.clone()
            };
            match reply {
                Answer::Body(xml) => {
                    write!(writer, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{xml}", xml.len())?;
                }
                Answer::Status(code) => write!(writer, "HTTP/1.1 {code} Nope\r\nContent-Length: 0\r\n\r\n")?,
                Answer::Hang => {
                    io::copy(&mut reader, &mut io::sink())?;
                    return Ok(());
                }
                Answer::Truncated => {
                    write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<CtxSTAProtocol><Resp")?;
                    return Ok(());
                }
            }
        }
    })
}
