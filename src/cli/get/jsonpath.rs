//! kubectl's JSONPath templates (`-o jsonpath=…`, `--sort-by`): text, `{.a.b[0]['c']}`, `[*]`, `[?(@.a=="b")]`,
//! `{range …}…{end}` and `{"\n"}`. Slices and `..` are not understood and are refused by name.

use serde_json::Value;

/// A template, ready to be filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Piece>),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    Each,
    /// Items whose value at the path is (or is not) this text.
    Where(Vec<Step>, bool, String),
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("jsonpath: {0}")]
pub struct Wrong(String);

fn wrong<T>(why: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong(why.into()))
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is not understood, and where.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut rest = text;
        let pieces = pieces(&mut rest, false)?;
        Ok(Self(pieces))
    }

    /// Reads one path, with or without braces and the first dot, as `--sort-by` takes it.
    ///
    /// # Errors
    /// It is no single path.
    pub fn parse_path(text: &str) -> Result<Self, Wrong> {
        let bare = text.trim().trim_start_matches('{').trim_end_matches('}').trim();
        let dotted = if bare.starts_with(['.', '[', '$']) { bare.to_owned() } else { format!(".{bare}") };
        Ok(Self(vec![Piece::Path(steps(&dotted)?)]))
    }

    /// The text for an object; what is absent is empty.
    pub fn fill(&self, value: &Value) -> String {
        let mut out = String::new();
        fill(&self.0, value, &mut out);
        out
    }

    /// The first value that the template's path finds.
    pub fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self.0.first() {
            Some(Piece::Path(steps)) => find(steps, value).into_iter().next(),
            _ => None,
        }
    }
}

fn pieces(rest: &mut &str, within: bool) -> Result<Vec<Piece>, Wrong> {
    let mut found = Vec::new();
    loop {
        let Some((text, action)) = rest.split_once('{') else {
            if within {
                return wrong("{range …} without {end}");
            }
            if !rest.is_empty() {
                found.push(Piece::Text((*rest).to_owned()));
            }
            return Ok(found);
        };
        if !text.is_empty() {
            found.push(Piece::Text(text.to_owned()));
        }
        let end = closing(action).ok_or_else(|| Wrong(format!("{{{action}: unclosed action")))?;
        let inner = action.get(..end).unwrap_or_default().trim();
        *rest = action.get(end + 1..).unwrap_or_default();
        if inner == "end" {
            return if within { Ok(found) } else { wrong("{end} without {range …}") };
        }
        if let Some(path) = inner.strip_prefix("range ") {
            let path = steps(path.trim())?;
            found.push(Piece::Range(path, pieces(rest, true)?));
        } else if inner.starts_with(['"', '\'']) {
            found.push(Piece::Text(unquoted(inner)?));
        } else {
            found.push(Piece::Path(steps(inner)?));
        }
    }
}

/// Where the action ends: the brace that is in no quotes.
fn closing(action: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, letter) in action.char_indices() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

