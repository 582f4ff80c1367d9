//! What a sender did wrong: one variant per clause broken.

use thiserror::Error;

/// Bytes that no further byte can make right. The sender's fault, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Malformed {
    /// A TLS record of a hello is empty or longer than 2¹⁴ bytes (RFC 8446 §5.1).
    #[error("TLS record of {0} bytes in a ClientHello, 1 to 16384 are allowed")]
    RecordLength(u16),
    /// A hello continues in a record that is not a handshake record (RFC 8446 §5.1).
    #[error("TLS record of type {0} amid a ClientHello")]
    RecordType(u8),
    /// A hello continues in a record whose version is not 3.x (RFC 8446 §5.1).
    #[error("TLS record of version {0}.x amid a ClientHello")]
    RecordVersion(u8),
    /// A hello is cut into more than [`crate::hello::HELLO_RECORDS_MAX`] records.
    #[error("ClientHello in more than {} records", crate::hello::HELLO_RECORDS_MAX)]
    RecordCount,
    /// The first handshake message is not a ClientHello (RFC 8446 §4).
    #[error("first handshake message has type {0}, not ClientHello")]
    HelloType(u8),
    /// The record that ends the hello holds more than the hello (RFC 8446 §5.1).
    #[error("bytes behind the ClientHello in its record")]
    HelloTrailing,
    /// A length inside the hello does not fit what contains it (RFC 8446 §4.1.2).
    #[error("a length in the ClientHello does not fit what contains it")]
    HelloLength,
    /// The session id is longer than 32 bytes (RFC 8446 §4.1.2).
    #[error("session id of {0} bytes in the ClientHello, 32 are allowed")]
    HelloSessionId(u8),
    /// An extension that may occur once occurs twice (RFC 8446 §4.2).
    #[error("extension {0} occurs twice in the ClientHello")]
    HelloExtensionTwice(u16),
    /// The server_name extension does not hold exactly one host name (RFC 6066 §3).
    #[error("server_name extension does not hold exactly one host name")]
    HelloServerName,

    /// A greeting or request does not begin with `05` (RFC 1928 §3, §4).
    #[error("SOCKS version {0}, not 5")]
    SocksVersion(u8),
    /// `05 01 00` is followed by a byte that neither a request nor a greeting allows there.
    #[error("byte {0:#04x} where a SOCKS5 greeting or request must go on")]
    SocksOpening(u8),
    /// The reserved byte of a request is not zero (RFC 1928 §4).
    #[error("reserved byte {0:#04x} in a SOCKS5 request")]
    SocksReserved(u8),
    /// A greeting's answer names a method other than "none needed" and "none acceptable", or a reply has another form than ours.
    #[error("a SOCKS5 answer has a form that this gateway never sends")]
    SocksAnswer,

    /// The opening does not begin with the signature of CGP.
    #[error("opening without the signature of CGP")]
    CgpSignature,
    /// No ticket within the first [`crate::cgp::OPENING_BYTES_MAX`] bytes.
    #[error("no ticket in the first {} bytes of a CGP opening", crate::cgp::OPENING_BYTES_MAX)]
    CgpTicket,

    /// The header does not begin with the signature of PROXY v2 (PROXY §2.2).
    #[error("header without the signature of PROXY v2")]
    ProxySignature,
    /// Version or command: only version 2 with PROXY is taken (PROXY §2.2).
    #[error("PROXY version and command {0:#04x}, not 0x21")]
    ProxyCommand(u8),
    /// Family or transport: only TCP over IPv4 or IPv6 is taken (PROXY §2.2).
    #[error("PROXY family and transport {0:#04x}, not 0x11 or 0x21")]
    ProxyFamily(u8),
    /// The header is longer than [`crate::proxy::WHOLE_BYTES_MAX`], or too short for its addresses.
    #[error("PROXY header of {0} bytes behind its first sixteen")]
    ProxyLength(u16),
    /// A type-length-value field reaches beyond what contains it (PROXY §2.2).
    #[error("a field of the PROXY header reaches beyond its end")]
    ProxyField,
    /// A field of this type occurs twice.
    #[error("field {0:#04x} occurs twice in the PROXY header")]
    ProxyFieldTwice(u8),
    /// The authority is not a host name.
    #[error("authority in the PROXY header is not a host name")]
    ProxyAuthority,
    /// The TLS field is too short, or its version is no short printable text.
    #[error("TLS field of the PROXY header is malformed")]
    ProxyTls,
    /// The application protocol is empty, longer than 32 bytes or not printable.
    #[error("application protocol in the PROXY header is malformed")]
    ProxyAlpn,
    /// The client's certificates are too many or too long, or are not written as they should be.
    #[error("certificates in the PROXY header are malformed")]
    ProxyCertificates,
    /// The unique id is empty, longer than 128 bytes or not printable.
    #[error("unique id in the PROXY header is malformed")]
    ProxyUniqueId,
}
