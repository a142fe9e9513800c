//! `--sort-by`.

use super::jsonpath::Template;
use serde_json::Value;
use std::cmp::Ordering;

/// Sorts by what the path finds in each item's object; what lacks it comes first. Equals keep their order.
pub(super) fn sort<T>(items: &mut [T], by: &Template, object: impl Fn(&T) -> &Value) {
    items.sort_by(|a, b| compare(by.first(object(a)), by.first(object(b))));
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(a), Some(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.to_string().cmp(&b.to_string()),
        },
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_no_texts_and_what_is_absent_comes_first() {
        let mut items = [json!({"n": 10}), json!({"n": 9}), json!({}), json!({"n": 9.5})];
        sort(&mut items, &Template::parse_path(".n").unwrap(), |item| item);
        assert_eq!(items, [json!({}), json!({"n": 9}), json!({"n": 9.5}), json!({"n": 10})]);
    }
}
