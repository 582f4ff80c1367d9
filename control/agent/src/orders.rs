//! What a gateway wants to be done on this machine before it is looked at: processes ended, files deleted. It is shown, and never done.
//!
//! A machine's owner decides what ends on it. Gateways that insist find out from the scan itself whether the process runs.

use gate_proto::epa::envelope::Envelope;

/// The header that carries it, in the envelope of the question: `kill=…&delete=…`.
pub const HEADER: &str = "x-sluicegate-epa-actions";
/// Most orders that are shown.
pub const ORDERS_MAX: usize = 64;

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// End processes of this name.
    Kill(String),
    /// Delete this file.
    Delete(String),
    /// Something else, or something that cannot be read.
    Unclear,
}

/// Reads the header's value; at most [`ORDERS_MAX`]. What cannot be read is an order, too: the user is told that there was one.
#[must_use]
pub fn read(payload: &[u8], envelope: &Envelope) -> Vec<Order> {
    let opened;
    let text = if payload.contains(&b'=') && (payload.starts_with(b"kill=") || payload.starts_with(b"delete=")) {
        payload
    } else {
        match envelope.open(payload) {
            Ok(bytes) => {
                opened = bytes;
                &opened[..]
            }
            Err(_) => return vec![Order::Unclear],
        }
    };
    text.split(|byte| *byte == b'&').take(ORDERS_MAX).map(order).collect()
}

fn order(field: &[u8]) -> Order {
    let mut halves = field.splitn(2, |byte| *byte == b'=');
    let (name, value) = (halves.next().unwrap_or_default(), halves.next().and_then(decoded));
    match (name, value) {
        (b"kill", Some(value)) => Order::Kill(value),
        (b"delete", Some(value)) => Order::Delete(value),
        _ => Order::Unclear,
    }
}

/// A value of a form. `None` if it is not one.
fn decoded(value: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.iter();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16)).and_then(|n| u8::try_from(n).ok());
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit()? << 4 | digit()?,
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_to_be_shown() {
        let envelope = Envelope::derive("981005eef29ce34c80f535f9e78f4b4d", b"1498797356", b"vpn.example.com").unwrap();
        let wanted = [Order::Kill("a b".into()), Order::Delete("/tmp/ü".into())];
        let text = b"kill=a+b&delete=%2Ftmp%2F%C3%BC";
        assert_eq!(read(text, &envelope), wanted);
        assert_eq!(read(envelope.seal(text).unwrap().as_bytes(), &envelope), wanted);
        for bad in [&b"kill=%2"[..], b"kill=%FF", b"delete", b"!!", b""] {
            assert_eq!(read(bad, &envelope), [Order::Unclear], "{bad:?}");
        }
        assert_eq!(read(&b"kill=a&".repeat(1000), &envelope).len(), ORDERS_MAX);
    }
}
