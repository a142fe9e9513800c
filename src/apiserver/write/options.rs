//! What a request may say about how it is carried out.

use parking_lot::Mutex;
use raftsman_api::status::Status;
use std::sync::Arc;

/// `fieldValidation`: what happens to unknown and duplicate fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Dropped in silence.
    Ignore,
    /// Dropped, with a warning.
    #[default]
    Warn,
    /// Refused.
    Strict,
}

impl FieldValidation {
    /// From the query parameter.
    ///
    /// # Errors
    /// 400 for another word.
    pub fn parse(text: &str) -> Result<Self, Status> {
        match text {
            "" | "Warn" => Ok(Self::Warn),
            "Ignore" => Ok(Self::Ignore),
            "Strict" => Ok(Self::Strict),
            other => Err(Status::bad_request(format!(
                "fieldValidation: Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }
}

/// Collects the warnings of one request (`Warning: 299` headers).
#[derive(Debug, Clone, Default)]
pub struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Adds one, once.
    pub fn add(&self, text: String) {
        let mut all = self.0.lock();
        if !all.contains(&text) {
            all.push(text);
        }
    }

    /// What was collected.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

/// Options of create, update, patch and bind.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Everything but the transaction.
    pub dry_run: bool,
    /// Unknown and duplicate fields.
    pub validation: FieldValidation,
    /// `fieldManager`, if the request gave one.
    pub manager: Option<String>,
    /// Server-side apply takes fields from other managers.
    pub force: bool,
    /// What was wrong with the text before it became JSON values (`duplicate field "spec.x"`), judged as unknown fields
    /// are.
    pub duplicates: Vec<String>,
    /// Where warnings go.
    pub warnings: Warnings,
}

/// What must be true of the object (`meta/v1 Preconditions`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// Its uid.
    pub uid: Option<String>,
    /// Its resourceVersion.
    pub resource_version: Option<String>,
}

/// `propagationPolicy`: what becomes of dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They stay.
    Orphan,
    /// They go afterwards.
    Background,
    /// They go first.
    Foreground,
}

/// Options of delete (`meta/v1 DeleteOptions`).
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Everything but the transaction.
    pub dry_run: bool,
    /// `gracePeriodSeconds`; 0 removes at once.
    pub grace: Option<i64>,
    /// `propagationPolicy`; the kind's own (mostly background) when absent.
    pub propagation: Option<Propagation>,
    /// What must be true.
    pub preconditions: Preconditions,
}

impl DeleteOptions {
    /// Removes at once an object that is known to have this uid: what a node says when a pod's containers are gone.
    pub fn now(uid: &str) -> Self {
        Self {
            grace: Some(0),
            preconditions: Preconditions { uid: Some(uid.to_owned()), resource_version: None },
            ..Self::default()
        }
    }
}
