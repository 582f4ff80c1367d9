//! Tickets, fetched before the measured window: what a portal would do.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::clock::now;
use crate::fault::{Fault, machine};
use crate::load::part;

/// How long an authority may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What an authority says that has too much to do just now: it is asked again.
const BUSY: u16 = 503;
/// After so much time.
const BREATH: Duration = Duration::from_millis(20);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Asks for `count` tickets, as many for each of `hosts`.
pub(crate) fn fetch_all(sta: SocketAddr, hosts: &[SocketAddr], count: usize) -> Result<Vec<String>, Fault> {
    if hosts.is_empty() {
        return Err(Fault::Nothing("a ticket is for a host: --host is wanted beside --sta"));
    }
    let mut tickets = Vec::with_capacity(count);
    for (at, host) in hosts.iter().enumerate() {
        tickets.extend(fetch(sta, *host, part(count, hosts.len(), at))?);
    }
    Ok(tickets)
}

/// Asks the authority at `sta` for `count` tickets for `host`, over one connection as long as it is kept.
fn fetch(sta: SocketAddr, host: SocketAddr, count: usize) -> Result<Vec<String>, Fault> {
    let body = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE CtxSTAProtocol SYSTEM \"CtxSTA.dtd\"><CtxSTAProtocol version=\"4.0\"><RequestTicket>\
         <AllowedTicketType>STA-v4</AllowedTicketType><AllowedAuthorityIDType>STA-v1</AllowedAuthorityIDType>\
         <TicketData><Value name=\"ICAAddress\">{host}</Value></TicketData><Control><Refreshable>false</Refreshable></Control>\
         </RequestTicket></CtxSTAProtocol>"
    );
    let request = format!(
        "POST /scripts/ctxsta.dll HTTP/1.1\r\nHost: {sta}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut tickets = Vec::with_capacity(count);
    let mut line = connect(sta)?;
    let mut deadline = now() + PATIENCE;
    while tickets.len() < count {
        let sent = line.get_mut().write_all(request.as_bytes());
        match sent.and_then(|()| read_answer(&mut line)) {
            Ok(answer) if answer.status == BUSY && now() < deadline => {
                std::thread::park_timeout(BREATH);
                continue;
            }
            Ok(answer) => tickets.push(ticket_in(&answer)?),
            // Servers close a kept connection after some number of requests: go on with a new one.
            Err(_) if now() < deadline => {
                line = connect(sta)?;
                continue;
            }
            Err(fault) => return Err(machine(format!("ask the authority at {sta}"))(fault)),
        }
        deadline = now() + PATIENCE;
    }
    Ok(tickets)
}

fn connect(sta: SocketAddr) -> Result<BufReader<TcpStream>, Fault> {
    let connection = TcpStream::connect(sta).map_err(machine(format!("connect to the authority at {sta}")))?;
    connection.set_read_timeout(Some(PATIENCE)).map_err(machine("set a time-out"))?;
    connection.set_nodelay(true).map_err(machine("set no delay"))?;
    Ok(BufReader::new(connection))
}

/// What an authority says.
struct Answer {
    status: u16,
    body: String,
}

fn read_answer(reader: &mut impl std::io::BufRead) -> std::io::Result<Answer> {
    let (mut status, mut length) = (0, 0);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim().is_empty() {
            break;
        }
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().unwrap_or(0),
            Some(_) => {}
            None => status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0),
        }
    }
    let mut body = vec![0; length.min(ANSWER_BYTES_MAX)];
    reader.read_exact(&mut body)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn ticket_in(answer: &Answer) -> Result<String, Fault> {
    let text = |element: &str| {
        let from = answer.body.find(&format!("<{element}>"))? + element.len() + 2;
        answer.body[from..].split('<').next()
    };
    match (text("TicketVersion"), text("AuthorityID"), text("Ticket")) {
        (Some(version), Some(id), Some(code)) => Ok(format!(";{version};{id};{code}")),
        _ => Err(Fault::Ticket(format!("{} {}", answer.status, answer.body))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn an_authority_that_closes_kept_connections_is_asked_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sta = listener.local_addr().unwrap();
        let served = thread::spawn(move || {
            let mut issued = 0;
            // Two tickets for each connection; the last one is left when the client has what it wants.
            while issued < 5 {
                let mut stream = listener.accept().unwrap().0;
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                for _ in 0..2 {
                    let mut line = String::new();
                    while reader.read_line(&mut line).unwrap_or(0) > 0 && !line.ends_with("</CtxSTAProtocol>") {
                        if line.to_ascii_lowercase().starts_with("content-length:") {
                            let length: usize = line[15..].trim().parse().unwrap();
                            reader.read_line(&mut String::new()).unwrap();
                            std::io::Read::read_exact(&mut reader, &mut vec![0; length]).unwrap();
                            break;
                        }
                        line.clear();
                    }
                    if line.is_empty() {
                        break;
                    }
                    issued += 1;
                    let body = format!(
                        "<ResponseTicket><AuthorityID>STA01</AuthorityID><Ticket>{issued:032X}</Ticket>\
                         <TicketVersion>40</TicketVersion></ResponseTicket>"
                    );
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    stream.write_all((head + &body).as_bytes()).unwrap();
                }
            }
        });
        let tickets = fetch(sta, "127.0.0.1:1494".parse().unwrap(), 5).unwrap();
        assert_eq!(tickets.len(), 5);
        assert_eq!(tickets[0], format!(";40;STA01;{:032X}", 1));
        served.join().unwrap();
    }

    #[test]
    fn a_refusal_is_no_ticket() {
        let answer = Answer { status: 200, body: "<ResponseTicket><ErrorId>x</ErrorId></ResponseTicket>".to_owned() };
        assert!(matches!(ticket_in(&answer), Err(Fault::Ticket(_))));
    }
}
