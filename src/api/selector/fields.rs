//! Field selectors: `metadata.name=x,status.phase!=Failed`.

use std::fmt;

/// The text is no field selector of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A part that is no `field=value`.
    #[error("invalid field selector: '{0}'; can't understand '{1}'")]
    Malformed(String, String),
    /// A field that this kind does not offer.
    #[error("field label not supported: {0}")]
    NotSupported(String),
}

/// A conjunction over fields. The default matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// Field, whether it must be equal, value.
    terms: Vec<(String, bool, String)>,
}

impl FieldSelector {
    /// Reads the text. `selectable` are the kind's fields besides `metadata.name` and `metadata.namespace`.
    ///
    /// # Errors
    /// A part that is no term, or a field that is not selectable.
    pub fn parse(text: &str, selectable: &[&str]) -> Result<Self, FieldSelectorError> {
        let mut terms = Vec::new();
        for part in split(text) {
            if part.is_empty() {
                continue;
            }
            let (field, equal, value) =
                term(&part).ok_or_else(|| FieldSelectorError::Malformed(text.to_owned(), part.clone()))?;
            if !matches!(field.as_str(), "metadata.name" | "metadata.namespace")
                && !selectable.contains(&field.as_str())
            {
                return Err(FieldSelectorError::NotSupported(field));
            }
            terms.push((field, equal, value));
        }
        Ok(Self { terms })
    }

    /// Whether an object with these fields does. An absent field reads as empty.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.terms.iter().all(|(path, equal, value)| (field(path).unwrap_or("") == value) == *equal)
    }

    /// The value that a field must have, if the selector says so: lets a caller look one object up instead of all.
    pub fn exact(&self, field: &str) -> Option<&str> {
        let found = self.terms.iter().find(|(path, equal, _)| *equal && path == field)?;
        Some(&found.2)
    }

    /// It asks nothing.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }
}

/// At commas that no backslash precedes.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == ',' && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn term(part: &str) -> Option<(String, bool, String)> {
    let at = part.find('=')?;
    let (left, right) = part.split_at(at);
    let (field, equal) = match left.strip_suffix('!') {
        Some(field) => (field, false),
        None => (left, true),
    };
    let value = right.strip_prefix("==").or_else(|| right.strip_prefix('=')).unwrap_or(right);
    Some((field.trim().to_owned(), equal, unescape(value)))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (field, equal, value)) in self.terms.iter().enumerate() {
            let (comma, sign) = (if index > 0 { "," } else { "" }, if *equal { "=" } else { "!=" });
            let value = value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
            write!(f, "{comma}{field}{sign}{value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn terms_and_their_errors() {
        let fields = &["spec.nodeName", "status.phase"];
        let selector =
            FieldSelector::parse("spec.nodeName=n1,status.phase!=Failed,metadata.name==a\\,b", fields).unwrap();
        let object = |phase: &'static str| {
            move |field: &str| match field {
                "spec.nodeName" => Some("n1"),
                "metadata.name" => Some("a,b"),
                _ => Some(phase),
            }
        };
        assert!(selector.matches(object("Running")));
        assert!(!selector.matches(object("Failed")));
        assert_eq!(selector.exact("metadata.name"), Some("a,b"));
        assert_eq!(selector.exact("status.phase"), None);
        assert_eq!(FieldSelector::parse(&selector.to_string(), fields).unwrap(), selector);
        assert!(FieldSelector::parse("", fields).unwrap().is_everything());
        assert_eq!(
            FieldSelector::parse("spec.foo=1", fields).unwrap_err().to_string(),
            "field label not supported: spec.foo"
        );
        assert_eq!(
            FieldSelector::parse("oops", fields).unwrap_err().to_string(),
            "invalid field selector: 'oops'; can't understand 'oops'"
        );
    }

    #[test]
    fn absent_reads_as_empty() {
        let selector = FieldSelector::parse("spec.nodeName=", &["spec.nodeName"]).unwrap();
        assert!(selector.matches(|_| None));
        assert!(!selector.matches(|_| Some("n1")));
    }
}
