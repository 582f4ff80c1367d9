//! The host behind the gateway. Each connection begins with a nine-byte order: a letter and a number.
//!
//! ```text
//!   E 0      echo every byte             S 0      swallow until the end, then close
//!   P n      pour n bytes (0: for ever)
//! ```

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::fault::{Fault, machine};

/// Bytes of an order.
pub(crate) const ORDER_BYTES: usize = 9;
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

enum Doing {
    Order { got: [u8; ORDER_BYTES], len: usize },
    Echo { back: Vec<u8>, at: usize },
    Swallow,
    Pour { left: u64, forever: bool },
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
