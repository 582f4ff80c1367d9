//! What a gateway wants to be done on this machine before it is looked at: processes ended, files deleted.
//!
//! Here it is only read. Whether it is done is decided by the machine's owner and its user: [`crate::deeds`].

use gate_proto::epa::envelope::Envelope;

/// The header that carries it, in the envelope of the question: `kill=…&delete=…`.
pub const HEADER: &str = "x-sluicegate-epa-actions";
/// Most orders that are read: 32 of each kind, as a gateway of ours sends them.
pub const ORDERS_MAX: usize = 64;
/// Longest order, in bytes.
pub const ORDER_BYTES_MAX: usize = 260;
/// What stands for several, or for something else, to somebody: a shell, a list, another system.
const UNPLAIN: [char; 20] =
    ['*', '?', '[', ']', '{', '}', '%', '$', '~', '"', '\'', '`', ';', '|', '<', '>', '&', ',', '\\', ':'];

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

/// Reads the header's value. What cannot be read is an order, too: the user is told that there was one. Of too many all are unclear.
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
    let mut orders: Vec<Order> = Vec::new();
    for order in text.split(|byte| *byte == b'&').map(order) {
        if orders.len() == ORDERS_MAX {
            return vec![Order::Unclear];
        }
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
    orders
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

impl Order {
    /// Whether it names one thing and nothing else: a process without a path, or a file by its whole path.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        match self {
            Self::Kill(name) => is_process(name),
            Self::Delete(path) => is_file(path),
            Self::Unclear => false,
        }
    }
}

/// Whether `text` names processes by one name: no path, nothing that stands for several.
#[must_use]
pub fn is_process(text: &str) -> bool {
    is_plain(text) && !text.contains('/') && !matches!(text, "." | "..")
}

/// Whether `text` is the whole path of one file: no `.` and `..`, nothing that stands for several.
#[must_use]
pub fn is_file(text: &str) -> bool {
    let parts = |whole: &str| whole.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    is_plain(text) && text.strip_prefix('/').is_some_and(parts)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= ORDER_BYTES_MAX && !text.contains(UNPLAIN) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read() {
        let envelope = Envelope::derive("981005eef29ce34c80f535f9e78f4b4d", b"1498797356", b"vpn.example.com").unwrap();
        let wanted = [Order::Kill("a b".into()), Order::Delete("/tmp/ü".into())];
        let text = b"kill=a+b&delete=%2Ftmp%2F%C3%BC&kill=a+b";
        assert_eq!(read(text, &envelope), wanted);
        assert_eq!(read(envelope.seal(text).unwrap().as_bytes(), &envelope), wanted);
        for bad in [&b"kill=%2"[..], b"kill=%FF", b"delete", b"!!", b""] {
            assert_eq!(read(bad, &envelope), [Order::Unclear], "{bad:?}");
        }
        let many = |count: usize| (0..count).map(|n| format!("kill=a{n}")).collect::<Vec<_>>().join("&");
        assert_eq!(read(many(ORDERS_MAX).as_bytes(), &envelope).len(), ORDERS_MAX);
        assert_eq!(read(many(ORDERS_MAX + 1).as_bytes(), &envelope), [Order::Unclear], "of too many none");
    }

    #[test]
    fn only_what_names_one_thing_is_plain() {
        for good in ["notepad", "firefox-esr", "My Program", "notepad.exe", "プログラム"] {
            assert!(is_process(good), "{good}");
        }
        for bad in [
            "", ".", "..", "*", "a*", "a?", "[ab]", "{a,b}", "/bin/sh", "../sh", "a;b", "$HOME", "%TEMP%", "a\nb", "a|b", "a\0",
            "~",
        ] {
            assert!(!is_process(bad), "{bad:?}");
        }
        for good in ["/a", "/opt/x/y.txt", "/tmp/a b", "/tmp/..a"] {
            assert!(is_file(good), "{good}");
        }
        for bad in [
            "", "/", "x", "./x", "../x", "~/x", "/a/", "/a//b", "//a", "/a/./b", "/a/../b", "/a/..", "/tmp/*", "/a\0b", "C:\\x",
            "/a\\b", "/a\nb",
        ] {
            assert!(!is_file(bad), "{bad:?}");
        }
        assert!(!is_file(&format!("/{}", "x".repeat(ORDER_BYTES_MAX))));
        assert!(Order::Kill("a".into()).is_plain() && !Order::Kill("/a".into()).is_plain() && !Order::Unclear.is_plain());
    }
}
