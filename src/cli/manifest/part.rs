//! Where one document ends and the next begins, and what each says.

use crate::yaml;
use raftsman_api::strict;
use serde::de::IgnoredAny;
use serde_json::Value;

/// The text of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The line on which it begins, from 1.
    pub line: usize,
    text: &'a str,
    json: bool,
}

/// The documents of a text that are not empty: YAML's between lines `---`, and JSON's one after the other.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let filled = split(text).into_iter().filter(|part| !part.is_blank());
    filled.flat_map(|part| part.objects().unwrap_or_else(|| vec![part])).collect()
}

/// A line `---` parts YAML documents (YAML 1.2, 9.1.2).
fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut begin, mut first, mut at) = (0, 1, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker {
            parts.push(Part { line: first, text: &text[begin..at], json: false });
            // What follows on the marker's line belongs to the document: rarely more than a comment.
            begin = at + 3;
            first = number + 1;
        }
        at += line.len();
    }
    parts.push(Part { line: first, text: &text[begin..], json: false });
    parts
}

impl<'a> Part<'a> {
    fn is_blank(&self) -> bool {
        self.text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "...")
    }

    /// The JSON objects that it consists of; `None`: it is YAML. What is broken behind a first whole object is the last part.
    fn objects(self) -> Option<Vec<Self>> {
        if !self.text.trim_start().starts_with('{') {
            return None;
        }
        let mut found = Vec::new();
        let mut values = serde_json::Deserializer::from_str(self.text).into_iter::<IgnoredAny>();
        let mut begin = 0;
        while let Some(next) = values.next() {
            let broken = next.is_err();
            // The same braces begin an object of YAML, perhaps with a comment behind it.
            if broken && (found.is_empty() || yaml::read(self.text).is_ok()) {
                return None;
            }
            let end = if broken { self.text.len() } else { values.byte_offset() };
            let text = self.text[begin..end].trim_start();
            let line = self.line + self.text[..end - text.len()].matches('\n').count();
            found.push(Self { line, text, json: true });
            if broken {
                break;
            }
            begin = end;
        }
        Some(found)
    }

    /// What it says.
    ///
    /// # Errors
    /// Line and column, and what is wrong there.
    pub(super) fn decode(&self) -> Result<Value, String> {
        if self.json {
            return self.decode_json();
        }
        yaml::read(self.text).map_err(|error| {
            let line = self.line + error.line.saturating_sub(1);
            let text = self.text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default();
            let tab = text.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
            let hint = if tab { "; YAML is indented with spaces, and this line begins with a tab" } else { "" };
            format!("line {line}, column {}: {}{hint}", error.column, error.problem)
        })
    }

    fn decode_json(&self) -> Result<Value, String> {
        if let Err(error) = serde_json::from_str::<IgnoredAny>(self.text) {
            let line = self.line + error.line().saturating_sub(1);
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            return Err(format!("line {line}, column {}: {message}", error.column()));
        }
        let (value, duplicates) = strict::parse_json(self.text.as_bytes()).map_err(|cause| cause.message)?;
        match duplicates.first() {
            Some(key) => Err(format!("duplicate key {key:?}")),
            None => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Vec<(usize, Result<Value, String>)> {
        parts(text).iter().map(|part| (part.line, part.decode())).collect()
    }

    #[test]
    fn json_objects_stand_one_after_the_other() {
        let text = "\u{feff}{\"a\": 1}\n{\"a\": \"\\ud83e\\udd80\"} {\"a\":\n3}\n\n";
        let wanted = vec![(1, Ok(json!({ "a": 1 }))), (2, Ok(json!({ "a": "🦀" }))), (2, Ok(json!({ "a": 3 })))];
        assert_eq!(read(text), wanted);
        assert_eq!(read("--- # x\n{\"a\": 1}\n---\n{\"a\": 2}\n").len(), 2);
    }

    #[test]
    fn braces_may_be_yaml() {
        assert_eq!(read("{a: yes}"), [(1, Ok(json!({ "a": true })))]);
        assert_eq!(read("{\"a\": 1} # x"), [(1, Ok(json!({ "a": 1 })))]);
        assert_eq!(read("\u{feff}a: 1"), [(1, Ok(json!({ "a": 1 })))]);
    }

    #[test]
    fn a_broken_object_is_named_by_its_own_line() {
        let read = read("{\"a\": 1}\n{\"b\": 2}\n\n{\"c\": }\n");
        assert_eq!(read[..2], [(1, Ok(json!({ "a": 1 }))), (2, Ok(json!({ "b": 2 })))]);
        assert_eq!((read.len(), read[2].0), (3, 4));
        assert!(read[2].1.as_ref().is_err_and(|error| error.starts_with("line 4, column ")), "{read:?}");
        let twice = self::read("{\"a\": {\"b\": 1, \"b\": 2}}");
        assert_eq!(twice, [(1, Err("duplicate key \"a.b\"".to_owned()))]);
    }
}
