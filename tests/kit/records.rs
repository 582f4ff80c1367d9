//! A client of TLS 1.3 whose records are made by hand: for those that no library would send.

use std::io::{self, Write as _};
use std::net::TcpStream;

pub use rustls::ContentType;
use rustls::crypto::cipher::{AeadKey, Iv, MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion, SupportedCipherSuite};

use crate::client::Client;

/// The sending half of a client after its handshake. What comes back stays in [`Records::tcp`], sealed.
pub struct Records {
    /// The connection.
    pub tcp: TcpStream,
    sealer: Box<dyn MessageEncrypter>,
    number: u64,
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
        let (number, secrets) = connection.dangerous_extract_secrets().expect("secrets may be taken").tx;
        let (key, iv): (AeadKey, Iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv }
            | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
            | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
            _ => panic!("a cipher nobody has heard of"),
        };
        assert_eq!(number, 0, "something was sent already");
        Self { tcp, sealer: suite.aead_alg.encrypter(key, iv), number }
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

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// Whatever TCP says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tcp.write_all(bytes)
    }
}
