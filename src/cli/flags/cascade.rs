//! `--cascade` and DeleteOptions.

use clap::ValueEnum;
use serde_json::{Value, json};

/// What becomes of what an object owns (`propagationPolicy` of DeleteOptions).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Cascade {
    /// It goes afterwards
    #[default]
    #[value(alias = "true")]
    Background,
    /// It goes first
    Foreground,
    /// It stays
    #[value(alias = "false")]
    Orphan,
}

/// DeleteOptions. Without `force` a grace of 0 is sent as 1, so that the node confirms (as kubectl does). With a `uid` only that
/// object is deleted, however often it is asked for: none that has taken its name.
pub fn delete_options(cascade: Cascade, grace: Option<i64>, force: bool, dry_run: bool, uid: Option<&str>) -> Value {
    let policy = match cascade {
        Cascade::Background => "Background",
        Cascade::Foreground => "Foreground",
        Cascade::Orphan => "Orphan",
    };
    let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy});
    if let Some(seconds) = grace {
        body["gracePeriodSeconds"] = json!(if force { seconds } else { seconds.max(1) });
    }
    if let Some(uid) = uid {
        body["preconditions"] = json!({ "uid": uid });
    }
    if dry_run {
        body["dryRun"] = json!(["All"]);
    }
    body
}
