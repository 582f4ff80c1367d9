//! A client of TLS 1.3 whose records are made by hand: for those that no library would send.

use std::io::{self, Write as _};
use std::net::TcpStream;

pub use rustls::ContentType;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundPlainMessage,
};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion, SupportedCipherSuite};

use crate::client::Client;

/// A client after its handshake. What comes back stays in [`Records::tcp`], sealed, until [`Records::open`] is asked about it.
pub struct Records {
    /// The connection.
    pub tcp: TcpStream,
    sealer: Box<dyn MessageEncrypter>,
    number: u64,
    opener: Box<dyn MessageDecrypter>,
    opened: u64,
    /// The beginning of a record whose end has not come.
    cut: Vec<u8>,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Records {
    /// Takes the keys of `client`, who has sent nothing since its handshake, over: such a key counts from the first record on. Its settings must allow that, see [`rustls::ClientConfig::enable_secret_extraction`].
    ///
    /// # Panics
    /// If it has not spoken TLS 1.3, or has sent something.
    #[must_use]
    pub fn of(client: Client) -> Self {
        let (connection, tcp) = client.stream.into_parts();
        let Some(SupportedCipherSuite::Tls13(suite)) = connection.negotiated_cipher_suite() else { panic!("not TLS 1.3") };
        let secrets = connection.dangerous_extract_secrets().expect("secrets may be taken");
        let key_of = |secrets| -> (AeadKey, Iv) {
            match secrets {
                ConnectionTrafficSecrets::Aes128Gcm { key, iv }
                | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
                | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
                _ => panic!("a cipher nobody has heard of"),
            }
        };
        let ((number, tx), (opened, rx)) = (secrets.tx, secrets.rx);
        assert_eq!(number, 0, "something was sent already");
        let ((key, iv), (their_key, their_iv)) = (key_of(tx), key_of(rx));
        let (sealer, opener) = (suite.aead_alg.encrypter(key, iv), suite.aead_alg.decrypter(their_key, their_iv));
        Self { tcp, sealer, number, opener, opened, cut: Vec::new() }
    }

    /// The records in `bytes`, which came since the last call: types and contents. What is cut at the end waits for the next.
    ///
    /// # Panics
    /// If one does not open.
    #[must_use]
    pub fn open(&mut self, bytes: &[u8]) -> Vec<(ContentType, Vec<u8>)> {
        let come = [std::mem::take(&mut self.cut).as_slice(), bytes].concat();
        let (mut rest, mut all) = (come.as_slice(), Vec::new());
        while let Some((&[_, _, _, hi, lo], behind)) = rest.split_first_chunk::<5>()
            && let Some((body, behind)) = behind.split_at_checked(usize::from(u16::from_be_bytes([hi, lo])))
        {
            let mut body = body.to_vec();
            let sealed = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, &mut body);
            let plain = self.opener.decrypt(sealed, self.opened).expect("a record of the gateway");
            all.push((plain.typ, plain.payload.to_vec()));
            self.opened += 1;
            rest = behind;
        }
        self.cut = rest.to_vec();
        all
    }

    /// One record, sealed.
    ///
    /// # Panics
    /// If it cannot be sealed.
    #[must_use]
    pub fn seal(&mut self, typ: ContentType, content: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_3, payload: OutboundChunks::Single(content) };
        let sealed = self.sealer.encrypt(message, self.number).expect("a record").encode();
        self.number += 1;
        sealed
    }

    /// One record of application data, sealed.
    #[must_use]
    pub fn data(&mut self, content: &[u8]) -> Vec<u8> {
        self.seal(ContentType::ApplicationData, content)
    }

    /// One record with one byte of data and so much padding that it is as long as one may be.
    #[must_use]
    pub fn padded(&mut self, byte: u8) -> Vec<u8> {
        let mut inner = vec![0; 1 << 14];
        inner[..2].copy_from_slice(&[byte, u8::from(ContentType::ApplicationData)]);
        // The type behind the content is one more zero.
        self.seal(ContentType::Unknown(0), &inner)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// Whatever TCP says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tcp.write_all(bytes)
    }
}
