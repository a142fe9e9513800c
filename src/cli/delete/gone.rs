//! Waiting until an object is gone.

use crate::connect::Cluster;
use anyhow::bail;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(200);

/// Until it is gone, or another object of that name is there; for `timeout` at most, unless that is zero.
///
/// # Errors
/// It is still there after that time.
pub(crate) async fn until_gone(
    cluster: &Cluster,
    path: &str,
    uid: Option<&str>,
    what: &str,
    timeout: Duration,
) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        match cluster.read(path).await {
            Ok(object) if uid.is_some() && object["metadata"]["uid"].as_str() != uid => return Ok(()),
            Ok(object) if !timeout.is_zero() && start.elapsed() >= timeout => {
                let finalizers = &object["metadata"]["finalizers"];
                let why = if finalizers.is_array() { format!("; finalizers: {finalizers}") } else { String::new() };
                bail!("timed out waiting for {what}: it is not gone after {} s{why}", timeout.as_secs_f64());
            }
            Ok(_) => {}
            Err(error) if error.code() == Some(404) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
