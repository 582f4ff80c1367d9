//! JSON answers as a JSON Schema, and a reader of such schemas that is just large enough to hold real answers against it.
//!
//! ```text
//!   asks, commands ─► schema() ─► docs/config/answers.schema.json
//!                        │
//!   a real answer ───────┴─► validate(): does it say what is documented, and nothing else?
//! ```

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::answer::{Field, FieldKind};
use crate::catalog::resolve::{Place, Target, ways};
use crate::catalog::{lower_camel, show_positionals};
use crate::show;

/// Name of the definition of an answer that says what went wrong.
pub const ERROR: &str = "error";

/// The schema of all answers: one definition for each command, by its words in full, and one for errors.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    definitions.insert(ERROR.to_owned(), problem());
    definitions.insert("done".to_owned(), answer(None));
    for way in ways(Place::Console).iter().filter(|way| !way.short) {
        let words = [way.verb, way.group, way.object].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let definition = match way.target {
            Target::Form(..) => continue,
            Target::Show(command) => {
                let one = show_positionals(command).is_empty();
                answer(Some((&lower_camel(command.words), rows(&show::fields(command), one))))
            }
            Target::Ask(ask) => answer(Some((ask.title, rows(&ask.all_fields(), false)))),
        };
        definitions.insert(words, definition);
    }
    let any: Vec<Value> = definitions.keys().map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Written from the catalogue of commands (control/config/src/catalog); `UPDATE=1 cargo test -p gate-config` writes this file.",
        "title": "Answers of the control socket with -format json",
        "anyOf": any,
        "$defs": definitions,
    })
}

/// The text of the schema's file: a line for each definition, so that a change shows where it is.
#[must_use]
pub(crate) fn text() -> String {
    let mut schema = schema();
    let definitions = schema.as_object_mut().and_then(|schema| schema.remove("$defs")).unwrap_or_default();
    let lines =
        definitions.as_object().into_iter().flatten().map(|(name, definition)| format!("{}:{definition}", Value::from(&**name)));
    let head = schema.to_string();
    format!("{},\"$defs\":{{\n{}\n}}}}\n", head.trim_end_matches('}'), lines.collect::<Vec<_>>().join(",\n"))
}

/// A success, with the rows of its key. Without rows the key is missing.
fn answer(rows: Option<(&str, Value)>) -> Value {
    let mut properties = json!({
        "errorcode": { "const": 0 },
        "message": { "const": "Done" },
        "severity": { "enum": ["NONE", "WARNING"] },
        "warnings": { "type": "array", "items": { "$ref": "#/$defs/error" } },
    });
    if let (Some((title, rows)), Some(properties)) = (rows, properties.as_object_mut()) {
        properties.insert(title.to_owned(), rows);
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": ["errorcode", "message", "severity"],
        "additionalProperties": false,
    })
}

fn problem() -> Value {
    let place = || json!({ "type": ["integer", "null"], "minimum": 0 });
    json!({
        "type": "object",
        "description": "What went wrong, or with severity WARNING what is worth knowing.",
        "properties": {
            "errorcode": { "type": "integer", "minimum": 1 },
            "message": { "type": "string" },
            "severity": { "enum": ["ERROR", "WARNING"] },
            "about": { "type": "string", "description": "The word or name that it is about; empty if it is about everything." },
            "cause": { "type": "string" },
            "hint": { "type": ["string", "null"] },
            "line": place(),
            "column": place(),
            "width": place(),
            "shown": { "type": ["string", "null"], "description": "The line, with its secrets masked." },
        },
        "required": ["errorcode", "message", "severity", "about", "cause", "hint", "line", "column", "width", "shown"],
        "additionalProperties": false,
    })
}

fn rows(fields: &[Field], one: bool) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let property = match &field.kind {
            FieldKind::Text => json!({ "type": ["string", "null"] }),
            FieldKind::Number { .. } => json!({ "type": ["integer", "null"], "minimum": 0 }),
            FieldKind::Flag => json!({ "type": ["boolean", "null"] }),
            FieldKind::List => json!({ "type": ["array", "null"], "items": { "type": "string" } }),
            FieldKind::Rows(inner) | FieldKind::Lines(inner) => {
                let mut rows = rows(inner, false);
                if let Some(rows) = rows.as_object_mut() {
                    rows.insert("type".to_owned(), json!(["array", "null"]));
                }
                rows
            }
        };
        properties.insert(field.name.to_string(), property);
    }
    let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
    let mut rows = json!({
        "type": "array",
        "items": { "type": "object", "properties": properties, "required": names, "additionalProperties": false },
    });
    if let (true, Some(rows)) = (one, rows.as_object_mut()) {
        rows.insert("maxItems".to_owned(), 1.into());
    }
    rows
}

/// Why an answer is not as documented: where, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {what}")]
pub struct Differs {
    /// Where: `/vpnVserver/0/name`.
    pub at: String,
    /// What is wrong there.
    pub what: String,
}

/// Holds an answer against the definition of `words`: `show vpn vserver`, or [`ERROR`].
///
/// # Errors
/// [`Differs`] with the first difference.
pub fn validate(answer: &str, words: &str) -> Result<(), Differs> {
    let differs = |what: String| Differs { at: "/".to_owned(), what };
    let schema = schema();
    let definition =
        schema.get("$defs").and_then(|defs| defs.get(words)).ok_or_else(|| differs(format!("no answer of {words} is known")))?;
    let answer: Value = serde_json::from_str(answer).map_err(|why| differs(format!("no JSON: {why}")))?;
    fits(&schema, definition, &answer, "")
}

