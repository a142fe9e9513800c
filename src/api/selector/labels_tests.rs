#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
    let find = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
    Selector::parse(selector).unwrap().matches(find)
}

#[test]
fn table() {
    let labels = [("app", "web"), ("tier", "front"), ("n", "5")];
    for (selector, expected) in [
        ("", true),
        ("app=web", true),
        ("app==web", true),
        ("app = web , tier = front", true),
        ("app=db", false),
        ("app!=db", true),
        ("gone!=db", true),
        ("app!=web", false),
        ("app", true),
        ("!app", false),
        ("!gone", true),
        ("gone", false),
        ("app in (db, web)", true),
        ("app in (db)", false),
        ("app notin (db)", true),
        ("gone notin (db)", true),
        ("app notin (web),tier", false),
        ("n>4", true),
        ("n>5", false),
        ("n<6", true),
        ("app>4", false),
        ("app=", false),
        ("example.com/x notin (a,b)", true),
    ] {
        assert_eq!(matches(selector, &labels), expected, "{selector}");
    }
}

#[test]
fn refused() {
    for selector in ["app in web", "app in (web", "=x", "a,,b", "a b", "-x=1", "a=b c", "a=_x", "n>x", ",", "a="] {
        let refused = Selector::parse(selector).is_err();
        assert_eq!(refused, selector != "a=", "{selector}");
    }
}

#[test]
fn shown_as_kubectl_shows() {
    let selector = json!({
        "matchLabels": { "app": "web" },
        "matchExpressions": [{ "key": "tier", "operator": "In", "values": ["b", "a"] }, { "key": "x", "operator": "Exists" }],
    });
    assert_eq!(Selector::shown(&selector), "app=web,tier in (a,b),x");
    assert_eq!(Selector::shown(&json!(null)), "<none>");
    assert_eq!(Selector::shown(&json!({})), "<none>");
}

#[test]
fn null_matches_nothing_and_empty_everything() {
    assert!(!Selector::from_json(&json!(null)).unwrap().matches(|_| None));
    assert!(Selector::from_json(&json!({})).unwrap().matches(|_| None));
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let values = proptest::collection::vec("[a-z][a-z0-9]{0,3}", 1..4);
    ("[a-z]{1,3}", 0..4_u8, values).prop_map(|(key, operator, values)| match operator {
        0 => Requirement::new(key, Operator::In, values),
        1 => Requirement::new(key, Operator::NotIn, values),
        2 => Requirement::new(key, Operator::Exists, Vec::new()),
        _ => Requirement::new(key, Operator::DoesNotExist, Vec::new()),
    })
}

proptest! {
    #[test]
    fn text_says_the_same(mut requirements in proptest::collection::vec(requirement(), 0..4)) {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        let selector = Selector::new(requirements);
        prop_assert_eq!(Selector::parse(&selector.to_string()).unwrap(), selector);
    }

    #[test]
    fn never_panics(text in ".{0,40}") {
        let _ = Selector::parse(&text);
        let _ = crate::selector::FieldSelector::parse(&text, &[]);
    }
}
