//! A RADIUS server as none should be: says what a script makes up, to whoever asks. For what a real one does, see [`crate::radius`].
//!
//! ```text
//!   request ─► Asked ─► script ─► Draft: an answer of which any part can be wrong ─► bytes ─┬─► from where it was asked
//!                                                                                           └─► from another port
//! ```

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use md5::{Digest as _, Md5};

use crate::radius::KEY;

/// Code of an answer that lets somebody in.
pub const ACCEPT: u8 = 2;
/// … that does not.
pub const REJECT: u8 = 3;
/// … that asks back.
pub const CHALLENGE: u8 = 11;
/// Code, number, length, authenticator.
const HEAD: usize = 20;
/// Looked at so often whether it is time to end.
const LOOK: Duration = Duration::from_millis(20);

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    bytes: Vec<u8>,
}

impl Asked {
    /// The value of its first attribute of this kind.
    #[must_use]
    pub fn attribute(&self, kind: u8) -> Option<&[u8]> {
        let mut rest = self.bytes.get(HEAD..)?;
        while let [found, length, ..] = rest {
            let length = usize::from(*length);
            if *found == kind {
                return rest.get(2..length);
            }
            rest = rest.get(length.max(2)..)?;
        }
        None
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn authenticator(&self) -> &[u8] {
        &self.bytes[4..HEAD]
    }
}

/// An answer that is made up.
#[derive(Clone, Debug)]
pub struct Draft {
    code: u8,
    number: u8,
    authenticator: Vec<u8>,
    attributes: Vec<u8>,
    key: Vec<u8>,
    is_signed: bool,
    wrong_signature: u8,
    wrong_digest: u8,
}

impl Draft {
    /// A right one with this code.
    #[must_use]
    pub fn new(asked: &Asked, code: u8) -> Self {
        Self {
            code,
            number: asked.bytes[1],
            authenticator: asked.authenticator().to_vec(),
            attributes: Vec::new(),
            key: KEY.into(),
            is_signed: true,
            wrong_signature: 0,
            wrong_digest: 0,
        }
    }

    /// With an attribute.
    ///
    /// # Panics
    /// If the value is too long for one.
    #[must_use]
    pub fn with(mut self, kind: u8, value: &[u8]) -> Self {
        self.attributes.extend([kind, u8::try_from(value.len() + 2).expect("a value of an attribute")]);
        self.attributes.extend(value);
        self
    }

    /// Of another request.
    #[must_use]
    pub fn numbered(mut self, by: u8) -> Self {
        self.number = self.number.wrapping_add(by);
        self
    }

    /// Without a Message-Authenticator, as servers of old.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.is_signed = false;
        self
    }

    /// With a wrong Message-Authenticator.
    #[must_use]
    pub fn badly_signed(mut self) -> Self {
        self.wrong_signature = 1;
        self
    }

    /// With a wrong Response Authenticator.
    #[must_use]
    pub fn badly_digested(mut self) -> Self {
        self.wrong_digest = 1;
        self
    }

    /// By somebody who has another key.
    #[must_use]
    pub fn under(mut self, key: &str) -> Self {
        self.key = key.into();
        self
    }

    /// As it is sent.
    ///
    /// # Panics
    /// If it is longer than a length can say.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut attributes = if self.is_signed { [&[80, 18][..], &[0; 16]].concat() } else { Vec::new() };
        attributes.extend(&self.attributes);
        let length = u16::try_from(HEAD + attributes.len()).expect("a length").to_be_bytes();
        let head = [self.code, self.number, length[0], length[1]];
        if self.is_signed {
            let signature = hmac(&self.key, &[&head, &self.authenticator, &attributes]);
            attributes[2..18].copy_from_slice(&signature);
            attributes[2] ^= self.wrong_signature;
        }
        let mut digest = md5(&[&head, &self.authenticator, &attributes, &self.key]);
        digest[0] ^= self.wrong_digest;
        [&head[..], &digest, &attributes].concat()
    }
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// RFC 2104, for keys that fit into a block.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let pad = |with: u8| -> Vec<u8> {
        let mut block = vec![with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = md5(&[&[&pad(0x36)[..]], parts].concat());
    md5(&[&pad(0x5c), &inner])
}

/// Where answers go.
#[derive(Debug)]
pub struct Back<'s> {
    socket: &'s UdpSocket,
    elsewhere: &'s UdpSocket,
    to: SocketAddr,
}

impl Back<'_> {
    /// Sends from where it was asked.
    pub fn say(&self, bytes: &[u8]) {
        // Whoever asked may be gone.
        let _ = self.socket.send_to(bytes, self.to);
    }

    /// Sends from another port.
    pub fn say_from_elsewhere(&self, bytes: &[u8]) {
        let _ = self.elsewhere.send_to(bytes, self.to);
    }
}

/// One that runs until it is dropped.
#[derive(Debug)]
pub struct Forger {
    /// Where it listens.
    pub at: SocketAddr,
    asked: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Forger {
    /// Answers each request as `script` does, which is also told how many came before.
    ///
    /// # Panics
    /// If there is no port.
    #[must_use]
    pub fn start(script: impl Fn(&Asked, usize, &Back<'_>) + Send + 'static) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let elsewhere = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        socket.set_read_timeout(Some(LOOK)).expect("a socket's time");
        let at = socket.local_addr().expect("its address");
        let (asked, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stop) = (asked.clone(), is_over.clone());
        let thread = std::thread::spawn(move || {
            let mut room = vec![0; 65_536];
            while !stop.load(Relaxed) {
                match socket.recv_from(&mut room) {
                    Ok((length, to)) if length >= HEAD => {
                        let before = count.fetch_add(1, Relaxed);
                        let asked = Asked { bytes: room[..length].to_vec() };
                        script(&asked, before, &Back { socket: &socket, elsewhere: &elsewhere, to });
                    }
                    Ok(_) => {}
                    // Nothing came, or somebody who asked has gone.
                    Err(error)
                        if [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::ConnectionRefused].contains(&error.kind()) => {
                    }
                    Err(error) => panic!("the socket of a stand-in: {error}"),
                }
            }
        });
        Self { at, asked, is_over, thread: Some(thread) }
    }

    /// How many requests came.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }
}

impl Drop for Forger {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
