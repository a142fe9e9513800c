#![allow(clippy::unwrap_used)]

use super::*;
use raftsman_controllers::Heartbeats;
use raftsman_store::memory::MemoryStore;
use tokio::sync::Notify;

const LIMIT: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(30);

fn follows(leader: u64) -> Leadership {
    Leadership { term: leader, leader: Some(leader), leading: None }
}

fn leads(term: u64) -> Leadership {
    Leadership { term, leader: Some(1), leading: Some(term) }
}

/// A leader that answers the first request only when it is told to.
#[derive(Default)]
struct Slow {
    asked: std::sync::atomic::AtomicUsize,
    asked_once: Notify,
    go_on: Notify,
}

#[async_trait::async_trait]
impl Leaders for Slow {
    async fn tell(&self, leader: u64, _: Vec<String>) -> Option<Ack> {
        if self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            self.asked_once.notify_one();
            self.go_on.notified().await;
        }
        Some(Ack { term: leader, valid: DEADLINE })
    }
}

#[tokio::test]
async fn a_slow_request_holds_up_no_other_sign_and_ends_with_the_leader() {
    let slow = Arc::new(Slow::default());
    let store = Arc::new(MemoryStore::default());
    store.set_leadership(follows(2));
    let relay = Relay::start(Arc::new(LeaderMemory::new(DEADLINE)), slow.clone(), store.clone());
    let first = tokio::spawn({
        let relay = relay.clone();
        async move { relay.seen("n1").await }
    });
    slow.asked_once.notified().await;
    let second = tokio::time::timeout(LIMIT, relay.seen("n2")).await;
    assert_eq!(second.unwrap(), Some(Ack { term: 2, valid: DEADLINE }));
    store.set_leadership(follows(3));
    let first = tokio::time::timeout(LIMIT, first).await;
    assert_eq!(first.unwrap().unwrap(), None);
}

#[tokio::test]
async fn only_a_leader_that_a_majority_confirms_answers() {
    let store = MemoryStore::default();
    let memory = LeaderMemory::new(DEADLINE);
    let nodes = ["n1".to_owned()];
    store.set_leadership(leads(7));
    assert_eq!(memory.take(&nodes, &store).await, None, "its duties have not begun");
    let (table, _) = memory.begin(7);
    assert_eq!(memory.take(&nodes, &store).await, Some(Ack { term: 7, valid: DEADLINE }));
    assert!(table.last_seen("n1").is_some());
    // Deposed, and it does not know: the majority does.
    store.set_leadership(follows(8));
    assert_eq!(memory.take(&nodes, &store).await, None);
    // Elected again, and its duties are still those of the earlier term.
    store.set_leadership(leads(9));
    assert_eq!(memory.take(&nodes, &store).await, None);
    memory.begin(9);
    assert_eq!(memory.take(&nodes, &store).await, Some(Ack { term: 9, valid: DEADLINE }));
    assert_eq!(table.last_seen("n2"), None);
}
