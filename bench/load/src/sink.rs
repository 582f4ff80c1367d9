//! The host behind the gateway. Each connection begins with a nine-byte order: a letter and a number.
//!
//! ```text
//!   E 0      echo every byte             S 0      swallow until the end, then close
//!   P n      pour n bytes (0: for ever)      A 0      answer questions: [bytes that follow, bytes wanted back], four bytes each
//! ```

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::fault::{Fault, machine};

/// Bytes of an order.
pub(crate) const ORDER_BYTES: usize = 9;
/// Bytes of a question, before those that follow it.
pub(crate) const QUESTION_BYTES: usize = 8;
/// Most bytes read or written in one call.
const BLOCK: usize = 256 * 1024;
/// Calls per connection and turn, so that one connection cannot starve the others.
const CALLS_PER_TURN: usize = 8;

/// An order.
pub(crate) fn order(letter: u8, number: u64) -> [u8; ORDER_BYTES] {
    let mut order = [letter; ORDER_BYTES];
    order[1..].copy_from_slice(&number.to_be_bytes());
    order
}

/// A question of `len` bytes, itself included, that wants `back` bytes.
pub(crate) fn question(len: usize, back: usize) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    let rest = len.saturating_sub(QUESTION_BYTES);
    let mut question = [number(rest), number(back)].concat();
    question.resize(QUESTION_BYTES + rest, 0x77);
    question
}

enum Doing {
    Order { got: [u8; ORDER_BYTES], len: usize },
    Echo { back: Vec<u8>, at: usize },
    Swallow,
    Pour { left: u64, forever: bool },
    Answer { head: [u8; QUESTION_BYTES], have: usize, skip: u64, owed: u64 },
}

struct Guest {
    stream: TcpStream,
    doing: Doing,
    ended: bool,
}

/// Serves until it is killed. Prints its address, once, so that port 0 is of use.
pub(crate) fn run(listen: SocketAddr, core: Option<usize>) -> Result<(), Fault> {
    crate::drive::pin(core);
    let mut listener = TcpListener::bind(listen).map_err(machine(format!("listen on {listen}")))?;
    let address = listener.local_addr().map_err(machine("learn the own address"))?;
    crate::report::say(&format!("sink {address}"));
    let mut poll = Poll::new().map_err(machine("make a poll"))?;
    poll.registry().register(&mut listener, Token(usize::MAX), Interest::READABLE).map_err(machine("watch the listener"))?;
    let mut guests: Vec<Option<Guest>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut events = Events::with_capacity(1024);
    let mut block = vec![0x5A; BLOCK];
    // Guests that spent their share of calls: edge-triggered readiness will not be told again.
    let mut again: Vec<usize> = Vec::new();
    loop {
        let wait = if again.is_empty() { None } else { Some(std::time::Duration::ZERO) };
        match poll.poll(&mut events, wait) {
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(machine("wait for events"))?,
        }
        let mut ready: Vec<usize> = std::mem::take(&mut again);
        for event in &events {
            if event.token() != Token(usize::MAX) {
                ready.push(event.token().0);
                continue;
            }
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.set_nodelay(true);
                let at = free.pop().unwrap_or_else(|| {
                    guests.push(None);
                    guests.len() - 1
                });
                let watched = poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE);
                watched.map_err(machine("watch a connection"))?;
                guests[at] = Some(Guest { stream, doing: Doing::Order { got: [0; ORDER_BYTES], len: 0 }, ended: false });
                ready.push(at);
            }
        }
        ready.sort_unstable();
        ready.dedup();
        for at in ready {
            let Some(guest) = guests[at].as_mut() else { continue };
            match serve(guest, &mut block) {
                Ok(true) => again.push(at),
                Ok(false) => {}
                Err(_) => {
                    guests[at] = None;
                    free.push(at);
                }
            }
        }
    }
}

