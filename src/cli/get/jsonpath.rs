//! kubectl's JSONPath templates (`-o jsonpath=…`, `--sort-by`): text, `{.a.b[0]['c']}`, `[*]`, `[1:3]`, `[0,2]`, `..a`,
//! `[?(@.a=="b")]`, `{range …}…{end}` and `{"\n"}`.

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
    /// The items from one place to before another, each from the end if negative.
    Slice(Option<i64>, Option<i64>),
    /// What each of these finds.
    Union(Vec<Step>),
    /// The value, and all within it.
    Deep,
    /// Items whose value at the path compares so with this text.
    Where(Vec<Step>, Operator, String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Equal,
    Unequal,
    AtMost,
    AtLeast,
    Below,
    Above,
    Exists,
}

/// The longer ones first: `<=` begins as `<` does.
const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Below),
    (">", Operator::Above),
];

impl Operator {
    fn holds(self, found: &Value, wanted: &str) -> bool {
        let text = shown(found);
        let order = match (text.parse::<f64>(), wanted.parse::<f64>()) {
            (Ok(found), Ok(wanted)) => found.total_cmp(&wanted),
            _ => text.as_str().cmp(wanted),
        };
        match self {
            Self::Equal => text == wanted,
            Self::Unequal => text != wanted,
            Self::AtMost => order.is_le(),
            Self::AtLeast => order.is_ge(),
            Self::Below => order.is_lt(),
            Self::Above => order.is_gt(),
            Self::Exists => true,
        }
    }
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
        self.all(value).into_iter().next()
    }

    /// All values that the template's path finds.
    pub fn all<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self.0.first() {
            Some(Piece::Path(steps)) => find(steps, value),
            _ => Vec::new(),
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
        if let Some(after) = rest.strip_prefix("..") {
            if after.is_empty() {
                return wrong(format!("{text}: a name is expected after `..`"));
            }
            found.push(Step::Deep);
            // The name's own dot.
            rest = if after.starts_with('[') { after } else { &rest[1..] };
            continue;
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
    if let Some(test) = inner.strip_prefix("?(").and_then(|test| test.strip_suffix(')')) {
        for (text, operator) in OPERATORS {
            if let Some((path, wanted)) = test.split_once(text) {
                let wanted = wanted.trim();
                let wanted = if wanted.starts_with(['\'', '"']) { unquoted(wanted)? } else { wanted.to_owned() };
                return Ok(Step::Where(steps(path.trim())?, operator, wanted));
            }
        }
        return Ok(Step::Where(steps(test.trim())?, Operator::Exists, String::new()));
    }
    if inner.contains(',') {
        return inner.split(',').map(|part| bracket(part.trim())).collect::<Result<_, _>>().map(Step::Union);
    }
    if inner.starts_with(['\'', '"']) {
        return Ok(Step::Field(unquoted(inner)?));
    }
    let bound = |text: &str| if text.is_empty() { Ok(None) } else { text.trim().parse().map(Some) };
    if let Some((from, to)) = inner.split_once(':')
        && let (Ok(from), Ok(to)) = (bound(from), bound(to))
    {
        return Ok(Step::Slice(from, to));
    }
    wrong(format!("[{inner}] is not understood: use [*], [N], [N:M], ['NAME'] or [?(@.FIELD==\"VALUE\")]"))
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
        Step::Slice(from, to) => {
            let length = items().len();
            let place = |bound: i64| {
                let far = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
                if bound < 0 { length.saturating_sub(far) } else { far.min(length) }
            };
            items().get(from.map_or(0, place)..to.map_or(length, place)).into_iter().flatten().collect()
        }
        Step::Union(steps) => steps.iter().flat_map(|step| take(step, value)).collect(),
        Step::Deep => {
            let mut all = vec![value];
            let inner: Vec<&Value> = match value {
                Value::Object(fields) => fields.values().collect(),
                _ => items().iter().collect(),
            };
            all.extend(inner.into_iter().flat_map(|value| take(step, value)));
            all
        }
        Step::Where(path, operator, wanted) => {
            let is = |item: &&Value| find(path, item).first().is_some_and(|value| operator.holds(value, wanted));
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
            ("{.items[0:1].metadata.name}{.items[-1:].metadata.name}{.items[5:].spec}", "ab"),
            ("{.items[0,1].metadata.name}{.items[0].metadata['name','none']}", "a ba"),
            ("{..name}{.items..n}{..['n']}", "a b3 103 10"),
            ("{.items[?(@.spec.n>9)].metadata.name}{.items[?(@.spec.n<=3)].metadata.name}", "ba"),
            ("{.items[?(@.metadata.labels)].metadata.name}", "a"),
        ] {
            assert_eq!(Template::parse(template).unwrap().fill(&list()), expected, "{template}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in ["{.a", "{range .a}x", "{end}", "{.a[1:x]}", "{..}", "{a}", "{.a[b]}", "{.a[0,b]}"] {
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
