//! What a `show` or a `stat` says: rows of named values, as a person reads them and as a program does.
//!
//! ```text
//!   Ask or Command ──► fields ─┐
//!                              ├─► Answer ─┬─► text: `1)`, `Label: value`, tab by tab
//!   model, live state ──► rows ┘           └─► JSON: one object, its keys the fields' names
//! ```
//!
//! A row may leave fields out and may be filled in any order; the answer shows them in the order of the fields. Nothing of what a
//! client chose can act on the reader's terminal, see [`visible`].

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use sluice_link::count::Totals;

use crate::catalog::Ask;
use crate::text::visible::{visible, visible_json};

/// What an answer says about each thing: one value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Key in JSON, lowerCamel, with the unit at its end.
    pub name: Cow<'static, str>,
    /// What people read before the colon.
    pub label: Cow<'static, str>,
    /// What stands there.
    pub kind: FieldKind,
    /// What it means, in a line.
    pub help: Cow<'static, str>,
}

/// What stands in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A text.
    Text,
    /// A whole number.
    Number {
        /// What it counts; empty if the label says it.
        unit: Cow<'static, str>,
    },
    /// Yes or no.
    Flag,
    /// Texts.
    List,
    /// Things that belong to this one, such as bindings.
    Rows(Cow<'static, [Field]>),
    /// Things that belong to this one, each a line of a table in text.
    Lines(Cow<'static, [Field]>),
}

impl Field {
    /// A text.
    #[must_use]
    pub const fn text(name: &'static str, label: &'static str, help: &'static str) -> Self {
        Self::new(name, label, FieldKind::Text, help)
    }

    /// A number of `unit`, which may be empty.
    #[must_use]
    pub const fn number(name: &'static str, label: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self::new(name, label, FieldKind::Number { unit: Cow::Borrowed(unit) }, help)
    }

    /// Yes or no.
    #[must_use]
    pub const fn flag(name: &'static str, label: &'static str, help: &'static str) -> Self {
        Self::new(name, label, FieldKind::Flag, help)
    }

    /// Texts.
    #[must_use]
    pub const fn list(name: &'static str, label: &'static str, help: &'static str) -> Self {
        Self::new(name, label, FieldKind::List, help)
    }

    /// Things that belong to this one.
    #[must_use]
    pub const fn rows(name: &'static str, label: &'static str, fields: &'static [Self], help: &'static str) -> Self {
        Self::new(name, label, FieldKind::Rows(Cow::Borrowed(fields)), help)
    }

    /// Things that belong to this one, so many that each has one line only.
    #[must_use]
    pub const fn lines(name: &'static str, label: &'static str, fields: &'static [Self], help: &'static str) -> Self {
        Self::new(name, label, FieldKind::Lines(Cow::Borrowed(fields)), help)
    }

    const fn new(name: &'static str, label: &'static str, kind: FieldKind, help: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), label: Cow::Borrowed(label), kind, help: Cow::Borrowed(help) }
    }
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// Nothing is known or set.
    None,
    /// Nothing is set, and this is what holds then, in words.
    Unset(Cow<'static, str>),
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Texts.
    List(Vec<String>),
    /// Things that belong to this one.
    Rows(Vec<Row>),
}

/// Values of one thing by the names of their fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    data: Vec<(Cow<'static, str>, Datum)>,
}

