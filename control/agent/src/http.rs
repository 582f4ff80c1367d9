//! One request, one answer, one connection: as much of HTTP/1.1 as three requests need, and strict.
//!
//! An answer has a head of at most [`HEAD_BYTES_MAX`] bytes and a body of a length that is said, at most [`BODY_BYTES_MAX`]; redirects are
//! not followed. What does not fit is an error rather than a guess.

use std::io::{BufRead as _, BufReader, Read, Write as _};

use gate_proto::host_port::HostPort;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::line::{Way, broken};

/// Longest head of an answer, in bytes. The longest question has 32 KiB in its envelope, and orders come beside it.
pub const HEAD_BYTES_MAX: u64 = 80 * 1024;
/// Most lines of a head.
pub const FIELDS_MAX: usize = 64;
/// Longest body, in bytes. A verdict has 24.
pub const BODY_BYTES_MAX: usize = 4 * 1024;

/// Why an answer is none. The gateway's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// No `HTTP/1.1` and a status.
    #[error("the gateway's answer is not HTTP/1.1")]
    Status,
    /// A head without an end within its bounds, or a line of it without a colon.
    #[error("the head of the gateway's answer is malformed or too long")]
    Head,
    /// Its length is not said once, or is too long.
    #[error("the body of the gateway's answer has no length, or one beyond {BODY_BYTES_MAX} bytes")]
    Body,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    fields: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a field, by its name in lower case, if it is there exactly once.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&[u8]> {
        let mut all = self.fields.iter().filter(|(held, _)| held == name);
        all.next().filter(|_| all.next().is_none()).map(|(_, value)| value.as_slice())
    }
}

/// Sends `request` to `gateway` and reads the answer.
///
/// # Errors
/// [`Fault::Unreached`], [`Fault::Untrusted`], [`Fault::Malformed`].
pub fn exchange(way: &Way, gateway: &HostPort, request: &Zeroizing<String>) -> Result<Answer, Fault> {
    let mut line = way.open(gateway)?;
    line.write_all(request.as_bytes()).and_then(|()| line.flush()).map_err(broken)?;
    read(&mut line)
}

fn read(from: impl Read) -> Result<Answer, Fault> {
    let mut head = BufReader::new(from).take(HEAD_BYTES_MAX);
    let status = field(&mut head)?;
    let digits = status.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3)).filter(|d| d.iter().all(u8::is_ascii_digit));
    let code = digits.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok()).ok_or(Malformed::Status)?;
    let mut answer = Answer { status: code, fields: Vec::new(), body: Vec::new() };
    loop {
        let line = field(&mut head)?;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Malformed::Head)?;
        if answer.fields.len() == FIELDS_MAX {
            return Err(Malformed::Head.into());
        }
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        answer.fields.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    if answer.fields.iter().any(|(name, _)| name == "transfer-encoding") {
        return Err(Malformed::Body.into());
    }
    let said = answer.only("content-length").map(|digits| str::from_utf8(digits).ok()?.parse::<usize>().ok());
    let length = match said {
        Some(length) => length.filter(|length| *length <= BODY_BYTES_MAX),
        None if answer.status == 204 => Some(0),
        None => None,
    };
    answer.body = vec![0; length.ok_or(Malformed::Body)?];
    // What the head did not need of its bound does not bound the body.
    head.into_inner().read_exact(&mut answer.body).map_err(broken)?;
    Ok(answer)
}

/// A line of the head without its end.
fn field(head: &mut std::io::Take<BufReader<impl Read>>) -> Result<Vec<u8>, Fault> {
    let mut line = Vec::new();
    head.read_until(b'\n', &mut line).map_err(broken)?;
    if line.is_empty() && head.limit() > 0 {
        return Err(Fault::Unreached(std::io::ErrorKind::UnexpectedEof.into()));
    }
    match line.strip_suffix(b"\r\n") {
        Some(rest) if !rest.contains(&b'\r') && !rest.contains(&0) => Ok(rest.to_vec()),
        _ => Err(Malformed::Head.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_read() {
        let answer =
            read(&b"HTTP/1.1 200 OK\r\nCSEC:  a b \r\nx: 1\r\nX: 2\r\ncontent-length: 2\r\n\r\nhi, and more"[..]).unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"hi"[..]));
        assert_eq!((answer.only("csec"), answer.only("x"), answer.only("y")), (Some(&b"a b"[..]), None, None));
        assert_eq!(read(&b"HTTP/1.1 204 No Content\r\n\r\n"[..]).unwrap().body, b"");
    }

    #[test]
    fn what_has_no_clear_end_is_refused() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(100_000));
        let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x: 1\r\n".repeat(FIELDS_MAX));
        for (text, why) in [
            ("220 mail.example.test ESMTP\r\n", Malformed::Status),
            ("HTTP/1.0 200 OK\r\n\r\n", Malformed::Status),
            ("HTTP/1.1 2x0 OK\r\n\r\n", Malformed::Status),
            ("HTTP/1.1 200 OK\n\n", Malformed::Head),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Malformed::Head),
            (&endless, Malformed::Head),
            (&many, Malformed::Head),
            ("HTTP/1.1 200 OK\r\n\r\n", Malformed::Body),
            ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Malformed::Body),
            ("HTTP/1.1 200 OK\r\ncontent-length: 4097\r\n\r\n", Malformed::Body),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx", Malformed::Body),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\nx", Malformed::Body),
        ] {
            let fault = read(text.as_bytes()).unwrap_err();
            assert!(matches!(fault, Fault::Malformed(malformed) if malformed == why), "{fault:?} for {text:.60}");
        }
        for cut in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi"] {
            let fault = read(cut.as_bytes()).unwrap_err();
            assert!(matches!(fault, Fault::Unreached(_)), "{fault:?} for {cut}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_answers_are_answered(rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let _answered = read(&[b"HTTP/1.1 200 OK\r\n", &rest[..]].concat()[..]).map(|answer| answer.body.len());
        }
    }
}
