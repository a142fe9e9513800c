//! Tokens with which hosts join. Pure.
//!
//! A token is `ID.SECRET.PIN`: the id names a Secret of type `bootstrap.kubernetes.io/token` in `kube-system`, which holds
//! a hash of the secret only; the pin is the hash of the authority's public key, and never sent. A token is for one host:
//! the first that uses it binds it to its own name and key, and may ask again with these until the token ends, or until it
//! is removed from the masters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use raftsman_api::config::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The Secret's namespace.
pub const NAMESPACE: &str = "kube-system";

/// Its type, as upstream's bootstrap tokens have it.
const TYPE: &str = "bootstrap.kubernetes.io/token";

/// The Secret of a token id, if that can be one.
pub fn secret_name(id: &str) -> Option<String> {
    let plain = id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    plain.then(|| format!("bootstrap-token-{id}"))
}

/// What the Secret keeps of a token's secret.
pub fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// It was used by this host before: nothing has to be written.
    pub again: bool,
    /// If so, the highest id that any master had had by then: what this host became has a higher one.
    pub past: u64,
    /// The name of the master that goes when this one votes.
    pub replaces: Option<String>,
}

/// Why a token does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Useless {
    /// There is no such token, or its secret is another.
    #[error(
        "the token is not valid: it was mistyped, revoked, or is of another cluster; `raftsman members token create` makes one"
    )]
    Wrong,
    /// It has ended.
    #[error("the token ended at {0}; `raftsman members token create` makes a new one")]
    Expired(String),
    /// It is for something else.
    #[error("the token is for a {0}; `raftsman members token create{1}` makes one for this")]
    Purpose(String, &'static str),
    /// Another host has used it.
    #[error("the token was used already, by {0}; each host needs its own: `raftsman members token create`")]
    Used(String),
    /// The master that it was for was removed.
    #[error(
        "the token was for a master that was removed since; to join again take a new one: `raftsman members token create`"
    )]
    Removed,
}

fn field(secret: &Value, name: &str) -> String {
    let bytes = STANDARD.decode(secret["data"][name].as_str().unwrap_or_default()).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether a token is one, and good: before that nobody is told anything. Its Secret then.
///
/// # Errors
/// [`Useless`].
pub fn believe<'a>(secret: Option<&'a Value>, given: &str, now: jiff::Timestamp) -> Result<&'a Value, Useless> {
    let stored = secret.filter(|secret| secret["type"] == TYPE).ok_or(Useless::Wrong)?;
    let kept = field(stored, "token-hash");
    // Both are hashes: where they differ says nothing of the secret.
    if kept.is_empty() || kept != hash(given) {
        return Err(Useless::Wrong);
    }
    let end = field(stored, "expiration");
    if end.parse::<jiff::Timestamp>().map_or(true, |end| end <= now) {
        return Err(Useless::Expired(end));
    }
    Ok(stored)
}

/// Judges a token against its Secret, for a host of this role, name and key.
///
/// # Errors
/// [`Useless`].
pub fn judge(
    secret: Option<&Value>,
    given: &str,
    (role, name, key): (Role, &str, &str),
    now: jiff::Timestamp,
) -> Result<Grant, Useless> {
    let stored = believe(secret, given, now)?;
    let wanted = if role == Role::Master { "master" } else { "node" };
    let purpose = field(stored, "usage-raftsman-join");
    if purpose != wanted {
        return Err(Useless::Purpose(purpose, if role == Role::Node { " --node" } else { "" }));
    }
    let (by, used) = (field(stored, "used-by"), field(stored, "used-key"));
    if !used.is_empty() && (used != key || by != name) {
        return Err(Useless::Used(by));
    }
    let past = field(stored, "used-past").parse().unwrap_or(0);
    let replaces = Some(field(stored, "replaces")).filter(|name| !name.is_empty());
    Ok(Grant { again: used == key, past, replaces })
}

/// What the Secret gets when a host uses it. `past`: the highest id that any master has or had.
pub fn used(name: &str, key: &str, past: u64) -> Value {
    json!({ "data": {
        "used-by": STANDARD.encode(name), "used-key": STANDARD.encode(key), "used-past": STANDARD.encode(past.to_string()),
    } })
}
