//! One YAML document into JSON.

use super::scalar::{Scalar, resolve};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::{Event, Options, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Most values that a document may unfold to: aliases of aliases grow without bound.
const MOST: usize = 1_000_000;
/// As JSON's readers.
const DEEPEST: usize = 120;

/// Where a text stops to be YAML, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct Unreadable {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
}

/// Reads a document. Plain scalars are YAML 1.1's, quoted ones are strings; keys become strings.
///
/// # Errors
/// It is no YAML, holds a key twice or what JSON has no word for, or there are several documents.
pub fn read(text: &str) -> Result<Value, Unreadable> {
    let mut options = Options::default();
    options.emit_comments = false;
    let mut reader = Reader::default();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| Unreadable {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            problem: error.info(),
        })?;
        reader.event(event).map_err(|problem| unreadable(&span, problem))?;
    }
    Ok(reader.root.unwrap_or_default())
}

fn unreadable(at: &Span, problem: String) -> Unreadable {
    Unreadable { line: at.start.line(), column: at.start.col() + 1, problem }
}

/// A collection that is not closed yet.
enum Open {
    List(Vec<Value>),
    Map {
        map: Map<String, Value>,
        key: Option<Key>,
        /// What `<<` named, the first before the others.
        merged: Vec<Map<String, Value>>,
    },
}

enum Key {
    Text(String),
    Merge,
}

