//! Nothing that waits grows without bound.

use super::{formed, leader};
use raftsman_store::border::StoreError;
use raftsman_store::sim::{self, Crash, World};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn reads_that_wait_for_a_quorum_are_bounded() {
    let (refused, late) = sim::run(7, async {
        let world = Arc::new(World::new(7, 3, |config| config.lease_reads = false));
        formed(&world).await;
        let one = leader(&world).unwrap();
        world.machines().into_iter().filter(|id| *id != one.member()).for_each(|id| world.crash(id, Crash::Process));
        // In three waves: those of the first are long taken out of the queue when the last comes.
        let mut reads = Vec::new();
        for _ in 0..3 {
            for _ in 0..8_000 {
                let client = one.clone();
                reads.push(sim::spawn(async move { client.read().await.map(drop) }));
            }
            sim::sleep(Duration::from_millis(50)).await;
        }
        let (mut refused, mut late) = (0, 0);
        for read in reads {
            match read.done().await {
                Some(Err(StoreError::Overloaded(_))) => refused += 1,
                Some(Err(_)) => late += 1,
                other => panic!("{other:?}"),
            }
        }
        (refused, late)
    })
    .unwrap();
    // 16,384 places; the member asks for its own health too.
    assert!((24_000 - 16_384..24_000 - 16_370).contains(&refused), "{refused} refused");
    assert_eq!(refused + late, 24_000);
}