impl Row {
    /// One that says nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { data: Vec::new() }
    }

    /// Sets a value; one that was there is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, datum: Datum) -> Self {
        self.set(name, datum);
        self
    }

    /// Sets a value; one that was there is replaced.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, datum: Datum) {
        let name = name.into();
        match self.data.iter_mut().find(|(known, _)| *known == name) {
            Some((_, there)) => *there = datum,
            None => self.data.push((name, datum)),
        }
    }

    /// Adds to the things that belong to this one.
    pub fn add(&mut self, name: &'static str, row: Self) {
        match self.data.iter_mut().find(|(known, _)| *known == name) {
            Some((_, Datum::Rows(rows))) => rows.push(row),
            Some((_, there)) => *there = Datum::Rows(vec![row]),
            None => self.data.push((name.into(), Datum::Rows(vec![row]))),
        }
    }

    /// A text.
    #[must_use]
    pub fn text(self, name: &'static str, text: impl Into<String>) -> Self {
        self.with(name, Datum::Text(text.into()))
    }

    /// A text, or nothing.
    #[must_use]
    pub fn maybe(self, name: &'static str, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(self, name: &'static str, number: impl Into<u64>) -> Self {
        self.with(name, Datum::Number(number.into()))
    }

    /// A count of things in memory.
    #[must_use]
    pub fn count(self, name: &'static str, count: usize) -> Self {
        self.with(name, Datum::Number(u64::try_from(count).unwrap_or(u64::MAX)))
    }

    /// Yes or no.
    #[must_use]
    pub fn flag(self, name: &'static str, flag: bool) -> Self {
        self.with(name, Datum::Flag(flag))
    }

    /// Texts.
    #[must_use]
    pub fn list(self, name: &'static str, texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(name, Datum::List(texts.into_iter().map(Into::into).collect()))
    }

    /// Things that belong to this one.
    #[must_use]
    pub fn rows(self, name: &'static str, rows: Vec<Self>) -> Self {
        self.with(name, Datum::Rows(rows))
    }

    /// All counters of the data plane, for an [`Ask`] whose answer has them.
    #[must_use]
    pub fn counters(mut self, totals: &Totals) -> Self {
        for (name, _, _, value) in totals.list() {
            self.set(crate::catalog::lower_camel(name), Datum::Number(value));
        }
        self
    }

    /// The value of a field.
    #[must_use]
    pub fn find(&self, name: &str) -> &Datum {
        self.data.iter().find(|(known, _)| known == name).map_or(&Datum::None, |(_, datum)| datum)
    }

    /// Names and values, in the order in which they were set.
    pub fn data(&self) -> impl Iterator<Item = (&str, &Datum)> {
        self.data.iter().map(|(name, datum)| (&**name, datum))
    }
}

/// How an answer is laid out as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Things with numbers before them, a line for each value.
    Numbered,
    /// One thing, without number.
    Single,
    /// A line for each thing, in columns. What `-summary` asks for.
    Table,
    /// The first value of each row is a line as it stands.
    Lines,
}

/// What a `show` or a `stat` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Key of the rows in JSON.
    pub title: Cow<'static, str>,
    /// How it is laid out as text.
    pub layout: Layout,
    /// What is said about each thing, in this order.
    pub fields: Vec<Field>,
    /// The things.
    pub rows: Vec<Row>,
    /// Names of the fields that a summary is made of; empty: all of them, as far as there is room.
    pub columns: &'static [&'static str],
    /// It is a summary of what can be had in full: columns for which there is no room are left out.
    pub is_summary: bool,
}

/// Characters of a line of a summary: what a window shows beside something else. The first column is always there.
pub const TABLE_CHARS_MAX: usize = 120;

impl Answer {
    /// An answer to `ask`, without rows yet.
    #[must_use]
    pub fn of(ask: &Ask) -> Self {
        Self::about(Cow::Borrowed(ask.title), ask.layout, ask.all_fields(), ask.words)
    }

    /// An answer about what `words` ask for, without rows yet.
    pub(crate) fn about(title: Cow<'static, str>, layout: Layout, fields: Vec<Field>, words: &str) -> Self {
        Self { title, layout, fields, rows: Vec::new(), columns: crate::catalog::columns(words), is_summary: false }
    }

    /// Adds a thing.
    #[must_use]
    pub fn row(mut self, row: Row) -> Self {
        self.push(row);
        self
    }

