//! `-o`: how objects are printed.

use crate::get::{Columns, Template};
use crate::yaml;
use serde_json::Value;
use std::str::FromStr;

/// A way to print objects.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// The server's table with all its columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// `TYPE/NAME`.
    Name,
    /// A template filled in.
    JsonPath(Template),
    /// The values that a path finds, as a JSON list.
    JsonPathAsJson(Template),
    /// A table of one's own.
    Columns(Columns),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let file = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let template = |text: &str| Template::parse(text).map_err(|error| error.to_string());
        match text.split_once('=') {
            None => match text {
                "wide" => Ok(Self::Wide),
                "json" => Ok(Self::Json),
                "yaml" => Ok(Self::Yaml),
                "name" => Ok(Self::Name),
                _ => Err(UNKNOWN.to_owned()),
            },
            Some(("jsonpath", given)) => template(given).map(Self::JsonPath),
            Some(("jsonpath-as-json", given)) => template(given).map(Self::JsonPathAsJson),
            Some(("jsonpath-file", path)) => template(file(path)?.trim_end_matches('\n')).map(Self::JsonPath),
            Some(("custom-columns", given)) => Columns::parse(given).map(Self::Columns),
            Some(("custom-columns-file", path)) => Columns::parse_file(&file(path)?).map(Self::Columns),
            _ => Err(UNKNOWN.to_owned()),
        }
    }
}

const UNKNOWN: &str = "use wide, yaml, json, name, jsonpath=TEMPLATE, jsonpath-as-json=PATH, jsonpath-file=FILE, \
                       custom-columns=HEAD:PATH,... or custom-columns-file=FILE";

impl Format {
    /// It is the server's own table.
    pub fn is_table(format: Option<&Self>) -> bool {
        matches!(format, None | Some(Self::Wide))
    }
}

/// Prints objects one after the other in one format.
#[derive(Debug)]
pub struct Objects<'a> {
    format: &'a Format,
    managed_fields: bool,
    headers: bool,
    printed: bool,
}

impl<'a> Objects<'a> {
    /// None yet.
    pub fn new(format: &'a Format, managed_fields: bool) -> Self {
        Self { format, managed_fields, headers: true, printed: false }
    }

    /// A table without its first line.
    pub fn without_headers(mut self, without: bool) -> Self {
        self.headers = !without;
        self
    }

    /// Prints one; `qualified` is its name with its type in front.
    ///
    /// # Errors
    /// The format is not for objects.
    pub fn print(&mut self, value: &Value, qualified: &str) -> anyhow::Result<()> {
        let text = self.text(value, qualified)?;
        crate::out!("{text}");
        Ok(())
    }

    fn text(&mut self, value: &Value, qualified: &str) -> anyhow::Result<String> {
        let first = !std::mem::replace(&mut self.printed, true);
        let shown = || if self.managed_fields { value.clone() } else { without_managed_fields(value.clone()) };
        Ok(match self.format {
            Format::Json => format!("{}\n", serde_json::to_string_pretty(&shown())?),
            Format::Yaml => {
                format!("{}{}", if first { "" } else { "---\n" }, yaml::write(&shown()))
            }
            Format::Name => format!("{qualified}\n"),
            Format::JsonPath(template) => template.fill(value),
            Format::JsonPathAsJson(template) => format!("{}\n", serde_json::to_string_pretty(&template.all(value))?),
            Format::Columns(columns) => columns.table(std::slice::from_ref(&value), self.headers && first),
            Format::Wide => anyhow::bail!("-o wide: is for `raftsman get`"),
        })
    }
}

/// Objects, and those in a list, without the book-keeping of who owns which field: kubectl shows it only when asked to.
fn without_managed_fields(mut value: Value) -> Value {
    let strip = |object: &mut Value| {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    };
    strip(&mut value);
    // Of an event of a watch.
    value.get_mut("object").into_iter().for_each(strip);
    value.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten().for_each(strip);
    value
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn shown(format: &str, managed: bool) -> String {
        let format: Format = format.parse().unwrap();
        let object = json!({"kind": "Pod", "metadata": {"name": "a", "managedFields": [{"manager": "m"}]}});
        let mut objects = Objects::new(&format, managed);
        let first = objects.text(&object, "pod/a").unwrap();
        format!("{first}{}", objects.text(&object, "pod/a").unwrap())
    }

    #[test]
    fn each_format_prints_one_object_after_the_other() {
        assert_eq!(shown("name", false), "pod/a\npod/a\n");
        assert_eq!(shown("yaml", false), "kind: Pod\nmetadata:\n  name: a\n---\nkind: Pod\nmetadata:\n  name: a\n");
        assert_eq!(shown("jsonpath={.metadata.name},", false), "a,a,");
        assert_eq!(shown("custom-columns=N:.metadata.name", false), "N\na\na\n");
        assert!(!shown("json", false).contains("managedFields") && shown("json", true).contains("managedFields"));
        // As kubectl reads it, a word of YAML 1.1 is no string.
        let mut objects = Objects::new(&Format::Yaml, false);
        assert_eq!(objects.text(&json!({"n": "no"}), "").unwrap(), "\"n\": \"no\"\n");
        // As kubectl: who asks for a field by its path gets it.
        assert_eq!(shown("jsonpath={.metadata.managedFields[0].manager}", false), "mm");
        assert_eq!(shown("jsonpath-as-json={.kind}", false), "[\n  \"Pod\"\n]\n[\n  \"Pod\"\n]\n");
        let list = without_managed_fields(json!({"items": [{"metadata": {"managedFields": []}}]}));
        assert_eq!(list, json!({"items": [{"metadata": {}}]}));
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        for bad in ["ymal", "go-template={{.x}}", "jsonpath={.a", "custom-columns=N", "jsonpath-file=/none"] {
            assert!(bad.parse::<Format>().is_err(), "{bad}");
        }
        assert!("ymal".parse::<Format>().unwrap_err().contains("yaml"));
    }
}
