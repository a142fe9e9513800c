//! Label selectors.

use super::parse::{self, SelectorError};
use crate::value::At;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What a requirement asks of one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The value is one of these.
    In,
    /// The label is absent or its value none of these.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
    /// The value is an integer above this one.
    GreaterThan,
    /// The value is an integer below this one.
    LessThan,
}

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// What is asked.
    pub operator: Operator,
    /// The values it is asked with, sorted.
    pub values: Vec<String>,
}

impl Requirement {
    /// A requirement as it stands.
    pub fn new(key: impl Into<String>, operator: Operator, mut values: Vec<String>) -> Self {
        values.sort_unstable();
        values.dedup();
        Self { key: key.into(), operator, values }
    }

    /// Whether a label's value (or its absence) does.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|wanted| wanted == value);
        let number = |text: &str| text.parse::<i64>().ok();
        let bound = self.values.first().and_then(|text| number(text));
        match self.operator {
            Operator::In => value.is_some_and(listed),
            Operator::NotIn => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => value.and_then(number).zip(bound).is_some_and(|(value, bound)| value > bound),
            Operator::LessThan => value.and_then(number).zip(bound).is_some_and(|(value, bound)| value < bound),
        }
    }
}

/// All requirements together. The default matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

impl Selector {
    /// Matches no object: a `null` selector.
    pub fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// These requirements.
    pub fn new(requirements: Vec<Requirement>) -> Self {
        Self { requirements, nothing: false }
    }

    /// Reads `a=b,c in (d,e),!f`.
    ///
    /// # Errors
    /// Where the text stops to be a selector.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        Ok(Self::new(parse::labels(text)?))
    }

    /// A map of labels, all required (`spec.selector` of services and replication controllers).
    pub fn from_map(labels: &BTreeMap<String, String>) -> Self {
        let requirements = labels.iter().map(|(key, value)| equals(key, value)).collect();
        Self::new(requirements)
    }

    /// The typed form. An empty one matches everything.
    ///
    /// # Errors
    /// An unknown operator.
    pub fn from_label_selector(selector: &LabelSelector) -> Result<Self, SelectorError> {
        let labels = selector.match_labels.iter().flatten();
        let mut requirements: Vec<Requirement> = labels.map(|(key, value)| equals(key, value)).collect();
        for expression in selector.match_expressions.iter().flatten() {
            let operator = match expression.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(SelectorError::operator(other)),
            };
            let values = expression.values.clone().unwrap_or_default();
            requirements.push(Requirement::new(expression.key.as_str(), operator, values));
        }
        Ok(Self::new(requirements))
    }

    /// The JSON of a selector: a plain map of labels, or a typed `LabelSelector`. Null matches nothing.
    ///
    /// # Errors
    /// It is neither.
    pub fn from_json(selector: &Value) -> Result<Self, SelectorError> {
        let Some(map) = selector.as_object() else {
            return Ok(Self::nothing());
        };
        if map.contains_key("matchLabels") || map.contains_key("matchExpressions") {
            let typed = LabelSelector::deserialize(selector).map_err(|error| SelectorError::new(error.to_string()))?;
            return Self::from_label_selector(&typed);
        }
        let labels = map.keys().map(|key| equals(key, map.get(key).and_then(Value::as_str).unwrap_or(""))).collect();
        Ok(Self::new(labels))
    }

    /// As `kubectl get -o wide` shows a selector's JSON; `<none>` if it is empty.
    pub fn shown(selector: &Value) -> String {
        let text = Self::from_json(selector).map_or_else(|error| error.to_string(), |found| found.to_string());
        if selector.at("matchLabels").is_null() && selector.at("matchExpressions").is_null() || text.is_empty() {
            return "<none>".to_owned();
        }
        text
    }

    /// Whether an object with these labels does.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.matches(label(&requirement.key)))
    }

    /// Whether an object's JSON does.
    pub fn matches_object(&self, object: &Value) -> bool {
        self.matches(|key| crate::meta::label(object, key))
    }

    /// It asks nothing.
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// Its requirements.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }
}

fn equals(key: &str, value: &str) -> Requirement {
    Requirement::new(key, Operator::In, vec![value.to_owned()])
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match (self.operator, self.values.len()) {
            (Operator::In, 1) => write!(f, "{key}={values}"),
            (Operator::In, _) => write!(f, "{key} in ({values})"),
            (Operator::NotIn, _) => write!(f, "{key} notin ({values})"),
            (Operator::Exists, _) => f.write_str(key),
            (Operator::DoesNotExist, _) => write!(f, "!{key}"),
            (Operator::GreaterThan, _) => write!(f, "{key}>{values}"),
            (Operator::LessThan, _) => write!(f, "{key}<{values}"),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "labels_tests.rs"]
mod tests;