    /// Adds a thing. That every value has a field is checked in tests and debug builds; in release a stray one is not shown.
    pub fn push(&mut self, row: Row) {
        debug_assert!(
            row.data.iter().all(|(name, _)| self.fields.iter().any(|field| field.name == *name)),
            "{} has no such field: {:?}",
            self.title,
            row.data
                .iter()
                .map(|(name, _)| name)
                .filter(|name| !self.fields.iter().any(|f| f.name == **name))
                .collect::<Vec<_>>()
        );
        self.rows.push(row);
    }

    /// A line for each thing, if there can be several.
    #[must_use]
    pub fn summarised(mut self) -> Self {
        if self.layout == Layout::Numbered {
            self.layout = Layout::Table;
            self.is_summary = true;
        }
        self
    }

    /// As a person reads it; every line ends with a line feed. Without the ` Done` of the command line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        match self.layout {
            Layout::Numbered => numbered(&mut text, &self.fields, &self.rows, ""),
            Layout::Single => self.rows.iter().for_each(|row| values(&mut text, &self.fields, row, "\t", "\t")),
            Layout::Table => {
                let most = if self.is_summary { TABLE_CHARS_MAX } else { usize::MAX };
                table(&mut text, &self.columns(), &self.rows, most);
            }
            Layout::Lines => {
                for datum in self.rows.iter().filter_map(|row| row.data.first()).map(|(_, datum)| datum) {
                    // Lines are ours, and begin with tabs where that helps to read; whatever else acts is shown.
                    match datum {
                        Datum::Text(line) => put(&mut text, &[&line.split('\t').map(visible).collect::<Vec<_>>().join("\t")]),
                        Datum::None | Datum::Unset(_) | Datum::Number(_) | Datum::Flag(_) | Datum::List(_) | Datum::Rows(_) => {
                            put(&mut text, &[&shown(datum, &FieldKind::Text)]);
                        }
                    }
                }
            }
        }
        text
    }

    /// What a table shows of each thing.
    fn columns(&self) -> Vec<&Field> {
        match self.columns {
            _ if !self.is_summary => self.fields.iter().collect(),
            [] => self.fields.iter().collect(),
            names => names.iter().filter_map(|name| self.fields.iter().find(|field| field.name == *name)).collect(),
        }
    }

    /// As a program reads it: one JSON object on one line, without line end. Without rows the key of the rows is missing, as
    /// programs for NetScaler expect.
    #[must_use]
    pub fn json(&self) -> String {
        safe(serde_json::to_string(&Whole(self)))
    }
}

/// What a command that has nothing to tell answers a program.
#[must_use]
pub fn done_json() -> String {
    r#"{"errorcode":0,"message":"Done","severity":"NONE"}"#.to_owned()
}

/// What is shown to programs: nothing in it acts on a terminal.
pub(crate) fn safe(json: Result<String, serde_json::Error>) -> String {
    // Texts and numbers always serialise; an empty object would be the honest answer if they did not.
    visible_json(json.unwrap_or_else(|_| "{}".to_owned()))
}

fn put(text: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| text.push_str(part));
    text.push('\n');
}

fn numbered(text: &mut String, fields: &[Field], rows: &[Row], indent: &str) {
    for (at, row) in rows.iter().enumerate() {
        values(text, fields, row, &format!("{indent}{})\t", at + 1), &format!("{indent}\t"));
    }
}

/// A line for each value: the first begins with `first`, the others with `indent`.
fn values(text: &mut String, fields: &[Field], row: &Row, first: &str, indent: &str) {
    let mut begin = first;
    for field in fields {
        let datum = row.find(&field.name);
        match &field.kind {
            FieldKind::Rows(inner) => {
                if let Datum::Rows(rows) = datum
                    && !rows.is_empty()
                {
                    put(text, &[begin, &field.label, ":"]);
                    numbered(text, inner, rows, indent);
                    begin = indent;
                }
            }
            FieldKind::Lines(inner) => {
                if let Datum::Rows(rows) = datum
                    && !rows.is_empty()
                {
                    put(text, &[begin, &field.label, ":"]);
                    let mut lines = String::new();
                    table(&mut lines, &inner.iter().collect::<Vec<_>>(), rows, usize::MAX);
                    lines.lines().for_each(|line| put(text, &[indent, "\t", line]));
                    begin = indent;
                }
            }
            FieldKind::Text | FieldKind::Number { .. } | FieldKind::Flag | FieldKind::List => {
                put(text, &[begin, &field.label, ": ", &shown(datum, &field.kind)]);
                begin = indent;
            }
        }
    }
}

