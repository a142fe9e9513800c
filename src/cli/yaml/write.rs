//! JSON values as YAML, in the form that kubectl prints.

use super::scalar::is_ambiguous;
use serde_json::Value;
use std::fmt::Write as _;

/// What may not begin a plain scalar.
const INDICATORS: &str = "#,[]{}&*!|>'\"%@`";
/// A longer key stands behind a `?`.
const LONGEST_KEY: usize = 128;

/// Writes a value as one document: block style, lists no deeper than their key, every string quoted that YAML 1.1 takes for
/// something else.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(&mut out, value, 0, true),
        Value::Array(items) if !items.is_empty() => block(&mut out, value, 0, true),
        _ => {
            scalar(&mut out, value, 2);
            out.push('\n');
        }
    }
    out
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// The lines of an object or a list; `fresh`: the first of them is not indented yet by what stands before it.
fn block(out: &mut String, value: &Value, indent: usize, fresh: bool) {
    let mut fresh = fresh;
    let mut begin = |out: &mut String| {
        if std::mem::replace(&mut fresh, true) {
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                begin(out);
                let key = flow(key);
                if key.len() > LONGEST_KEY {
                    let _ = write!(out, "? {key}\n{:indent$}", "");
                } else {
                    out.push_str(&key);
                }
                out.push(':');
                if is_block(value) {
                    out.push('\n');
                    block(out, value, if value.is_array() { indent } else { indent + 2 }, true);
                } else {
                    out.push(' ');
                    scalar(out, value, indent + 2);
                    out.push('\n');
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                begin(out);
                out.push_str("- ");
                if is_block(item) {
                    block(out, item, indent + 2, false);
                } else {
                    scalar(out, item, indent + 2);
                    out.push('\n');
                }
            }
        }
        _ => {}
    }
}

/// A value on its key's line; the lines of a text are indented so far.
fn scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) if text.contains('\n') && is_literal(text) => literal(out, text, indent),
        Value::String(text) => out.push_str(&flow(text)),
        other => out.push_str(&other.to_string()),
    }
}

/// A string on one line, quoted if it must be.
fn flow(text: &str) -> String {
    if !text.chars().all(is_printable) {
        return quoted(text);
    }
    if is_ambiguous(text) {
        return quoted(text);
    }
    let mut chars = text.chars();
    let first = chars.next().unwrap_or(' ');
    let marks = "-?:".contains(first) && matches!(chars.next(), None | Some(' '));
    let plain = !marks
        && !INDICATORS.contains(first)
        && !text.starts_with(' ')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("---")
        && !text.starts_with("...");
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// In double quotes, with what cannot be seen escaped.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) <= 0xff => drop(write!(out, "\\x{:02X}", u32::from(c))),
            c if u32::from(c) <= 0xffff => drop(write!(out, "\\u{:04X}", u32::from(c))),
            c => drop(write!(out, "\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// It may stand as it is, on one line.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Its lines may stand as they are.
fn is_literal(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\n' | '\t') || is_printable(c)) && !text.contains(" \n")
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    // What else would count as indentation.
    if text.starts_with([' ', '\n', '\t']) {
        out.push('2');
    }
    let content = text.strip_suffix('\n').unwrap_or(text);
    if content.len() == text.len() {
        out.push('-');
    } else if content.is_empty() || content.ends_with('\n') {
        out.push('+');
    }
    for line in content.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::read;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_form_is_kubectls() {
        let value = json!({
            "apiVersion": "v1", "args": ["-c", "a: b", "#x", ""], "data": { "n": "no", "script": "a\n\n  b\n" }, "empty": {},
            "items": [{ "a": 1, "b": [] }, [1, [2.5, null]]], "keep": "a\n\n", "none": "x\ny", "time": "2001-01-02T10:00:00Z",
        });
        let wanted = "apiVersion: v1\nargs:\n- -c\n- 'a: b'\n- '#x'\n- \"\"\ndata:\n  \"n\": \"no\"\n  script: |\n    a\n\n      b\n\
                      empty: {}\nitems:\n- a: 1\n  b: []\n- - 1\n  - - 2.5\n    - null\nkeep: |+\n  a\n\nnone: |-\n  x\n  y\n\
                      time: \"2001-01-02T10:00:00Z\"\n";
        assert_eq!(write(&value), wanted);
    }

    #[test]
    fn whatever_a_string_is_it_comes_back() {
        let pieces = [
            "",
            " ",
            "\n",
            "\t",
            "a",
            "-",
            "---",
            "...",
            ": ",
            ":",
            " #",
            "#",
            "yes",
            "n",
            "0400",
            "1_000",
            "12:30:00",
            "'",
            "\"",
            "\\",
            "\r",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\u{7f}",
            "\u{0}",
            "é",
            "🦀",
            "{",
            "[",
            "&",
            "*",
            "!",
            "|",
            ">",
            "%",
            "@",
            "`",
            "?",
            "<<",
            "=",
            ",",
            "~",
            "null",
            "1e3",
            ".inf",
            "2001-01-02",
        ];
        let long = "k ".repeat(700);
        let texts = pieces
            .iter()
            .flat_map(|a| pieces.iter().flat_map(move |b| ["", "x", "\n"].map(|c| format!("{a}{b}{c}{a}"))));
        let texts: Vec<String> = texts.chain([long]).collect();
        for text in &texts {
            let value = json!({ text: [text, { "a": text, "b": [[text]] }], "z": { "y": text } });
            let written = write(&value);
            assert_eq!(read(&written).map_err(|error| error.to_string()), Ok(value), "{text:?}:\n{written}");
            // And by a parser of YAML 1.2.
            let other: Result<Value, String> = serde_yaml::from_str(&written).map_err(|error| error.to_string());
            assert_eq!(
                other.as_ref().ok().map(|other| &other["z"]["y"]),
                Some(&json!(text)),
                "{text:?}: {other:?}:\n{written}"
            );
        }
        for value in [json!("no"), json!(null), json!([]), json!({}), json!("a\nb\n")] {
            assert_eq!(read(&write(&value)).unwrap(), value);
        }
    }
}
