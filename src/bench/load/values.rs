//! Keys and values that load writes.

use crate::client::Client;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// Keys that one client writes in turn.
const KEYS: u64 = 100;

/// Writes under way while a cluster is filled.
const FILLING: usize = 64;

/// The n-th key of a client.
pub(crate) fn key(client: usize, n: u64) -> String {
    format!("c{client}-{}", n % KEYS)
}

/// A value of this size: letters and digits without a pattern, the same for a seed.
pub(crate) fn value(size: usize, seed: u64) -> Bytes {
    let mut random = StdRng::seed_from_u64(seed);
    (0..size).map(|_| random.sample(rand::distr::Alphanumeric)).collect()
}

/// Writes so many keys, each once. Values differ in their beginning: making each anew would take longer than writing it.
pub(crate) async fn fill(client: &Arc<dyn Client>, count: u64, size: usize) -> Result<(), tonic::Status> {
    let pattern = value(size, 0);
    let writes = (0..count).map(|n| {
        let (client, mut content) = (client.clone(), pattern.to_vec());
        for (byte, digit) in content.iter_mut().zip(format!("{n:016x}").bytes()) {
            *byte = digit;
        }
        async move { client.put(&format!("o{n}"), content.into()).await.map(drop) }
    });
    futures::stream::iter(writes).buffer_unordered(FILLING).try_collect().await
}
