//! Continue tokens, in upstream's form: base64 of a small JSON object.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use raftsman_api::status::Status;
use raftsman_state::ObjectName;
use serde::{Deserialize, Serialize};

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    /// `meta.k8s.io/v1`.
    v: String,
    /// The list's revision; -1 for "whatever is now" after the list's own revision was compacted.
    rv: i64,
    /// Namespace (empty for cluster-scoped kinds) and name of the last object given.
    start: (String, String),
}

impl Token {
    pub(super) fn new(revision: Option<u64>, last: &ObjectName) -> Self {
        let rv = revision.and_then(|revision| i64::try_from(revision).ok()).unwrap_or(-1);
        Self { v: "meta.k8s.io/v1".to_owned(), rv, start: (last.namespace.to_string(), last.name.to_string()) }
    }

    /// The revision; `None` for an inconsistent token.
    pub(super) fn revision(&self) -> Option<u64> {
        u64::try_from(self.rv).ok()
    }

    pub(super) fn last(&self) -> ObjectName {
        ObjectName { namespace: self.start.0.as_str().into(), name: self.start.1.as_str().into() }
    }

    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads what a client sent.
    ///
    /// # Errors
    /// 400: it is no token of ours.
    pub(super) fn decode(text: &str) -> Result<Self, Status> {
        let invalid = || Status::bad_request("continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| invalid())?;
        let token: Self = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        if token.v == "meta.k8s.io/v1" && token.rv >= -1 { Ok(token) } else { Err(invalid()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tokens_come_back_and_strangers_are_refused() {
        let last = ObjectName { namespace: "default".into(), name: "a".into() };
        let token = Token::new(Some(7), &last);
        assert_eq!(Token::decode(&token.encode()).unwrap(), token);
        assert_eq!(token.last(), last);
        assert_eq!(Token::new(None, &last).revision(), None);
        for bad in ["", "x", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTUsInN0YXJ0IjpbImEiLCJiIl19"] {
            assert_eq!(Token::decode(bad).unwrap_err().code, 400, "{bad}");
        }
    }
}
