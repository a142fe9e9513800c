//! Whole members on simulated machines, each test for one thing that must come out right.

mod cuts;
mod disks;
mod queues;
mod transfers;

use raftsman_state::{Body, Change, Meta, Op, Outcome, Txn, View};
use raftsman_store::sim::{self, Client, World};
use std::sync::Arc;
use std::time::Duration;

/// A write that was acknowledged: its key, what it wrote, and its revision.
type Acknowledged = (String, String, u64);

fn put(name: &str, text: &str) -> Txn {
    let op =
        Op::Put { key: crate::harness::key(name), meta: Arc::new(Meta::default()), body: Body::plain(text.to_owned()) };
    Txn { ops: vec![op], ..Txn::default() }
}

/// Writes; puts down what was acknowledged. False: it was not.
async fn write(client: &Client, name: &str, text: &str, acknowledged: &mut Vec<Acknowledged>) -> bool {
    match client.propose(put(name, text)).await {
        Ok(Outcome::Committed(revisions)) => {
            acknowledged.push((name.to_owned(), text.to_owned(), revisions[0]));
            true
        }
        Ok(other) => panic!("{other:?}"),
        Err(_) => false,
    }
}

/// Waits until a member serves.
async fn ready(world: &World, id: u64, within: Duration) -> Client {
    let begun = sim::elapsed();
    loop {
        if let Some(client) = world.client(id)
            && client.health().ready
        {
            return client;
        }
        let seen = world.client(id).map(|client| (client.health(), client.ended().map(|error| error.to_string())));
        assert!(sim::elapsed() - begun < within, "member {id} is not ready within {within:?}: {seen:?}");
        sim::sleep(Duration::from_millis(5)).await;
    }
}

/// A cluster that serves.
async fn formed(world: &World) {
    for id in world.machines() {
        world.start(id).await.unwrap();
    }
    for id in world.machines() {
        ready(world, id, Duration::from_secs(20)).await;
    }
}

fn leader(world: &World) -> Option<Client> {
    world.running().into_iter().filter_map(|id| world.client(id)).find(|client| client.leadership().leading.is_some())
}

/// All changes after a revision, in order.
fn changes(view: &View, after: u64) -> Vec<Arc<Change>> {
    let mut found: Vec<Arc<Change>> = Vec::new();
    for (resource, _) in view.tables() {
        found.extend(view.changes_after(resource, after).unwrap().cloned());
    }
    found.sort_by_key(|change| change.revision);
    found
}

/// Everything that was acknowledged is there, at the revision that was told, and no revision is missing.
fn holds(view: &View, acknowledged: &[Acknowledged], context: &str) {
    let changes = changes(view, 0);
    assert!(changes.iter().map(|change| change.revision).eq(1..=view.revision()), "{context}: a revision is missing");
    for (name, text, revision) in acknowledged {
        let change =
            changes.get(*revision as usize - 1).unwrap_or_else(|| panic!("{context}: {name} {revision} is gone"));
        assert_eq!((change.key().name(), &change.object.json[..]), (name.as_str(), text.as_bytes()), "{context}");
    }
}
