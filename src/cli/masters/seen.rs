//! What the masters say of themselves.

use crate::connect::{Cluster, Unanswered};
use serde_json::Value;

/// A dead leader's successor is waited for so long (seconds).
const PATIENCE: u64 = 2;

/// One master's answers.
#[derive(Debug)]
pub struct Seen {
    ready: Result<u16, Unanswered>,
    status: Value,
}

/// Asks the masters in these places. Where none that answers leads, those that answer say it again as soon as one does.
pub async fn ask(api: &Cluster, places: impl IntoIterator<Item = usize>) -> Vec<Seen> {
    let places: Vec<usize> = places.into_iter().collect();
    let one = |at: usize| async move {
        let (ready, status) = tokio::join!(api.masters().ask(at, "/readyz"), status(api, at, ""));
        Seen { ready: ready.map(|(code, _)| code), status }
    };
    let mut seen = futures::future::join_all(places.iter().copied().map(one)).await;
    let Some(query) = unsettled(&seen) else {
        return seen;
    };
    let answered = seen.iter_mut().zip(places).filter(|(seen, _)| !seen.status.is_null());
    let again = answered.map(|(seen, at)| {
        let query = &query;
        async move { seen.status = status(api, at, query).await }
    });
    futures::future::join_all(again).await;
    seen
}

/// Which of these masters answers at the virtual address, which the connection has behind them; `None`: none of them.
///
/// # Errors
/// Nobody does.
pub async fn carrier(api: &Cluster, seen: &[Seen]) -> Result<Option<usize>, Unanswered> {
    let (_, body) = api.masters().ask(seen.len(), "/raftsman/v1/status").await?;
    let status: Value = serde_json::from_slice(&body).unwrap_or_default();
    let member = status["member"].as_u64();
    Ok(seen.iter().position(|seen| member.is_some() && seen.member() == member))
}

async fn status(api: &Cluster, at: usize, query: &str) -> Value {
    match api.masters().ask(at, &format!("/raftsman/v1/status{query}")).await {
        Ok((200, body)) => serde_json::from_slice(&body).unwrap_or_default(),
        _ => Value::Null,
    }
}

/// What to ask if nobody who answers leads: the leader that they still name is gone.
fn unsettled(seen: &[Seen]) -> Option<String> {
    let newest = seen.iter().filter(|seen| seen.term().is_some()).max_by_key(|seen| seen.term())?;
    if seen.iter().any(|seen| seen.leads() && seen.term() == newest.term()) {
        return None;
    }
    let gone = newest.leader().map_or(String::new(), |leader| format!("&leaderOtherThan={leader}"));
    Some(format!("?leaderWithinSeconds={PATIENCE}{gone}"))
}

impl Seen {
    /// It takes requests.
    pub fn is_ready(&self) -> bool {
        matches!(self.ready, Ok(200))
    }

    /// The cell `READY`.
    pub fn readiness(&self) -> String {
        match &self.ready {
            Ok(200) => "yes".to_owned(),
            Ok(code) => format!("no ({code})"),
            Err(Unanswered::Refused) => "refused".to_owned(),
            Err(Unanswered::Silent) => "no answer".to_owned(),
            Err(Unanswered::Other(reason)) => format!("no ({reason})"),
        }
    }

    /// Its newest applied log entry.
    pub fn applied(&self) -> Option<u64> {
        self.status["applied"].as_u64()
    }

    /// Its newest revision.
    pub fn revision(&self) -> Option<u64> {
        self.status["revision"].as_u64()
    }

    /// It leads, as far as it knows.
    pub fn leads(&self) -> bool {
        self.leader().is_some() && self.leader() == self.member()
    }

    /// The member id of the leader that it knows.
    pub fn leader(&self) -> Option<u64> {
        self.status["leader"].as_u64()
    }

    fn term(&self) -> Option<u64> {
        self.status["term"].as_u64()
    }

    /// Its member id.
    pub fn member(&self) -> Option<u64> {
        self.status["member"].as_u64()
    }

    /// When its process began (milliseconds since 1970).
    pub fn started(&self) -> Option<u64> {
        self.status["started"].as_u64()
    }

    /// As a leader: how many log entries this member lacks.
    pub fn lag_of(&self, member: u64) -> Option<u64> {
        let members = self.status["members"].as_array()?;
        let matched = members.iter().find(|other| other["id"] == member)?["matched"].as_u64()?;
        Some(self.status["last_log"].as_u64()?.saturating_sub(matched))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    impl Seen {
        pub(in crate::masters) fn set(&mut self, field: &str, value: Value) {
            self.status[field] = value;
        }
    }

    pub(crate) fn seen(member: u64, term: u64, leader: Option<u64>) -> Seen {
        Seen { ready: Ok(200), status: json!({ "member": member, "term": term, "leader": leader }) }
    }

    pub(crate) fn silent() -> Seen {
        Seen { ready: Err(Unanswered::Refused), status: Value::Null }
    }

    #[test]
    fn asks_again_only_while_nobody_who_answers_leads() {
        assert_eq!(unsettled(&[seen(1, 3, Some(2)), seen(2, 3, Some(2)), silent()]), None);
        assert_eq!(unsettled(&[silent(), silent()]), None, "nobody could answer that either");
        let killed = [seen(1, 3, Some(2)), silent(), seen(3, 3, Some(2))];
        assert_eq!(unsettled(&killed).as_deref(), Some("?leaderWithinSeconds=2&leaderOtherThan=2"));
        let voting = [seen(1, 4, None), silent(), seen(3, 3, Some(2))];
        assert_eq!(unsettled(&voting).as_deref(), Some("?leaderWithinSeconds=2"));
        let deposed = [seen(1, 4, Some(3)), seen(2, 3, Some(2)), silent()];
        assert_eq!(unsettled(&deposed).as_deref(), Some("?leaderWithinSeconds=2&leaderOtherThan=3"));
    }

    #[test]
    fn cells_are_short() {
        assert_eq!(silent().readiness(), "refused");
        assert_eq!(seen(1, 3, Some(1)).readiness(), "yes");
    }
}
