//! A page that is asked for again and again, through every node: not one request may fail.

use crate::cluster::Cluster;
use anyhow::{Result, bail};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PACE: Duration = Duration::from_millis(100);

/// Threads that ask, one for each address.
pub struct Poller {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    failed: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Poller {
    /// Starts asking for these pages; each thread takes the pages of its own list in turn.
    pub fn start(c: &Cluster, lists: Vec<Vec<String>>) -> Self {
        let (stop, asked, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default(), Arc::default());
        let begun = Instant::now();
        let threads = lists.into_iter().map(|urls| {
            let (c, stop, asked) = (c.clone(), Arc::clone(&stop), Arc::clone(&asked));
            let failed: Arc<Mutex<Vec<String>>> = Arc::clone(&failed);
            std::thread::spawn(move || {
                for url in urls.iter().cycle() {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let at = begun.elapsed();
                    if let Err(error) = c.http(url) {
                        let took = begun.elapsed() - at;
                        failed.lock().push(format!("at {:.1} s, for {took:?}: {error:#}", at.as_secs_f32()));
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(PACE);
                }
            })
        });
        let threads = threads.collect();
        Self { stop, asked, failed, threads }
    }

    /// How often was asked so far; none of it may have failed.
    ///
    /// # Errors
    /// Something failed: when, how, and how much.
    pub fn fine(&self) -> Result<usize> {
        let asked = self.asked.load(Ordering::Relaxed);
        let failed = self.failed.lock();
        if let Some(first) = failed.first() {
            bail!("{} of {asked} requests failed, the first {first}", failed.len());
        }
        Ok(asked)
    }

    /// Ends asking.
    ///
    /// # Errors
    /// As of [`Self::fine`].
    pub fn end(mut self) -> Result<usize> {
        self.join();
        self.fine()
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.join();
    }
}