fn unquoted(text: &str) -> Result<String, Wrong> {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.or_else(|| text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')));
    let Some(inner) = inner else { return wrong(format!("{text}: not one quoted text")) };
    let mut out = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    Ok(out)
}

fn steps(text: &str) -> Result<Vec<Step>, Wrong> {
    let mut found = Vec::new();
    let mut rest = text.strip_prefix(['$', '@']).unwrap_or(text);
    if !rest.is_empty() && !rest.starts_with(['.', '[']) {
        return wrong(format!("{text}: a path begins with a dot"));
    }
    while !rest.is_empty() {
        if rest.starts_with("..") {
            return wrong(format!("{text}: `..` is not understood; write the whole path"));
        }
        if let Some(inner) = rest.strip_prefix('[') {
            // A filter may have brackets of its own.
            let end = if inner.starts_with('?') { inner.find(")]").map(|at| at + 1) } else { inner.find(']') };
            let Some(end) = end else { return wrong(format!("{text}: unclosed [")) };
            found.push(bracket(inner.get(..end).unwrap_or_default())?);
            rest = inner.get(end + 1..).unwrap_or_default();
            continue;
        }
        let field = rest.strip_prefix('.').unwrap_or(rest);
        let (mut name, mut length, mut escaped) = (String::new(), 0, false);
        for letter in field.chars() {
            if !escaped && matches!(letter, '.' | '[') {
                break;
            }
            length += letter.len_utf8();
            // A dot within a name is written `\.`.
            escaped = !escaped && letter == '\\';
            if !escaped {
                name.push(letter);
            }
        }
        match name.as_str() {
            "" => {}
            "*" => found.push(Step::Each),
            _ => found.push(Step::Field(name)),
        }
        rest = field.get(length..).unwrap_or_default();
    }
    Ok(found)
}

fn bracket(inner: &str) -> Result<Step, Wrong> {
    if inner == "*" {
        return Ok(Step::Each);
    }
    if let Ok(index) = inner.parse() {
        return Ok(Step::Index(index));
    }
    if inner.starts_with(['\'', '"']) {
        return Ok(Step::Field(unquoted(inner)?));
    }
    if let Some(test) = inner.strip_prefix("?(").and_then(|test| test.strip_suffix(')')) {
        for (operator, equal) in [("==", true), ("!=", false)] {
            if let Some((path, wanted)) = test.split_once(operator) {
                let wanted = wanted.trim();
                let wanted = if wanted.starts_with(['\'', '"']) { unquoted(wanted)? } else { wanted.to_owned() };
                return Ok(Step::Where(steps(path.trim())?, equal, wanted));
            }
        }
    }
    wrong(format!("[{inner}] is not understood: use [*], [N], ['NAME'] or [?(@.FIELD==\"VALUE\")]"))
}

fn find<'a>(steps: &[Step], value: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![value];
    for step in steps {
        found = found.into_iter().flat_map(|value| take(step, value)).collect();
    }
    found
}

fn take<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    let items = || value.as_array().map(Vec::as_slice).unwrap_or_default();
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Each => match value {
            Value::Object(fields) => fields.values().collect(),
            _ => items().iter().collect(),
        },
        Step::Index(index) => {
            let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            let at = if *index < 0 { items().len().checked_sub(from_end) } else { Some(from_end) };
            at.and_then(|at| items().get(at)).into_iter().collect()
        }
        Step::Where(path, equal, wanted) => {
            let is = |item: &&Value| find(path, item).first().is_some_and(|value| (shown(value) == *wanted) == *equal);
            items().iter().filter(is).collect()
        }
    }
}

fn fill(pieces: &[Piece], value: &Value, out: &mut String) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Path(steps) => {
                let all: Vec<String> = find(steps, value).into_iter().map(shown).collect();
                out.push_str(&all.join(" "));
            }
            Piece::Range(steps, body) => find(steps, value).into_iter().for_each(|item| fill(body, item, out)),
        }
    }
}

/// Texts as they are, all else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn list() -> Value {
        json!({ "items": [
            { "metadata": { "name": "a", "labels": { "x.y/z": "1" } }, "spec": { "n": 3 } },
            { "metadata": { "name": "b" }, "spec": { "n": 10 } },
        ] })
    }

    #[test]
    fn templates_are_filled_as_kubectl_fills_them() {
        for (template, expected) in [
            ("{.items[*].metadata.name}", "a b"),
            ("{range .items[*]}{.metadata.name}{\"\\t\"}{.spec.n}{\"\\n\"}{end}", "a\t3\nb\t10\n"),
            ("n={.items[1].spec.n};", "n=10;"),
            ("{.items[-1].metadata.name}{.items[7].metadata.name}", "b"),
            ("{.items[?(@.metadata.name==\"b\")].spec}", "{\"n\":10}"),
            ("{.items[?(@.spec.n!=3)].metadata['name']}", "b"),
            ("{.items[0].metadata.labels.x\\.y/z}", "1"),
            ("{$.nothing}{'}'}", "}"),
        ] {
            assert_eq!(Template::parse(template).unwrap().fill(&list()), expected, "{template}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in ["{.a", "{range .a}x", "{end}", "{.a[1:2]}", "{..a}", "{a}", "{.a[?(@.b)]}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_to_sort_by_needs_neither_braces_nor_a_dot() {
        let item = json!({ "metadata": { "name": "a" } });
        for path in [".metadata.name", "{.metadata.name}", "metadata.name"] {
            assert_eq!(Template::parse_path(path).unwrap().first(&item), Some(&json!("a")));
        }
    }
}
