//! Label selectors over extracted labels: nothing is decoded to select.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use raftsman_state::Meta;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// A compiled selector (`meta/v1 LabelSelector`); all requirements must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<(String, Operator, Vec<String>)>,
}

impl Selector {
    /// Equality with every pair.
    pub fn of_map(map: &BTreeMap<String, String>) -> Self {
        Self { requirements: map.iter().map(|(key, value)| (key.clone(), Operator::In, vec![value.clone()])).collect() }
    }

    /// `None` for an operator that does not exist.
    pub fn of(selector: &LabelSelector) -> Option<Self> {
        let mut compiled = selector.match_labels.as_ref().map_or(Self { requirements: Vec::new() }, Self::of_map);
        for requirement in selector.match_expressions.iter().flatten() {
            let operator = match requirement.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => return None,
            };
            let values = requirement.values.clone().unwrap_or_default();
            compiled.requirements.push((requirement.key.clone(), operator, values));
        }
        Some(compiled)
    }

    /// It has no requirement, so it selects everything: most controllers refuse such a one.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether extracted labels fit.
    pub fn matches(&self, meta: &Meta) -> bool {
        self.fits(|key| meta.label(key))
    }

    /// Whether labels of a typed object fit.
    pub fn matches_labels(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.fits(|key| labels?.get(key).map(String::as_str))
    }

    fn fits<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|(key, operator, values)| {
            let found = label(key);
            let listed = found.is_some_and(|found| values.iter().any(|value| value == found));
            match operator {
                Operator::In => listed,
                Operator::NotIn => !listed,
                Operator::Exists => found.is_some(),
                Operator::DoesNotExist => found.is_none(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn operators() {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned()), ("tier".to_owned(), "front".to_owned())]);
        for (expression, expected) in [
            (json!({"key": "app", "operator": "In", "values": ["web", "db"]}), true),
            (json!({"key": "app", "operator": "In", "values": ["db"]}), false),
            (json!({"key": "none", "operator": "In", "values": ["db"]}), false),
            (json!({"key": "app", "operator": "NotIn", "values": ["web"]}), false),
            (json!({"key": "none", "operator": "NotIn", "values": ["web"]}), true),
            (json!({"key": "tier", "operator": "Exists"}), true),
            (json!({"key": "none", "operator": "Exists"}), false),
            (json!({"key": "none", "operator": "DoesNotExist"}), true),
            (json!({"key": "app", "operator": "DoesNotExist"}), false),
        ] {
            let selector = serde_json::from_value(json!({"matchExpressions": [expression]})).unwrap();
            assert_eq!(Selector::of(&selector).unwrap().matches_labels(Some(&labels)), expected, "{expression}");
        }
    }
}