/// Goes on with a guest. `Ok(true)`: there is more to do at once; an error ends it.
fn serve(guest: &mut Guest, block: &mut [u8]) -> io::Result<bool> {
    for _ in 0..CALLS_PER_TURN {
        let outcome = match &mut guest.doing {
            Doing::Order { got, len } => match guest.stream.read(&mut got[*len..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    *len += n;
                    if *len == ORDER_BYTES {
                        let number = u64::from_be_bytes(got[1..].try_into().unwrap_or_default());
                        guest.doing = match got[0] {
                            b'E' => Doing::Echo { back: Vec::new(), at: 0 },
                            b'S' => Doing::Swallow,
                            b'P' => Doing::Pour { left: number, forever: number == 0 },
                            b'A' => Doing::Answer { head: [0; QUESTION_BYTES], have: 0, skip: 0, owed: 0 },
                            _ => return Err(io::ErrorKind::InvalidData.into()),
                        };
                    }
                    Ok(())
                }
                Err(fault) => Err(fault),
            },
            Doing::Echo { back, at } => {
                if *at < back.len() {
                    match guest.stream.write(&back[*at..]) {
                        Ok(n) => {
                            *at += n;
                            Ok(())
                        }
                        Err(fault) => Err(fault),
                    }
                } else if guest.ended {
                    guest.stream.shutdown(Shutdown::Write)?;
                    return Err(io::ErrorKind::UnexpectedEof.into());
                } else {
                    match guest.stream.read(block) {
                        Ok(0) => {
                            guest.ended = true;
                            Ok(())
                        }
                        Ok(n) => {
                            back.clear();
                            back.extend_from_slice(&block[..n]);
                            *at = 0;
                            Ok(())
                        }
                        Err(fault) => Err(fault),
                    }
                }
            }
            Doing::Swallow => match guest.stream.read(block) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => Ok(()),
                Err(fault) => Err(fault),
            },
            Doing::Pour { left, forever } => {
                let n = if *forever { block.len() } else { usize::try_from(*left).unwrap_or(usize::MAX).min(block.len()) };
                if n == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                match guest.stream.write(&block[..n]) {
                    Ok(n) => {
                        *left = left.saturating_sub(n as u64);
                        Ok(())
                    }
                    Err(fault) => Err(fault),
                }
            }
            Doing::Answer { owed, .. } if *owed > 0 => {
                let n = usize::try_from(*owed).unwrap_or(usize::MAX).min(block.len());
                guest.stream.write(&block[..n]).map(|n| *owed -= n as u64)
            }
            Doing::Answer { head, have, skip, owed } => match guest.stream.read(block) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    let mut questions = Questions { head, have, skip, owed };
                    questions.read(&block[..n]);
                    Ok(())
                }
                Err(fault) => Err(fault),
            },
        };
        match outcome {
            Ok(()) => {}
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(true)
}

/// Where a guest is in its questions.
struct Questions<'g> {
    head: &'g mut [u8; QUESTION_BYTES],
    /// Bytes of the head that are there.
    have: &'g mut usize,
    /// Bytes that follow it and are still to come.
    skip: &'g mut u64,
    /// Bytes that are wanted back.
    owed: &'g mut u64,
}

impl Questions<'_> {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = usize::try_from(*self.skip).unwrap_or(usize::MAX).min(bytes.len());
            *self.skip -= skipped as u64;
            bytes = &bytes[skipped..];
            let taken = bytes.len().min(QUESTION_BYTES - *self.have);
            self.head[*self.have..*self.have + taken].copy_from_slice(&bytes[..taken]);
            *self.have += taken;
            bytes = &bytes[taken..];
            if *self.have == QUESTION_BYTES {
                *self.have = 0;
                let number = |at: usize| self.head[at..at + 4].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                *self.skip = number(0);
                *self.owed += number(4);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_understood_wherever_they_are_cut() {
        let asked = [question(8, 5), question(300, 7), question(48, 1000)].concat();
        for cut in 0..=asked.len() {
            let (mut head, mut have, mut skip, mut owed) = ([0; QUESTION_BYTES], 0, 0, 0);
            let mut questions = Questions { head: &mut head, have: &mut have, skip: &mut skip, owed: &mut owed };
            questions.read(&asked[..cut]);
            questions.read(&asked[cut..]);
            assert_eq!((have, skip, owed), (0, 0, 1012), "cut at {cut}");
        }
    }
}
