//! Who a fault hits: a host by name, or by what it is at that moment.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `leader`, `follower-1`, `follower-2`, or a host's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Who(pub String);

impl Who {
    /// By its word.
    pub fn of(word: &str) -> Self {
        Self(word.to_owned())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host that is meant, while `leader` leads these masters. Without a leader the first master stands in for it.
pub fn resolve(who: &Who, leader: Option<&str>, masters: &[String]) -> Option<String> {
    let leader = leader.or(masters.first().map(String::as_str))?;
    let followers = || masters.iter().filter(|name| *name != leader);
    match who.0.as_str() {
        "leader" => Some(leader.to_owned()),
        "follower-1" => followers().next().cloned(),
        "follower-2" => followers().nth(1).cloned(),
        name => Some(name.to_owned()),
    }
}
