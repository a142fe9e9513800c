//! Query parameters.

use crate::write::{FieldValidation, Propagation};
use percent_encoding::percent_decode_str;
use raftsman_api::status::Status;

/// A request's query, decoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query as it stands behind the question mark.
    pub(crate) fn parse(query: &str) -> Self {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// The first value of a parameter, or empty.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
    }

    /// The parameter is there, with a value or without.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// A boolean; absent is `None`.
    ///
    /// # Errors
    /// 400 for another word.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Status> {
        match (self.has(name), self.text(name)) {
            (false, _) => Ok(None),
            (true, "" | "true" | "1" | "t" | "True" | "TRUE") => Ok(Some(true)),
            (true, "false" | "0" | "f" | "False" | "FALSE") => Ok(Some(false)),
            (true, other) => Err(Status::bad_request(format!("{name}: {other:?} is no boolean: say true or false"))),
        }
    }

    /// A number; absent or empty is `None`.
    ///
    /// # Errors
    /// 400 for what is none.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Status> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Status::bad_request(format!("{name}: {text:?} is no integer"))),
        }
    }

    /// `dryRun=All`.
    ///
    /// # Errors
    /// 400 for another word.
    pub(crate) fn dry_run(&self) -> Result<bool, Status> {
        let given = self.all("dryRun");
        match given.iter().find(|value| *value != "All" && !value.is_empty()) {
            Some(other) => {
                Err(Status::bad_request(format!("dryRun: Unsupported value: {other:?}: supported values: \"All\"")))
            }
            None => Ok(given.iter().any(|value| value == "All")),
        }
    }

    /// `fieldValidation`.
    ///
    /// # Errors
    /// 400 for another word.
    pub(crate) fn validation(&self) -> Result<FieldValidation, Status> {
        FieldValidation::parse(self.text("fieldValidation"))
    }

    /// `propagationPolicy`, or the older `orphanDependents`.
    ///
    /// # Errors
    /// 400 for another word.
    pub(crate) fn propagation(&self) -> Result<Option<Propagation>, Status> {
        let orphan = self.flag("orphanDependents")?;
        propagation(self.text("propagationPolicy"), orphan)
    }
}

/// `propagationPolicy` and `orphanDependents` together.
///
/// # Errors
/// 400 for another word.
pub(crate) fn propagation(policy: &str, orphan: Option<bool>) -> Result<Option<Propagation>, Status> {
    match (policy, orphan) {
        ("Orphan", _) | ("", Some(true)) => Ok(Some(Propagation::Orphan)),
        ("Background", _) | ("", Some(false)) => Ok(Some(Propagation::Background)),
        ("Foreground", _) => Ok(Some(Propagation::Foreground)),
        ("", None) => Ok(None),
        (other, _) => Err(Status::bad_request(format!(
            "propagationPolicy: Unsupported value: {other:?}: supported values: \"Background\", \"Foreground\", \"Orphan\""
        ))),
    }
}
