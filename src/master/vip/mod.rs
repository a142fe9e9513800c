//! The control plane's virtual address goes where the leadership goes.
//!
//! The leader holds it for a short time in the kernel and renews it while a majority confirms the leadership: a leader
//! that is cut off, stopped or dead loses it without doing anything. Old and new leader may both hold it for a moment, so
//! nothing may rest on there being one only.

mod gate;
mod plan;

pub use gate::{Gate, listen};
use plan::{Act, Carrier, FRESH, Facts, LIFETIME};
use raftsman_network::border::VirtualAddress;
use raftsman_store::border::Store;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Carries the address while this member leads, until `over`; then it is taken away.
pub async fn carry(store: Arc<dyn Store>, address: Arc<dyn VirtualAddress>, over: CancellationToken) {
    let epoch = Instant::now();
    let mut leadership = store.leadership();
    let mut carrier = Carrier::default();
    let mut failing = false;
    loop {
        let leading = leadership.borrow_and_update().leading.filter(|_| !over.is_cancelled());
        let asked = epoch.elapsed();
        let confirmed = leading.is_some()
            && tokio::time::timeout(FRESH, store.read()).await.is_ok_and(|read| read.is_ok())
            && leadership.borrow().leading == leading;
        let facts = Facts { now: epoch.elapsed(), leads: leading.is_some(), confirmed: confirmed.then_some(asked) };
        let acts = carrier.next(facts);
        for act in acts {
            let done = match act {
                Act::Hold => address.hold(LIFETIME).await,
                Act::Announce => address.announce().await,
                Act::Release => address.release().await,
            };
            match done {
                Ok(()) if act == Act::Hold && std::mem::take(&mut failing) => {
                    tracing::info!("the virtual address can be carried again");
                }
                Ok(()) => {}
                Err(error) => {
                    carrier.failed(act);
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "the virtual address: trying again");
                    }
                    break;
                }
            }
        }
        if over.is_cancelled() {
            return;
        }
        let wake = carrier.wake(Facts { now: epoch.elapsed(), ..facts });
        let pause = async {
            match wake {
                Some(wake) => tokio::time::sleep(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = pause => {}
            () = over.cancelled() => {}
            changed = leadership.changed() => if changed.is_err() { over.cancel() },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use raftsman_network::border::NetworkError;
    use raftsman_store::border::Leadership;
    use raftsman_store::memory::MemoryStore;
    use std::sync::Mutex;
    use std::time::Duration;

    /// A kernel with one address.
    #[derive(Default)]
    struct Kernel {
        until: Mutex<Option<Instant>>,
        announced: Mutex<u32>,
        broken: Mutex<bool>,
    }

    impl Kernel {
        fn has_it(&self) -> bool {
            self.until.lock().unwrap().is_some_and(|until| Instant::now() < until)
        }
    }

    #[async_trait::async_trait]
    impl VirtualAddress for Kernel {
        async fn hold(&self, lifetime: Duration) -> Result<(), NetworkError> {
            if *self.broken.lock().unwrap() {
                return Err(NetworkError::Invalid("broken".to_owned()));
            }
            *self.until.lock().unwrap() = Some(Instant::now() + lifetime);
            Ok(())
        }

        async fn announce(&self) -> Result<(), NetworkError> {
            *self.announced.lock().unwrap() += 1;
            Ok(())
        }

        async fn release(&self) -> Result<(), NetworkError> {
            *self.until.lock().unwrap() = None;
            Ok(())
        }
    }

    fn lead(store: &MemoryStore, leading: bool) {
        let leader = if leading { 1 } else { 2 };
        store.set_leadership(Leadership { term: 3, leader: Some(leader), leading: leading.then_some(3) });
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_where_the_leader_is_and_goes_with_it() {
        let (store, kernel, over) =
            (Arc::new(MemoryStore::default()), Arc::new(Kernel::default()), CancellationToken::new());
        lead(&store, false);
        let task = tokio::spawn(carry(store.clone(), kernel.clone(), over.clone()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!kernel.has_it());
        lead(&store, true);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(kernel.has_it(), "at once");
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(kernel.has_it(), "renewed");
        assert_eq!(*kernel.announced.lock().unwrap(), 17);
        lead(&store, false);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(!kernel.has_it());
        lead(&store, true);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(kernel.has_it());
        over.cancel();
        task.await.unwrap();
        assert!(!kernel.has_it(), "released at the end");
    }

    #[tokio::test(start_paused = true)]
    async fn a_kernel_that_refuses_is_asked_again() {
        let (store, kernel) = (Arc::new(MemoryStore::default()), Arc::new(Kernel::default()));
        *kernel.broken.lock().unwrap() = true;
        let task = tokio::spawn(carry(store, kernel.clone(), CancellationToken::new()));
        tokio::time::sleep(Duration::from_secs(3)).await;
        *kernel.broken.lock().unwrap() = false;
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(kernel.has_it());
        task.abort();
    }
}
