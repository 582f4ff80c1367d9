//! A record as one line, whatever is in it.
//!
//! * Text: `2026-11-22T23:59:59.123456Z INFO message key=value key="two words"`. Under journald its priority stands in front
//!   instead of the time, which the journal writes itself.
//! * JSON: one object, `time`, `level`, `message`, then the fields; what could act on a terminal is escaped as JSON escapes it,
//!   so that it reads back equal.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;

use gate_config::text::time::Utc;
use gate_config::text::visible::{is_unseen, visible, visible_json};
use tracing::Level;

use super::record::{Record, Value};

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// For people, in a file or a pipe.
    Text,
    /// For people at a terminal that shows colours.
    Colour,
    /// For the journal.
    Journal,
    /// For machines.
    Json,
}

impl Style {
    /// What suits standard error as it is.
    pub(super) fn of_stderr() -> Self {
        if goes_to_journal() {
            Self::Journal
        } else if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
            Self::Colour
        } else {
            Self::Text
        }
    }
}

/// systemd says in `JOURNAL_STREAM` which device and inode its journal reads; only if that is our standard error is it the journal.
fn goes_to_journal() -> bool {
    let Some((device, inode)) = std::env::var("JOURNAL_STREAM").ok().and_then(|said| {
        let (device, inode) = said.split_once(':')?;
        Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?))
    }) else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|facts| facts.dev() == device && facts.ino() == inode)
}

/// The line, with its end.
pub(super) fn line(record: &Record, style: Style) -> String {
    let mut line = match style {
        Style::Json => json(record),
        Style::Text | Style::Colour | Style::Journal => text(record, style),
    };
    line.push('\n');
    line
}

fn text(record: &Record, style: Style) -> String {
    let mut line = String::with_capacity(256);
    let (word, colour, priority) = match record.level {
        Level::ERROR => ("ERROR", 31, 3),
        Level::WARN => ("WARN", 33, 4),
        Level::INFO => ("INFO", 32, 6),
        Level::DEBUG => ("DEBUG", 34, 7),
        Level::TRACE => ("TRACE", 35, 7),
    };
    let _ = match style {
        Style::Journal => write!(line, "<{priority}>"),
        Style::Colour => write!(line, "\u{1b}[2m{}\u{1b}[0m \u{1b}[{colour}m{word:5}\u{1b}[0m ", Utc::from(record.at)),
        Style::Text | Style::Json => write!(line, "{} {word:5} ", Utc::from(record.at)),
    };
    line.push_str(&visible(&record.message));
    for (name, value) in &record.fields {
        let _ = match style {
            Style::Colour => write!(line, " \u{1b}[2m{name}=\u{1b}[0m"),
            Style::Text | Style::Journal | Style::Json => write!(line, " {name}="),
        };
        match value {
            Value::Text(text) => word_into(&mut line, text),
            Value::Natural(number) => drop(write!(line, "{number}")),
            Value::Integer(number) => drop(write!(line, "{number}")),
            Value::Fraction(number) => drop(write!(line, "{number}")),
            Value::Flag(flag) => drop(write!(line, "{flag}")),
        }
    }
    if record.left_out > 0 {
        let _ = write!(line, " fields_left_out={}", record.left_out);
    }
    line
}

/// A value as one word: in quotes if it is empty or has anything in it at which a reader could cut it wrongly.
fn word_into(line: &mut String, text: &str) {
    let plain = |c: char| !c.is_whitespace() && !is_unseen(c) && !matches!(c, '"' | '\\' | '=');
    if !text.is_empty() && text.chars().all(plain) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if is_unseen(c) => drop(write!(line, "\\u{{{:x}}}", u32::from(c))),
            c => line.push(c),
        }
    }
    line.push('"');
}