fn shown<'d>(datum: &'d Datum, kind: &FieldKind) -> Cow<'d, str> {
    match datum {
        Datum::None => Cow::Borrowed(""),
        Datum::Unset(words) => Cow::Owned(format!("({})", visible(words))),
        Datum::Text(text) => visible(text),
        Datum::Number(number) => match kind {
            FieldKind::Number { unit } if !unit.is_empty() => Cow::Owned(format!("{number} {unit}")),
            FieldKind::Number { .. }
            | FieldKind::Text
            | FieldKind::Flag
            | FieldKind::List
            | FieldKind::Rows(_)
            | FieldKind::Lines(_) => Cow::Owned(number.to_string()),
        },
        Datum::Flag(flag) => Cow::Borrowed(if *flag { "YES" } else { "NO" }),
        Datum::List(texts) => Cow::Owned(texts.iter().map(|text| visible(text)).collect::<Vec<_>>().join(", ")),
        Datum::Rows(rows) => Cow::Owned(rows.len().to_string()),
    }
}

/// Columns as wide as what stands in them, as many as there is room for; the last one hangs out.
fn table(text: &mut String, fields: &[&Field], rows: &[Row], chars_max: usize) {
    if rows.is_empty() {
        return;
    }
    let head = fields.iter().map(|field| field.label.to_string()).collect::<Vec<_>>();
    let mut lines = vec![head];
    for row in rows {
        lines.push(fields.iter().map(|field| shown(row.find(&field.name), &field.kind).into_owned()).collect());
    }
    let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let mut room = chars_max.saturating_add(BETWEEN.len());
    let fits = |(at, width): &(usize, usize)| {
        let takes = width + BETWEEN.len();
        let fits = *at == 0 || takes <= room;
        room = room.saturating_sub(takes);
        fits
    };
    let widths: Vec<usize> = (0..fields.len()).map(width).enumerate().take_while(fits).map(|(_, width)| width).collect();
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        put(text, &[cells.join(BETWEEN).trim_end()]);
    }
}

/// What stands between two columns.
const BETWEEN: &str = "  ";

struct Whole<'a>(&'a Answer);

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("errorcode", &0)?;
        map.serialize_entry("message", "Done")?;
        map.serialize_entry("severity", "NONE")?;
        if !self.0.rows.is_empty() {
            map.serialize_entry(&*self.0.title, &Rows(&self.0.fields, &self.0.rows))?;
        }
        map.end()
    }
}

struct Rows<'a>(&'a [Field], &'a [Row]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.1.len()))?;
        for row in self.1 {
            list.serialize_element(&One(self.0, row))?;
        }
        list.end()
    }
}

