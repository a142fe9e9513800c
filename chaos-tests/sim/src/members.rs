//! Members that come and go for ever while faults befall the cluster.

use crate::keeper::Keeper;
use raftsman_store::border::{Change, ChangeError};
use raftsman_store::sim::{self, Client};
use std::sync::Arc;
use std::time::Duration;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// Whoever leads now.
fn leader(keeper: &Keeper) -> Option<Client> {
    let clients = keeper.world.running().into_iter().filter_map(|id| keeper.world.client(id));
    clients.into_iter().find(|client| client.leadership().leading.is_some())
}

/// A new machine asks until it is taken in or refused, as `serve --join` does; then it starts. It may come in the place of
/// another.
pub fn join(keeper: &Arc<Keeper>, replaces: Option<u64>, voter: bool) {
    let Some(number) = keeper.begin_join(replaces) else { return };
    let keeper = keeper.clone();
    sim::spawn(async move {
        let name = format!("j{number}");
        let address = format!("127.0.0.1:{}", 10_000 + number);
        let change = Change::Add { name: name.clone(), address, voter, replaces, key: name.clone() };
        loop {
            match change_once(&keeper, change.clone()).await {
                Some(Ok(changed)) => {
                    keeper.world.add(changed.member, &name);
                    break;
                }
                Some(Err(ChangeError::Refused(_) | ChangeError::Unknown(_))) => break,
                _ => sim::sleep(PAUSE).await,
            }
        }
        keeper.end_join();
    });
}

/// A member is removed for ever, perhaps: what the answer leaves open is settled by [`settle`].
pub fn leave(keeper: &Arc<Keeper>, member: u64) {
    if !keeper.begin_leave(member) {
        return;
    }
    let keeper = keeper.clone();
    sim::spawn(async move {
        if let Some(Err(ChangeError::Refused(_))) = change_once(&keeper, Change::Remove { member }).await {
            keeper.stays(member);
        }
        keeper.end_change();
    });
}

/// Ends every coming and going. Those that were removed know it and are gone then.
pub async fn settle(keeper: &Arc<Keeper>, within: Duration) {
    let until = sim::elapsed() + within;
    while sim::elapsed() < until {
        let (leaving, joining) = keeper.comings_and_goings();
        if leaving.is_empty() && joining == 0 {
            return;
        }
        for member in leaving {
            if let Some(Err(ChangeError::Refused(_))) = change_once(keeper, Change::Remove { member }).await {
                keeper.stays(member);
            }
        }
        sim::sleep(PAUSE).await;
    }
    let (leaving, joining) = keeper.comings_and_goings();
    keeper.recorder.fail(format!("{leaving:?} were removed and have not heard of it; {joining} joins did not end"));
}

async fn change_once(keeper: &Keeper, change: Change) -> Option<Result<raftsman_store::border::Changed, ChangeError>> {
    let client = leader(keeper)?;
    Some(client.change_members(change).await)
}
