//! JSON and YAML as they were written: nothing is lost in silence, so repeated keys are found and errors name their
//! line and document.

mod any;

use crate::status::Cause;
use any::Any;
use serde::de::DeserializeSeed;
use serde_json::Value;

/// A text read strictly: the value, and the paths of keys that stood there more than once (the last one wins).
pub type Parsed = (Value, Vec<String>);

/// One document of a YAML stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its place in the stream, from 1, empty documents not counted.
    pub number: usize,
    /// The line it begins at, from 1.
    pub line: usize,
    /// What it says, or why it cannot be read.
    pub parsed: Result<Parsed, Cause>,
}

fn unreadable(message: String) -> Cause {
    Cause { reason: "FieldValueInvalid".to_owned(), message, field: String::new() }
}

/// Reads one JSON value.
///
/// # Errors
/// Where and why the text stops to be JSON.
pub fn parse_json(bytes: &[u8]) -> Result<Parsed, Cause> {
    let mut duplicates = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Any::new(&mut duplicates)
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| unreadable(format!("the JSON cannot be read: {error}")))?;
    Ok((value, duplicates))
}

/// Reads every document of a YAML stream (JSON is YAML too). Documents that hold nothing are skipped.
pub fn parse_yaml_documents(bytes: &[u8]) -> Vec<Document> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
            let cause = unreadable(format!("line {line}: the text is not UTF-8"));
            return vec![Document { number: 1, line, parsed: Err(cause) }];
        }
    };
    let mut documents = Vec::new();
    for (line, text) in split(text) {
        let parsed = parse_yaml(&text, line);
        if matches!(&parsed, Ok((Value::Null, _))) {
            continue;
        }
        documents.push(Document { number: documents.len() + 1, line, parsed });
    }
    documents
}

/// Splits at lines that are `---`, alone or with something behind it: (first line, text).
fn split(text: &str) -> Vec<(usize, String)> {
    let mut parts = vec![(1, String::new())];
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let rest = line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        match (rest, parts.last_mut()) {
            (Some(rest), _) => parts.push((index + 1, rest.to_owned())),
            (None, Some((_, part))) => part.push_str(line),
            (None, None) => {}
        }
    }
    parts
}

fn parse_yaml(text: &str, first: usize) -> Result<Parsed, Cause> {
    let mut duplicates = Vec::new();
    let reader = serde_yaml::Deserializer::from_str(text);
    let value = Any::new(&mut duplicates).deserialize(reader).map_err(|error| {
        let at = error.location().map(|location| location.line());
        let Some(at) = at else {
            return unreadable(format!("line {first}: {error}"));
        };
        let line = first + at - 1;
        // The scanner stands at or behind the line with the tab.
        let tab = text.lines().take(at).enumerate().filter(|(_, line)| indented_by_tab(line)).last();
        if let Some((index, _)) = tab {
            return unreadable(format!("line {}: a tab cannot indent YAML: use spaces", first + index));
        }
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or(&text).to_owned();
        unreadable(format!("line {line}: {text}"))
    })?;
    Ok((value, duplicates))
}

fn indented_by_tab(line: &str) -> bool {
    line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn json_reports_repeated_keys_with_their_paths() {
        let text = br#"{"a": 1, "a": 2, "l": [{"x": 1}, {"x": 1, "x": 3}], "n": 1.5, "b": true, "z": null}"#;
        let (value, duplicates) = parse_json(text).unwrap();
        assert_eq!(value, json!({ "a": 2, "l": [{ "x": 1 }, { "x": 3 }], "n": 1.5, "b": true, "z": null }));
        assert_eq!(duplicates, ["a", "l[1].x"]);
        assert!(parse_json(b"{").unwrap_err().message.contains("line 1"));
        assert!(parse_json(b"{} x").is_err());
        assert!(parse_json(b"").is_err());
    }

    #[test]
    fn yaml_documents_stand_for_themselves() {
        let text =
            "# only a comment\n---\na: 1\na: 2\n---\n\n---\nb:\n\t- c\n--- # third\nd: [1, x, 0x10, 1.5, ~]\n1: one\n";
        let documents = parse_yaml_documents(text.as_bytes());
        assert_eq!(documents.len(), 3);
        assert_eq!(documents[0].parsed, Ok((json!({ "a": 2 }), vec!["a".to_owned()])));
        assert_eq!((documents[1].number, documents[1].line), (2, 7));
        let broken = documents[1].parsed.clone().unwrap_err().message;
        assert_eq!(broken, "line 9: a tab cannot indent YAML: use spaces");
        assert_eq!(documents[2].parsed.clone().unwrap().0, json!({ "d": [1, "x", 16, 1.5, null], "1": "one" }));
    }

    #[test]
    fn yaml_errors_name_the_line_of_the_file() {
        let documents = parse_yaml_documents(b"a: 1\n---\nb: [1\nc: 2\n");
        let message = documents[1].parsed.clone().unwrap_err().message;
        assert!(message.starts_with("line 3:") || message.starts_with("line 4:"), "{message}");
        assert!(parse_yaml_documents(b"").is_empty());
        assert!(parse_yaml_documents(b"---\n---\n").is_empty());
        assert!(parse_yaml_documents(b"a: \xff").first().unwrap().parsed.is_err());
    }

    #[test]
    fn block_text_is_no_separator() {
        let documents = parse_yaml_documents(b"a: |\n  ---\n  x\nb: 1\n");
        assert_eq!(documents.len(), 1);
        assert_eq!(documents[0].parsed.clone().unwrap().0, json!({ "a": "---\nx\n", "b": 1 }));
    }
}