struct One<'a>(&'a [Field], &'a Row);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for field in self.0 {
            let name = &*field.name;
            match self.1.find(name) {
                Datum::None | Datum::Unset(_) => map.serialize_entry(name, &())?,
                Datum::Text(text) => map.serialize_entry(name, text)?,
                Datum::Number(number) => map.serialize_entry(name, number)?,
                Datum::Flag(flag) => map.serialize_entry(name, flag)?,
                Datum::List(texts) => map.serialize_entry(name, texts)?,
                Datum::Rows(rows) => {
                    let fields = match &field.kind {
                        FieldKind::Rows(fields) | FieldKind::Lines(fields) => &**fields,
                        FieldKind::Text | FieldKind::Number { .. } | FieldKind::Flag | FieldKind::List => &[],
                    };
                    map.serialize_entry(name, &Rows(fields, rows))?;
                }
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::visible::is_unseen;

    const BINDINGS: &[Field] = &[Field::text("staServer", "Sta server", ""), Field::flag("staInsecure", "Sta insecure", "")];

    fn answer(rows: Vec<Row>) -> Answer {
        let fields = vec![
            Field::text("name", "Name", ""),
            Field::number("ageSeconds", "Age", "seconds", ""),
            Field::list("groups", "Groups", ""),
            Field::rows("bindings", "Bindings", BINDINGS, ""),
        ];
        Answer { title: "vpnVserver".into(), layout: Layout::Numbered, fields, rows, columns: &[], is_summary: false }
    }

    fn two() -> Answer {
        let sta = Row::new().flag("staInsecure", false).text("staServer", "https://a");
        answer(vec![
            Row::new().list("groups", ["g", "h"]).number("ageSeconds", 5_u32).text("name", "gw").rows("bindings", vec![sta]),
            Row::new().text("name", "b").with("groups", Datum::Unset("nobody's".into())),
        ])
    }

    #[test]
    fn people_read_labels() {
        assert_eq!(
            two().text(),
            "1)\tName: gw\n\tAge: 5 seconds\n\tGroups: g, h\n\tBindings:\n\t1)\tSta server: https://a\n\t\tSta insecure: NO\n\
             2)\tName: b\n\tAge: \n\tGroups: (nobody's)\n"
        );
        assert_eq!(
            two().summarised().text(),
            "Name  Age        Groups      Bindings\ngw    5 seconds  g, h        1\nb                (nobody's)\n"
        );
        assert_eq!(answer(Vec::new()).text(), "");
        let chosen = Answer { columns: &["ageSeconds", "name", "nothing"], ..two() };
        assert_eq!(chosen.summarised().text(), "Age        Name\n5 seconds  gw\n           b\n");
        // As many columns as there is room for, and the first in any case.
        let long = |name: usize, group: usize| {
            let row = Row::new().text("name", "n".repeat(name)).list("groups", ["g".repeat(group)]);
            answer(vec![row]).summarised().text()
        };
        let head =
            |text: String| text.lines().next().unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(head(long(9, 96)), ["Name", "Age", "Groups"]);
        assert_eq!(head(long(9, TABLE_CHARS_MAX)), ["Name", "Age"]);
        assert_eq!(head(long(TABLE_CHARS_MAX + 1, 1)), ["Name"]);
        // What is a table in any case is shown whole: there is no other way to see it.
        let whole = Answer { layout: Layout::Table, ..answer(vec![Row::new().text("name", "n".repeat(TABLE_CHARS_MAX))]) };
        assert_eq!(head(whole.text()), ["Name", "Age", "Groups", "Bindings"]);
    }

    #[test]
    fn programs_read_keys() {
        assert_eq!(
            two().json(),
            r#"{"errorcode":0,"message":"Done","severity":"NONE","vpnVserver":[{"name":"gw","ageSeconds":5,"groups":["g","h"],"bindings":[{"staServer":"https://a","staInsecure":false}]},{"name":"b","ageSeconds":null,"groups":null,"bindings":null}]}"#
        );
        assert_eq!(answer(Vec::new()).json(), done_json());
    }

    proptest! {
        #[test]
        fn nothing_acts_on_a_terminal(name in any::<String>(), group in any::<String>()) {
            let answer = answer(vec![Row::new().text("name", name.clone()).list("groups", [group])]);
            for text in [answer.text(), answer.clone().summarised().text(), answer.json()] {
                prop_assert!(!text.chars().any(|c| is_unseen(c) && c != '\n' && c != '\t'), "{text:?}");
            }
            let read: serde_json::Value = serde_json::from_str(&answer.json()).unwrap();
            prop_assert_eq!(read["vpnVserver"][0]["name"].as_str(), Some(name.as_str()));
        }
    }
}
