//! One thing to be logged, with everything bounded before it is encoded.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Longest value of a field, in bytes; what is cut off is shown as `…`.
pub(super) const FIELD_BYTES_MAX: usize = 1024;
/// Most fields of a record.
pub(super) const FIELDS_MAX: usize = 32;
/// Bytes of all values together; fields beyond are left out, which the record says.
pub(super) const RECORD_BYTES_MAX: usize = 8192;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Text of anybody's choosing.
    Text(String),
    /// A number that is not negative.
    Natural(u64),
    /// A number that may be.
    Integer(i64),
    /// A fraction.
    Fraction(f64),
    /// Yes or no.
    Flag(bool),
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) at: SystemTime,
    pub(super) level: Level,
    /// What happened, in words of ours.
    pub(super) message: String,
    /// To whom and how, in the order of the call.
    pub(super) fields: Vec<(&'static str, Value)>,
    /// Fields left out since the record was too long.
    pub(super) left_out: u64,
    pub(super) bytes: usize,
}

impl Record {
    /// What `event` says.
    pub(super) fn of(event: &Event<'_>, at: SystemTime) -> Self {
        let mut record = Self::new(*event.metadata().level(), at);
        event.record(&mut record);
        record
    }

    pub(super) fn new(level: Level, at: SystemTime) -> Self {
        Self { at, level, message: String::new(), fields: Vec::new(), left_out: 0, bytes: 0 }
    }

    fn put(&mut self, field: &Field, value: Value) {
        let length = if let Value::Text(text) = &value { text.len() } else { 8 };
        if self.fields.len() >= FIELDS_MAX || self.bytes + length > RECORD_BYTES_MAX {
            self.left_out += 1;
            return;
        }
        self.bytes += length;
        match (field.name(), value) {
            ("message", Value::Text(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Bounded::default();
        let _ = text.write_str(value);
        self.put(field, Value::Text(text.done()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Bounded::default();
        // It stops with an error when it is full, which is what it is for.
        let _ = write!(text, "{value:?}");
        self.put(field, Value::Text(text.done()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Natural(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Integer(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::Fraction(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Flag(value));
    }
}

/// Text that stops to grow at [`FIELD_BYTES_MAX`].
#[derive(Default)]
struct Bounded {
    text: String,
    cut: bool,
}

impl Bounded {
    fn done(mut self) -> String {
        if self.cut {
            self.text.push('…');
        }
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = FIELD_BYTES_MAX - self.text.len();
        if more.len() <= room {
            self.text.push_str(more);
            return Ok(());
        }
        let end = (0..=room).rev().find(|at| more.is_char_boundary(*at)).unwrap_or_default();
        self.text.push_str(more.get(..end).unwrap_or_default());
        self.cut = true;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_between_characters_and_says_so() {
        for (text, kept) in [("x".repeat(FIELD_BYTES_MAX), FIELD_BYTES_MAX), ("日".repeat(1000), FIELD_BYTES_MAX / 3 * 3)] {
            let mut bounded = Bounded::default();
            let _ = bounded.write_str(&text);
            let done = bounded.done();
            assert_eq!(done.trim_end_matches('…').len(), kept);
            assert_eq!(done.ends_with('…'), text.len() > FIELD_BYTES_MAX);
        }
    }
}