/// The part of JSON Schema that [`schema`] uses. A word that is not known here is an error, so that nothing is left unchecked.
fn fits(whole: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), Differs> {
    let differs = |what: String| Err(Differs { at: if at.is_empty() { "/".to_owned() } else { at.to_owned() }, what });
    let Some(rules) = schema.as_object() else { return differs("the schema is no object".to_owned()) };
    for (word, rule) in rules {
        match word.as_str() {
            "description" => {}
            "$ref" => {
                let name = rule.as_str().and_then(|name| name.strip_prefix("#/$defs/")).unwrap_or_default();
                match whole.get("$defs").and_then(|defs| defs.get(name)) {
                    Some(definition) => fits(whole, definition, value, at)?,
                    None => return differs(format!("there is no definition {name}")),
                }
            }
            "const" if rule != value => return differs(format!("{value} is not {rule}")),
            "enum" if !rule.as_array().is_some_and(|words| words.contains(value)) => {
                return differs(format!("{value} is none of {rule}"));
            }
            "minimum" if value.is_i64() && value.as_i64() < rule.as_i64() => {
                return differs(format!("{value} is less than {rule}"));
            }
            "maxItems" if value.as_array().is_some_and(|items| u64::try_from(items.len()).ok() > rule.as_u64()) => {
                return differs(format!("there are more than {rule}"));
            }
            "type" => {
                let is = |name: &Value| name.as_str().is_some_and(|name| is_of(value, name));
                if !(is(rule) || rule.as_array().is_some_and(|names| names.iter().any(is))) {
                    return differs(format!("{value} is not of type {rule}"));
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(whole, rule, item, &format!("{at}/{index}"))?;
                }
            }
            "required" => {
                let there = |name: &&Value| name.as_str().is_some_and(|name| value.get(name).is_some());
                if let Some(missing) = rule.as_array().into_iter().flatten().find(|name| !there(name)) {
                    return differs(format!("{missing} is missing"));
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().into_iter().flatten() {
                    if let Some(inner) = value.get(name) {
                        fits(whole, rule, inner, &format!("{at}/{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                let known = rules.get("properties").and_then(Value::as_object);
                let stray = |name: &&String| known.is_none_or(|known| !known.contains_key(*name));
                if let Some(stray) = value.as_object().and_then(|object| object.keys().find(stray)) {
                    return differs(format!("{stray} is not documented"));
                }
            }
            "const" | "enum" | "minimum" | "maxItems" => {}
            other => return differs(format!("the schema says {other}, which nobody here understands")),
        }
    }
    Ok(())
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Answer, Row, done_json};
    use crate::catalog::asks;
    use crate::order::read;

    #[test]
    fn the_file_is_the_schema() {
        assert_eq!(serde_json::from_str::<Value>(&text()).unwrap(), schema());
    }

    #[test]
    fn answers_are_as_documented() {
        for ask in asks() {
            assert_eq!(validate(&Answer::of(ask).json(), ask.words), Ok(()), "{}", ask.words);
            let fields = ask.all_fields();
            let empty = Answer::of(ask).row(Row::new()).json();
            assert_eq!(validate(&empty, ask.words), Ok(()), "{}", ask.words);
            let full = fields.iter().filter(|field| matches!(field.kind, FieldKind::Number { .. }));
            let row = full.fold(Row::new(), |row, field| row.with(field.name.clone(), crate::answer::Datum::Number(7)));
            assert_eq!(validate(&Answer::of(ask).row(row).json(), ask.words), Ok(()), "{}", ask.words);
        }
        assert_eq!(validate(&done_json(), "done"), Ok(()));
        for problem in read("add ssl certKey demo -kye b.pem").err().unwrap() {
            assert_eq!(validate(&problem.reply_json(), ERROR), Ok(()));
        }
    }

    #[test]
    fn what_is_not_documented_is_found() {
        let told = |answer: &str| validate(answer, "whoami").map_err(|differs| differs.to_string());
        let done = r#""errorcode":0,"message":"Done","severity":"NONE""#;
        let row = r#""uid":0,"gid":0,"pid":1,"level":null"#;
        assert_eq!(told(&format!(r#"{{{done},"whoami":[{{{row}}}]}}"#)), Ok(()));
        for (answer, differs) in [
            ("[]".to_owned(), "/: \"errorcode\" is missing"),
            ("{".to_owned(), "/: no JSON"),
            (format!("{{{done},\"who\":1}}"), "/: who is not documented"),
            (format!("{{{}}}", done.replace("Done", "done")), "/message: \"done\" is not \"Done\""),
            (format!("{{{}}}", done.replace("NONE", "SOME")), "/severity: \"SOME\" is none of"),
            (format!(r#"{{{done},"whoami":[{{{row},"x":1}}]}}"#), "/whoami/0: x is not documented"),
            (format!(r#"{{{done},"whoami":[{{"uid":1,"pid":1,"level":"x"}}]}}"#), "/whoami/0: \"gid\" is missing"),
            (format!(r#"{{{done},"whoami":[{{{}}}]}}"#, row.replace("\"pid\":1", "\"pid\":-1")), "/whoami/0/pid"),
            (
                format!(r#"{{{done},"whoami":[{{{}}}]}}"#, row.replace("\"pid\":1", "\"pid\":\"1\"")),
                "/whoami/0/pid: \"1\" is not of type",
            ),
        ] {
            let told = told(&answer).unwrap_err();
            assert!(told.starts_with(differs), "{answer}: {told}");
        }
        assert_eq!(validate("{}", "show nothing").unwrap_err().what, "no answer of show nothing is known");
    }
}
