//! A command in a pod, and what it printed.

use anyhow::Context;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::AsyncReadExt;

/// Most that is read of an answer, in bytes.
const LONGEST: u64 = 4096;

/// Runs a shell's command; what it printed.
pub(super) async fn capture(pods: &Api<Pod>, pod: &str, command: &str) -> anyhow::Result<String> {
    let parameters = AttachParams { stdin: false, stdout: true, stderr: false, ..AttachParams::default() };
    let mut process = pods.exec(pod, ["sh", "-c", command], &parameters).await?;
    let mut output = Vec::new();
    process.stdout().context("no output")?.take(LONGEST).read_to_end(&mut output).await?;
    Ok(String::from_utf8_lossy(&output).trim().to_owned())
}