fn json(record: &Record) -> String {
    let mut object = serde_json::Map::new();
    object.insert("time".to_owned(), Utc::from(record.at).to_string().into());
    object.insert("level".to_owned(), record.level.as_str().into());
    object.insert("message".to_owned(), record.message.as_str().into());
    for (name, value) in &record.fields {
        let value = match value {
            Value::Text(text) => text.as_str().into(),
            Value::Natural(number) => (*number).into(),
            Value::Integer(number) => (*number).into(),
            Value::Fraction(number) => (*number).into(),
            Value::Flag(flag) => (*flag).into(),
        };
        // A field that is called like one of ours must not take its place.
        let name = if matches!(*name, "time" | "level" | "message") { format!("field_{name}") } else { (*name).to_owned() };
        object.insert(name, value);
    }
    if record.left_out > 0 {
        object.insert("fields_left_out".to_owned(), record.left_out.into());
    }
    visible_json(serde_json::Value::Object(object).to_string())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    fn record(message: &str, fields: Vec<(&'static str, Value)>) -> Record {
        let at = UNIX_EPOCH + Duration::from_micros(1_795_391_999_123_456);
        Record { message: message.to_owned(), fields, ..Record::new(Level::INFO, at) }
    }

    #[test]
    fn lines_look_as_documented() {
        let fields = vec![
            ("user", Value::Text("ann".into())),
            ("resource", Value::Text("two \"words\"\n".into())),
            ("empty", Value::Text(String::new())),
            ("bytes", Value::Natural(7)),
            ("up", Value::Flag(true)),
        ];
        let record = record("session started", fields);
        assert_eq!(
            line(&record, Style::Text),
            "2026-11-22T23:59:59.123456Z INFO  session started user=ann resource=\"two \\\"words\\\"\\u{a}\" empty=\"\" bytes=7 up=true\n"
        );
        assert!(line(&record, Style::Journal).starts_with("<6>session started user=ann"));
        assert!(line(&record, Style::Colour).contains("\u{1b}[32mINFO \u{1b}[0m"));
        let json: serde_json::Value = serde_json::from_str(&line(&record, Style::Json)).unwrap();
        assert_eq!(json["time"], "2026-11-22T23:59:59.123456Z");
        assert_eq!(json["resource"], "two \"words\"\n");
        assert_eq!(json["bytes"], 7);
    }

    #[test]
    fn a_field_does_not_take_the_place_of_ours() {
        let record = record("m", vec![("level", Value::Text("ERROR".into()))]);
        let json: serde_json::Value = serde_json::from_str(&line(&record, Style::Json)).unwrap();
        assert_eq!((&json["level"], &json["field_level"]), (&"INFO".into(), &"ERROR".into()));
    }

    proptest! {
        /// Whatever is logged: one line, nothing in it that acts, and JSON reads back what was said.
        #[test]
        fn no_value_forges_a_line(message in any::<String>(), value in any::<String>(), wild in "[\\x00-\\xff\u{2028}\u{202e}\u{e0001}\"\\\\= ]{0,40}") {
            let record = record(&message, vec![("one", Value::Text(value.clone())), ("two", Value::Text(wild.clone()))]);
            for style in [Style::Text, Style::Journal, Style::Json] {
                let line = line(&record, style);
                prop_assert_eq!(line.find(is_unseen), Some(line.len() - 1), "{:?}", style);
            }
            let json: serde_json::Value = serde_json::from_str(&line(&record, Style::Json)).unwrap();
            prop_assert_eq!(&json["message"], &message);
            prop_assert_eq!(&json["one"], &value);
            prop_assert_eq!(&json["two"], &wild);
        }

        /// A word in text ends where it seems to end: cutting at ` key=` outside of quotes gives back what was put in.
        #[test]
        fn a_value_stays_within_its_word(value in any::<String>()) {
            let mut line = String::new();
            word_into(&mut line, &value);
            if line.starts_with('"') {
                let inner = &line[1..line.len() - 1];
                let mut escaped = false;
                let ends_early = inner.chars().any(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                prop_assert!(!ends_early && !escaped && line.ends_with('"'));
            } else {
                prop_assert!(!line.contains(|c: char| c.is_whitespace() || c == '"' || c == '='));
            }
        }
    }
}
