//! The control plane's virtual address, from where this command runs: it must lead to the master that leads.

use crate::check::plan::{Outcome, Probe, Topic};
use crate::connect::Cluster;
use crate::members::{PATH, Row, rows};
use serde_json::Value;
use std::net::SocketAddr;

/// Where it is, by what a master says; `None`: there is none.
pub(super) fn address(members: &Value) -> Option<SocketAddr> {
    members["virtualAddress"].as_str()?.parse().ok()
}

/// Asks who answers there.
pub(super) async fn ask(cluster: &Cluster, address: SocketAddr) -> (Probe, Outcome) {
    let (from, to) = ("here".to_owned(), address.to_string());
    let probe = Probe { topic: Topic::Vip, from, to, command: String::new(), expect: String::new() };
    (probe, leads_to_the_leader(cluster, address).await)
}

async fn leads_to_the_leader(cluster: &Cluster, address: SocketAddr) -> Outcome {
    let uri = format!("https://{address}/").parse().map_err(|error| format!("{address}: {error}"))?;
    let at = cluster.masters().add(uri).ok_or("no connection can be made with these credentials")?;
    let (code, body) = cluster.masters().ask(at, "/raftsman/v1/status").await.map_err(|why| why.to_string())?;
    if code != 200 {
        return Err(format!("it answered {code}"));
    }
    let status: Value = serde_json::from_slice(&body).map_err(|error| format!("what answers is no master: {error}"))?;
    let members = cluster.read(PATH).await.map_err(|error| error.to_string())?;
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
    use super::*;
    use serde_json::json;

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
}
