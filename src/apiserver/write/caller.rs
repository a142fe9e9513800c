//! On whose behalf a write is made.

use crate::auth::{MASTERS, UserInfo};

/// Who writes, under which leadership, and as which field manager.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user that admission and authorization see.
    pub user: UserInfo,
    /// For the leader's duties: the term of the leadership on whose strength this is written. The write is refused once
    /// another one has begun.
    pub term: Option<u64>,
    /// Name in `managedFields` unless the request's `fieldManager` says another.
    pub manager: String,
}

impl Caller {
    /// A client's request.
    pub fn client(user: UserInfo, manager: impl Into<String>) -> Self {
        Self { user, term: None, manager: manager.into() }
    }

    /// A duty of the leader (controller, scheduler), fenced by its term.
    pub fn duty(user: impl Into<String>, manager: impl Into<String>, term: u64) -> Self {
        Self { user: UserInfo::new(user, [MASTERS.to_owned()]), term: Some(term), manager: manager.into() }
    }

    /// A part of this master that acts at any time, leading or not (node streams).
    pub fn system(user: impl Into<String>, manager: impl Into<String>) -> Self {
        Self { user: UserInfo::new(user, [MASTERS.to_owned()]), term: None, manager: manager.into() }
    }
}
