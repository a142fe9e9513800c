//! What goes wrong between us and the masters, and how it reads.

use serde_json::Value;

/// No answer from any master.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// None could be reached.
    #[error("no master answers: {}; is the cluster running? `raftsman status` shows it, `raftsman up` heals a local one", .tried.join("; "))]
    Unreachable {
        /// Each with its reason.
        tried: Vec<String>,
    },
    /// The user's own patience is at its end.
    #[error("{what}: no answer within {} s (--request-timeout); a change may or may not have been made", .limit.as_secs_f64())]
    Late {
        /// What was asked.
        what: String,
        /// The patience.
        limit: std::time::Duration,
    },
    /// A write was sent and its answer never came.
    #[error(
        "{server} went away while it handled {method} {path} ({reason}); it may or may not have been done: look with \
         `raftsman get`, then repeat if needed"
    )]
    Unknown {
        /// Which master.
        server: String,
        /// HTTP method.
        method: String,
        /// Path.
        path: String,
        /// What broke.
        reason: String,
    },
}

/// What a command can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No answer.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server refused (a `Status` of meta/v1).
    #[error("{}", status_text(.0))]
    Status(Box<Value>),
    /// The server answered something else.
    #[error("{what}: the answer makes no sense: {reason}")]
    Answer {
        /// What was asked.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Failure {
    /// The HTTP code of a refusal.
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Status(status) => status["code"].as_u64(),
            _ => None,
        }
    }

    /// What was at the path is there no more.
    pub(crate) fn gone(path: &str) -> Self {
        let message = format!("what was at {path} is gone");
        Self::Status(Box::new(serde_json::json!({
            "kind": "Status", "code": 404, "reason": "NotFound", "message": message,
        })))
    }

    /// `NotFound`, `Conflict`, …
    pub fn reason(&self) -> &str {
        match self {
            Self::Status(status) => status["reason"].as_str().unwrap_or_default(),
            _ => "",
        }
    }

    /// The refusal's message, without our words around it.
    pub fn message(&self) -> String {
        match self {
            Self::Status(status) => status["message"].as_str().unwrap_or_default().to_owned(),
            other => other.to_string(),
        }
    }
}

/// As kubectl words it, with each cause on its own line and what to do where we know it.
fn status_text(status: &Value) -> String {
    let message = status["message"].as_str().unwrap_or("no message");
    let reason = status["reason"].as_str().unwrap_or_default();
    let mut text = match reason {
        "" => format!("Error from server: {message}"),
        "Invalid" => message.to_owned(),
        _ => format!("Error from server ({reason}): {message}"),
    };
    for cause in status["details"]["causes"].as_array().into_iter().flatten() {
        let what = cause["message"].as_str().unwrap_or_default();
        if !what.is_empty() && !message.contains(what) {
            let field = cause["field"].as_str().unwrap_or_default();
            text.push_str(&format!("\n  {field}{}{what}", if field.is_empty() { "" } else { ": " }));
        }
    }
    if let Some(hint) = hint(reason, message) {
        text.push_str(&format!("\n  {hint}"));
    }
    text
}

fn hint(reason: &str, message: &str) -> Option<&'static str> {
    match reason {
        "Unauthorized" => {
            Some("The kubeconfig's credentials are of another cluster or have expired; see `raftsman kubeconfig`.")
        }
        "Forbidden" => Some("Ask for a role that allows it, or use the admin kubeconfig."),
        // Others are refusals, which say themselves what to do.
        "Conflict" if message.starts_with("Operation cannot be fulfilled") => {
            Some("Someone else has changed it meanwhile: read it again and repeat.")
        }
        "AlreadyExists" => Some("`raftsman apply` changes what exists."),
        "Timeout" | "ServiceUnavailable" => Some("Do the masters have a majority? `raftsman status` shows it."),
        _ => None,
    }
}

/// The innermost causes in one line, without repetition.
pub fn exit_text(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(inner) = next {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        next = inner.source();
    }
    text
}
