//! One text, many documents.

use super::part::parts;
use serde_json::Value;

/// Where a document is, for errors.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    source: String,
    number: usize,
    of: usize,
    line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.of > 1 {
            write!(f, "{}, document {} (line {})", self.source, self.number, self.line)
        } else {
            write!(f, "{}", self.source)
        }
    }
}

/// A document that says what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// `FILE`, or `FILE, document 2 (line 14)`.
    pub place: String,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`, empty if there is only a `generateName`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// All of it.
    pub value: Value,
}

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct DocumentError {
    /// Which document.
    pub place: String,
    /// What is wrong.
    pub problem: String,
}

/// Cuts a text into documents and reads each; empty ones do not count. Lists are taken apart.
pub fn parse(source: &str, text: &str) -> Vec<Result<Document, DocumentError>> {
    let parts = parts(text);
    let mut documents = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let place = Place { source: source.to_owned(), number: at + 1, of: parts.len(), line: part.line };
        match part.decode() {
            Ok(value) => expand(&place.to_string(), value, &mut documents),
            Err(problem) => documents.push(Err(DocumentError { place: place.to_string(), problem })),
        }
    }
    documents
}

fn expand(place: &str, value: Value, documents: &mut Vec<Result<Document, DocumentError>>) {
    let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) && value["items"].is_array();
    if !is_list {
        documents.push(identify(place, value).map_err(|problem| DocumentError { place: place.to_owned(), problem }));
        return;
    }
    for (at, item) in value["items"].as_array().into_iter().flatten().enumerate() {
        expand(&format!("{place}, items[{at}]"), item.clone(), documents);
    }
}

fn identify(place: &str, value: Value) -> Result<Document, String> {
    if !value.is_object() {
        return Err(format!("an object with apiVersion, kind and metadata is expected, this is {}", kind_of(&value)));
    }
    let text = |path: &str, example: &str| match value.pointer(path) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        found => {
            let field = path[1..].replace('/', ".");
            let problem = match found {
                None | Some(Value::Null) => "is missing".to_owned(),
                Some(Value::String(_)) => "is empty".to_owned(),
                Some(other) => format!("is {}, a string is expected", kind_of(other)),
            };
            Err(format!("{field}: {problem}; for example {example}"))
        }
    };
    let api_version = text("/apiVersion", "`v1` or `apps/v1`")?;
    let kind = text("/kind", "`Pod` or `Deployment`")?;
    let name = match text("/metadata/name", "`web`") {
        Err(_) if value.pointer("/metadata/generateName").is_some_and(Value::is_string) => String::new(),
        other => other.map_err(|problem| format!("{kind}: {problem}"))?,
    };
    let namespace = match value.pointer("/metadata/namespace") {
        None | Some(Value::Null) => None,
        Some(Value::String(namespace)) => Some(namespace.clone()).filter(|namespace| !namespace.is_empty()),
        Some(other) => {
            return Err(format!("{kind} {name}: metadata.namespace: is {}, a string is expected", kind_of(other)));
        }
    };
    Ok(Document { place: place.to_owned(), api_version, kind, name, namespace, value })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
