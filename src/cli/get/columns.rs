//! `-o custom-columns=HEAD:PATH,…`: a table of what paths find.

use crate::get::jsonpath::Template;
use crate::output::columns;
use serde_json::Value;

/// Columns, each with its head.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns(Vec<(String, Template)>);

impl Columns {
    /// Reads `NAME:.metadata.name,NODE:.spec.nodeName`.
    ///
    /// # Errors
    /// A column without a path, or with one that is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let one = |part: &str| match part.split_once(':') {
            Some((head, path)) if !head.is_empty() && !path.is_empty() => {
                Ok((head.to_owned(), Template::parse_path(path).map_err(|error| error.to_string())?))
            }
            _ => Err(format!("custom-columns: {part:?} is not HEAD:PATH, for example NAME:.metadata.name")),
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Reads a file of two lines: the heads, and below them the paths.
    ///
    /// # Errors
    /// There are not as many paths as heads.
    pub fn parse_file(text: &str) -> Result<Self, String> {
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        match &lines[..] {
            [heads, paths, ..] if heads.len() == paths.len() && !heads.is_empty() => {
                let pairs: Vec<String> = heads.iter().zip(paths).map(|(head, path)| format!("{head}:{path}")).collect();
                Self::parse(&pairs.join(","))
            }
            _ => Err("custom-columns-file: a line of heads and a line of as many paths are expected".to_owned()),
        }
    }

    /// The table of these objects.
    pub fn table(&self, objects: &[&Value], headers: bool) -> String {
        let head = headers.then(|| self.0.iter().map(|(head, _)| head.clone()).collect());
        let rows: Vec<Vec<String>> = head.into_iter().chain(objects.iter().map(|object| self.row(object))).collect();
        columns(&rows)
    }

    fn row(&self, object: &Value) -> Vec<String> {
        let cell = |template: &Template| {
            let found: Vec<String> = template.all(object).into_iter().map(plain).collect();
            if found.is_empty() { "<none>".to_owned() } else { found.join(",") }
        };
        self.0.iter().map(|(_, template)| cell(template)).collect()
    }
}

/// As Go prints a value, which is what kubectl shows here.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_what_the_paths_find() {
        let pod = json!({"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"containers": [{"image": "x"}, {"image": "y"}]}});
        let other = json!({"metadata": {"name": "longer-name"}});
        let columns =
            Columns::parse("NAME:.metadata.name,IMAGES:.spec.containers[*].image,L:{.metadata.labels}").unwrap();
        let golden = "\
NAME          IMAGES   L
web           x,y      map[a:b]
longer-name   <none>   <none>
";
        assert_eq!(columns.table(&[&pod, &other], true), golden);
        assert_eq!(columns.table(&[&other], false), "longer-name   <none>   <none>\n");
        assert_eq!(Columns::parse_file("A B\n.a .b\n").unwrap(), Columns::parse("A:.a,B:.b").unwrap());
        for bad in ["NAME", "NAME:", ":.a", "A:.a,B", "A:.x[1:"] {
            assert!(Columns::parse(bad).is_err(), "{bad}");
        }
    }
}
