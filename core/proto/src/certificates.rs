//! The certificates that a client has shown, as they travel to control behind a PROXY header: its own first, issuers follow.
//!
//! ```text
//!   length   DER       two bytes, big-endian, then so many; the next one follows at once
//! ```
//!
//! What is in them is judged elsewhere. Here only their number and their sizes are.

use thiserror::Error;

use crate::reader::Reader;

/// Most certificates of one client.
pub const CERTIFICATES_MAX: usize = 6;
/// Most bytes of all of them with their lengths.
pub const CERTIFICATES_BYTES_MAX: usize = 16 * 1024;

/// Certificates in this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificates<'c>(&'c [u8]);

/// Bytes that are no such list, or certificates that do not fit into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not 1 to {CERTIFICATES_MAX} certificates of {CERTIFICATES_BYTES_MAX} bytes at most")]
pub struct NotCertificates;

impl<'c> Certificates<'c> {
    /// Reads a list to its end.
    ///
    /// # Errors
    /// [`NotCertificates`].
    pub fn read(bytes: &'c [u8]) -> Result<Self, NotCertificates> {
        if bytes.len() > CERTIFICATES_BYTES_MAX {
            return Err(NotCertificates);
        }
        let mut reader = Reader::new(bytes);
        let mut count = 0;
        while !reader.is_empty() {
            let length = reader.u16().map_err(|_| NotCertificates)?;
            reader.take(usize::from(length)).map_err(|_| NotCertificates)?;
            count += 1;
            if length == 0 || count > CERTIFICATES_MAX {
                return Err(NotCertificates);
            }
        }
        if count == 0 { Err(NotCertificates) } else { Ok(Self(bytes)) }
    }

    /// Each in DER, the client's own first.
    pub fn iter(&self) -> impl Iterator<Item = &'c [u8]> + use<'c> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || {
            let length = reader.u16().ok()?;
            reader.take(usize::from(length)).ok()
        })
    }

    /// As they travel.
    #[must_use]
    pub fn as_bytes(&self) -> &'c [u8] {
        self.0
    }
}

/// Writes a list.
///
/// # Errors
/// [`NotCertificates`] if it would not read back.
pub fn write<'c>(certificates: impl Iterator<Item = &'c [u8]>) -> Result<Box<[u8]>, NotCertificates> {
    let mut list = Vec::new();
    for certificate in certificates {
        let length = u16::try_from(certificate.len()).map_err(|_| NotCertificates)?;
        if list.len() + 2 + certificate.len() > CERTIFICATES_BYTES_MAX {
            return Err(NotCertificates);
        }
        list.extend_from_slice(&length.to_be_bytes());
        list.extend_from_slice(certificate);
    }
    Certificates::read(&list)?;
    Ok(list.into())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_has_these_bytes() {
        let list = write([&b"abc"[..], b"d"].into_iter()).unwrap();
        assert_eq!(&*list, b"\0\x03abc\0\x01d");
        let read = Certificates::read(&list).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), [&b"abc"[..], b"d"]);
    }

    #[test]
    fn number_and_size_are_bounded() {
        let long = vec![0; CERTIFICATES_BYTES_MAX - 2];
        let _ = write([&long[..]].into_iter()).unwrap();
        for wrong in [vec![], vec![&b""[..]], vec![&long[..], b"a"], vec![&b"a"[..]; CERTIFICATES_MAX + 1]] {
            assert_eq!(write(wrong.into_iter()), Err(NotCertificates));
        }
        let too_long = vec![0; CERTIFICATES_BYTES_MAX + 1];
        for bytes in [&b""[..], b"\0", b"\0\0", b"\0\x02a", b"\0\x01ab", &[0, 1, 7].repeat(CERTIFICATES_MAX + 1), &too_long] {
            assert_eq!(Certificates::read(bytes), Err(NotCertificates));
        }
    }

    proptest! {
        #[test]
        fn a_list_reads_back(list in vec(vec(any::<u8>(), 1..64), 1..=CERTIFICATES_MAX), cut in 0usize..400) {
            let bytes = write(list.iter().map(Vec::as_slice)).unwrap();
            let read: Vec<_> = Certificates::read(&bytes).unwrap().iter().map(<[u8]>::to_vec).collect();
            prop_assert_eq!(&read, &list);
            if let Ok(fewer) = Certificates::read(&bytes[..cut % bytes.len()]) {
                prop_assert!(fewer.iter().zip(&list).all(|(a, b)| a == b) && fewer.iter().count() < list.len());
            }
        }

        #[test]
        fn nothing_panics(bytes in vec(any::<u8>(), 0..80)) {
            if let Ok(read) = Certificates::read(&bytes) {
                prop_assert!((1..=CERTIFICATES_MAX).contains(&read.iter().count()));
            }
        }
    }
}
