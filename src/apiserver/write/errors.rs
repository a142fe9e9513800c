//! The store's errors as clients read them.

use raftsman_api::status::Status;
use raftsman_store::border::StoreError;
use serde_json::json;

/// An answer to a request that the store could not serve.
pub(crate) fn store_error(error: &StoreError) -> Status {
    match error {
        StoreError::NoLeader(_) | StoreError::Closed | StoreError::Removed(_) | StoreError::Leaving => {
            Status::unavailable(error.to_string())
        }
        StoreError::Unknown { .. } => Status {
            details: Some(json!({ "retryAfterSeconds": 1 })),
            ..Status::new(504, "Timeout", format!("Timeout: {error}; look before you repeat it"))
        },
        StoreError::Behind { asked, current } => Status {
            details: Some(json!({
                "retryAfterSeconds": 1,
                "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
            })),
            ..Status::new(504, "Timeout", format!("Timeout: Too large resource version: {asked}, current: {current}"))
        },
        StoreError::Overloaded(_) => Status {
            details: Some(json!({ "retryAfterSeconds": 1 })),
            ..Status::new(429, "TooManyRequests", error.to_string())
        },
        StoreError::Storage(_) | StoreError::TooOld { .. } => Status::internal(error.to_string()),
    }
}

/// A leader's duty goes on writing after its leadership ended.
pub(super) fn deposed(term: u64) -> Status {
    Status::unavailable(format!("the leadership of term {term} has ended"))
}
