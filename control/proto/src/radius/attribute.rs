//! Attributes: type, length, value (RFC 2865 §5), and those of a vendor within one (§5.26).

use thiserror::Error;

/// Types that a client writes or reads.
pub mod number {
    /// Whom it is about.
    pub const USER_NAME: u8 = 1;
    /// His password, hidden.
    pub const USER_PASSWORD: u8 = 2;
    /// His password's digest with a challenge.
    pub const CHAP_PASSWORD: u8 = 3;
    /// Who asks, by address.
    pub const NAS_IP_ADDRESS: u8 = 4;
    /// A text for the user.
    pub const REPLY_MESSAGE: u8 = 18;
    /// What a server wants to have back.
    pub const STATE: u8 = 24;
    /// Holds attributes of a vendor.
    pub const VENDOR_SPECIFIC: u8 = 26;
    /// From where the user comes.
    pub const CALLING_STATION_ID: u8 = 31;
    /// Who asks, by name.
    pub const NAS_IDENTIFIER: u8 = 32;
    /// What proxies write for themselves.
    pub const PROXY_STATE: u8 = 33;
    /// The challenge of CHAP.
    pub const CHAP_CHALLENGE: u8 = 60;
    /// Through what the user comes.
    pub const NAS_PORT_TYPE: u8 = 61;
    /// The keyed digest of the whole packet.
    pub const MESSAGE_AUTHENTICATOR: u8 = 80;
    /// Who asks, by IPv6 address.
    pub const NAS_IPV6_ADDRESS: u8 = 95;
}

/// Type and length.
pub(super) const HEAD_BYTES: usize = 2;
/// Number of a vendor, in front of that vendor's attributes.
const VENDOR_BYTES: usize = 4;

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'p> {
    /// Its type.
    pub kind: u8,
    /// Its value, of at most 253 bytes.
    pub value: &'p [u8],
    /// Where the value begins in what was read.
    pub(super) at: usize,
}

/// An attribute is shorter than its own head, or longer than what holds it. Behind it nothing can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an attribute does not fit into what holds it")]
pub struct Malformed;

/// Reads attributes one behind the other.
#[derive(Clone, Debug)]
pub struct Attributes<'p> {
    all: &'p [u8],
    at: usize,
}

impl<'p> Attributes<'p> {
    /// Those in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'p [u8]) -> Self {
        Self { all: bytes, at: 0 }
    }

    fn read(&self) -> Result<Attribute<'p>, Malformed> {
        let rest = self.all.get(self.at..).ok_or(Malformed)?;
        let &[kind, length, ..] = rest else { return Err(Malformed) };
        let value = rest.get(HEAD_BYTES..usize::from(length)).ok_or(Malformed)?;
        Ok(Attribute { kind, value, at: self.at + HEAD_BYTES })
    }
}

impl<'p> Iterator for Attributes<'p> {
    type Item = Result<Attribute<'p>, Malformed>;

    /// After a fault there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.all.len() {
            return None;
        }
        let read = self.read();
        self.at = read.map_or(self.all.len(), |attribute| attribute.at + attribute.value.len());
        Some(read)
    }
}

impl<'p> Attribute<'p> {
    /// The vendor's number and attributes, if it is for those. What a vendor has written in a form of its own ends them.
    #[must_use]
    pub fn of_vendor(&self) -> Option<(u32, impl Iterator<Item = Attribute<'p>> + use<'p>)> {
        let (vendor, inner) = self.value.split_first_chunk::<VENDOR_BYTES>()?;
        let is_for_vendors = self.kind == number::VENDOR_SPECIFIC;
        is_for_vendors.then(|| (u32::from_be_bytes(*vendor), Attributes::new(inner).map_while(Result::ok)))
    }
}
