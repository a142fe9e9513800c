//! The control plane's virtual address, from where this command runs: it must lead to the master that leads.

use crate::check::bed::{SPREAD, persist};
use crate::check::plan::{Outcome, Probe, Topic};
use crate::connect::Cluster;
use crate::members::{PATH, Row, rows};
use serde_json::Value;
use std::net::SocketAddr;

/// Where it is, as a master says, or why none does; `None`: there is none.
pub(super) async fn find(cluster: &Cluster) -> Result<Option<SocketAddr>, String> {
    cluster.read(PATH).await.map(|members| address(&members)).map_err(|error| error.message())
}

fn address(members: &Value) -> Option<SocketAddr> {
    members["virtualAddress"].as_str()?.parse().ok()
}

/// Asks who answers where it was found; that nobody said where is a failure like others.
pub(super) async fn from_here(
    cluster: &Cluster,
    found: Result<Option<SocketAddr>, String>,
) -> Option<(Probe, Outcome)> {
    match found {
        Ok(None) => None,
        // Two answers of different moments: between them the leadership may move, and the address goes after it.
        Ok(Some(address)) => Some((
            probe(Topic::Vip, address.to_string()),
            persist(SPREAD, || leads_to_the_leader(cluster, address)).await,
        )),
        Err(why) => Some((probe(Topic::Members, PATH.to_owned()), Err(why))),
    }
}

fn probe(topic: Topic, to: String) -> Probe {
    Probe { topic, from: "here".to_owned(), to, command: String::new(), expect: String::new() }
}

async fn leads_to_the_leader(cluster: &Cluster, address: SocketAddr) -> Outcome {
    let uri = format!("https://{address}/").parse().map_err(|error| format!("{address}: {error}"))?;
    let at = cluster.masters().add(uri).ok_or("no connection can be made with these credentials")?;
    let (code, body) = cluster.masters().ask(at, "/raftsman/v1/status").await.map_err(|why| why.to_string())?;
    if code != 200 {
        return Err(format!("it answered {code}"));
    }
    let status: Value = serde_json::from_slice(&body).map_err(|error| format!("what answers is no master: {error}"))?;
    let members = cluster.read(PATH).await.map_err(|error| format!("nobody says who leads: {}", error.message()))?;
    judge(&status, &members)
}

/// Who answers must lead.
fn judge(status: &Value, members: &Value) -> Outcome {
    let (Some(answers), Some(leads)) = (status["member"].as_u64(), members["leader"].as_u64()) else {
        return Err("nobody says who leads".to_owned());
    };
    if answers == leads {
        return Ok(());
    }
    let all = rows(members);
    let name = |id: u64| all.iter().find(|row: &&Row| row.id == id).map_or(id.to_string(), |row| row.name.clone());
    Err(format!("{} answers there, and {} leads", name(answers), name(leads)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::check::report::report;
    use crate::connect::fake::{Answer, Fake};
    use serde_json::json;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn who_answers_must_lead() {
        let members = json!({ "leader": 2, "virtualAddress": "10.0.0.9:6443",
            "members": [{ "id": 1, "name": "m1" }, { "id": 2, "name": "m2" }] });
        assert_eq!(address(&members).map(|address| address.to_string()).as_deref(), Some("10.0.0.9:6443"));
        assert_eq!(address(&json!({})), None);
        assert_eq!(judge(&json!({ "member": 2 }), &members), Ok(()));
        assert_eq!(judge(&json!({ "member": 1 }), &members), Err("m1 answers there, and m2 leads".to_owned()));
        assert!(judge(&Value::Null, &members).is_err());
    }

    #[tokio::test]
    async fn a_leadership_that_moves_between_two_answers_is_no_failure() {
        let fake = Fake::new();
        let master = fake.server(|_| Answer::Json(200, json!({ "leader": 2 }).to_string())).await;
        let looks = AtomicU64::new(0);
        // The former leader, then the next one.
        let carrier = move |_: &str| {
            let member = 1 + looks.fetch_add(1, Ordering::Relaxed).min(1);
            Answer::Json(200, json!({ "member": member }).to_string())
        };
        let carrier = fake.server(carrier).await;
        let cluster = fake.cluster(&[master.address]).await;
        let (probe, outcome) = from_here(&cluster, Ok(Some(carrier.address))).await.unwrap();
        assert_eq!((probe.topic, outcome), (Topic::Vip, Ok(())));
        assert_eq!(carrier.asked.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn who_may_not_read_the_members_is_told_so_by_a_probe() {
        let fake = Fake::new();
        let why = "forbidden: User \"jane\" cannot get path \"/raftsman/v1/members\"";
        let refusal = json!({ "kind": "Status", "code": 403, "reason": "Forbidden", "message": why }).to_string();
        let master = fake.server(move |_| Answer::Json(403, refusal.clone())).await;
        let cluster = fake.cluster(&[master.address]).await;
        let found = find(&cluster).await;
        assert_eq!(found, Err(why.to_owned()));
        let failed = from_here(&cluster, found).await.unwrap();
        let golden = format!(
            "\
FAILED  masters' list of members (0 of 1)
          from here to /raftsman/v1/members: {why}
        {}
",
            Topic::Members.advice()
        );
        assert_eq!(report(&[], &[failed]), (golden, false));
        assert!(from_here(&cluster, Ok(None)).await.is_none(), "no virtual address, nothing to try");
    }
}