#[derive(Default)]
struct Reader {
    open: Vec<(Open, usize)>,
    anchors: HashMap<usize, Value>,
    /// Values so far, those of aliases included.
    count: usize,
    root: Option<Value>,
    documents: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err("another document begins; a line `---` parts them".to_owned());
                }
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().ok_or("an alias within what it names")?;
                self.count += size(&value);
                return self.put(value, None);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let (value, scalar) = scalar(&text, plain, tag.as_deref())?;
                if anchor > 0 {
                    self.anchors.insert(anchor, value.clone());
                }
                return self.put(value, Some((scalar, text.into_owned())));
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Open::List(Vec::new()), anchor)?,
            Event::MappingStart(_, anchor, _) => {
                self.begin(Open::Map { map: Map::new(), key: None, merged: Vec::new() }, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((open, anchor)) = self.open.pop() else {
                    return Ok(());
                };
                let value = match open {
                    Open::List(items) => Value::Array(items),
                    Open::Map { mut map, merged, .. } => {
                        for (key, value) in merged.into_iter().flatten() {
                            map.entry(key).or_insert(value);
                        }
                        Value::Object(map)
                    }
                };
                if anchor > 0 {
                    self.anchors.insert(anchor, value.clone());
                }
                return self.put(value, None);
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, open: Open, anchor: usize) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("nested deeper than {DEEPEST} levels"));
        }
        if let Some((Open::Map { key: None, .. }, _)) = self.open.last() {
            return Err("a list or an object cannot be a key".to_owned());
        }
        self.open.push((open, anchor));
        Ok(())
    }

    /// A value that is whole; of a scalar also what it resolved to and its text.
    fn put(&mut self, value: Value, scalar: Option<(Scalar, String)>) -> Result<(), String> {
        self.count += 1;
        if self.count > MOST {
            return Err(format!("its aliases unfold to more than {MOST} values"));
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some((Open::List(items), _)) => items.push(value),
            Some((Open::Map { map, key, merged }, _)) => match key.take() {
                None => *key = Some(as_key(value, scalar)?),
                Some(Key::Merge) => merge(merged, value)?,
                Some(Key::Text(name)) => {
                    if map.contains_key(&name) {
                        return Err(format!("duplicate key {name:?}"));
                    }
                    map.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 1,
        Value::Object(map) => map.values().map(size).sum::<usize>() + 1,
        _ => 1,
    }
}

fn as_key(value: Value, scalar: Option<(Scalar, String)>) -> Result<Key, String> {
    Ok(match (value, scalar) {
        (_, Some((Scalar::Merge, _))) => Key::Merge,
        (Value::String(text), _) => Key::Text(text),
        (Value::Bool(flag), _) => Key::Text(flag.to_string()),
        (Value::Number(number), _) => Key::Text(number.to_string()),
        _ => return Err("null, a list or an object cannot be a key".to_owned()),
    })
}

fn merge(merged: &mut Vec<Map<String, Value>>, value: Value) -> Result<(), String> {
    match value {
        Value::Object(map) => merged.push(map),
        Value::Array(items) if items.iter().all(Value::is_object) => {
            items.into_iter().for_each(|item| merged.extend(item.as_object().cloned()));
        }
        _ => return Err("<<: takes an object, or a list of them".to_owned()),
    }
    Ok(())
}

/// A scalar's value, and what it resolved to.
fn scalar(text: &str, plain: bool, tag: Option<&Tag>) -> Result<(Value, Scalar), String> {
    let resolved = match tag {
        None if plain => resolve(text),
        None => Scalar::Text,
        Some(tag) => match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
            Some("binary") => return binary(text),
            Some(kind @ ("null" | "bool" | "int" | "float")) => tagged(kind, text)?,
            _ => Scalar::Text,
        },
    };
    let value = resolved.clone().into_value(text).ok_or_else(|| format!("{text} is no number that JSON knows"))?;
    Ok((value, resolved))
}

fn tagged(kind: &str, text: &str) -> Result<Scalar, String> {
    let resolved = resolve(text);
    let fits = match &resolved {
        Scalar::Null => kind == "null",
        Scalar::Bool(_) => kind == "bool",
        Scalar::Number(number) => kind == "float" || kind == "int" && !number.is_f64(),
        Scalar::NotFinite => kind == "float",
        Scalar::Merge | Scalar::Text => false,
    };
    if fits { Ok(resolved) } else { Err(format!("{text:?} is no !!{kind}")) }
}

fn binary(text: &str) -> Result<(Value, Scalar), String> {
    let packed: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(packed).map_err(|error| format!("!!binary: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| "!!binary: JSON holds text only".to_owned())?;
    Ok((text.into(), Scalar::Text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_are_resolved_and_quoted_ones_are_strings() {
        let text = "mode: 0400\nmany: 1_000\na: yes\nb: 'yes'\nc: \"0400\"\nd: |\n  no\ne: >-\n  12\nf: !!str on\ng: !!int \"7\"\nh: !x y\n\
                    on: 1\n1: one\n1.5: x\nt: 2001-01-02\nz:\n";
        let wanted = json!({
            "mode": 256, "many": 1000, "a": true, "b": "yes", "c": "0400", "d": "no\n", "e": "12", "f": "on", "g": 7, "h": "y",
            "true": 1, "1": "one", "1.5": "x", "t": "2001-01-02", "z": null,
        });
        assert_eq!(read(text).unwrap(), wanted);
        assert_eq!(read("").unwrap(), Value::Null);
        assert_eq!(read("!!binary aGk=").unwrap(), json!("hi"));
    }

    #[test]
    fn anchors_and_merges_are_unfolded() {
        let text = "base: &b {x: 1, k: 2}\none: {<<: *b, k: 3}\ntwo: {k: 4, <<: [*b, {z: 5, x: 9}]}\nlist: [*b, &s yes, *s]\n'<<': 1\n";
        let b = json!({ "x": 1, "k": 2 });
        let wanted = json!({
            "base": b, "one": { "x": 1, "k": 3 }, "two": { "x": 1, "k": 4, "z": 5 }, "list": [b, true, true], "<<": 1,
        });
        assert_eq!(read(text).unwrap(), wanted);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, line, part) in [
            ("a: 1\nb: 2\na: 3\n", 3, "duplicate key \"a\""),
            ("yes: 1\ntrue: 2\n", 2, "duplicate key \"true\""),
            ("a: [1\nb: 2\n", 0, ""),
            ("a: .nan\n", 1, "no number that JSON knows"),
            ("? [a]\n: 1\n", 1, "cannot be a key"),
            ("~: 1\n", 1, "cannot be a key"),
            ("a: &a [*a]\n", 1, ""),
            ("a: *b\n", 1, ""),
            ("a: !!int x\n", 1, "no !!int"),
            ("<<: 1\n", 1, "<<"),
            ("a: 1\n...\nb: 2\n", 0, "document"),
        ] {
            let error = read(text).unwrap_err();
            assert!(line == 0 || error.line == line, "{text}: {error}");
            assert!(error.problem.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn aliases_of_aliases_end() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..20 {
            let inner = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{inner}]\n"));
        }
        assert!(read(&text).unwrap_err().problem.contains("unfold"));
        assert!(read(&"[".repeat(1000)).is_err());
    }
}
