//! Commands of our own CLI that go on and on: `get -w` of the registers, and `logs -f` of a pod that counts.

use super::{Context, NAMESPACE, Workload};
use crate::record::{Followed, Told};
use crate::steps::BUSYBOX;
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// The pod that counts, and its node, where it stays whatever happens to that.
const POD: &str = "teller";
const NODE: &str = "n1";
/// One that ended is started again after this.
const AGAIN: Duration = Duration::from_millis(500);
/// A register's change on a line of its own.
const CHANGE: &str = r#"jsonpath={.metadata.resourceVersion} {.metadata.name} {.data.v}{"\n"}"#;

/// See the module.
pub(super) struct Follow;

fn teller() -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {POD}, labels: {{app: {POD}}}}}
spec:
  nodeName: {NODE}
  terminationGracePeriodSeconds: 0
  tolerations: [{{operator: Exists}}]
  containers:
  - name: c
    image: {BUSYBOX}
    command:
    - sh
    - -c
    - life=$(cat /proc/sys/kernel/random/uuid); i=0; while true; do i=$((i+1)); echo "$life $i"; sleep 0.3; done
"#
    )
}

/// `REVISION NAME VALUE`.
fn change(line: &str) -> Option<Told> {
    let mut words = line.split(' ');
    let revision = words.next()?.parse().ok()?;
    Some(Told::Change { revision, key: words.next()?.to_owned(), value: words.next()?.parse().ok()? })
}

/// `LIFE NUMBER`.
fn count(line: &str) -> Option<Told> {
    let (life, number) = line.split_once(' ')?;
    Some(Told::Line { life: life.to_owned(), number: number.parse().ok()? })
}

/// Runs it again and again; each run is one entry of the record.
async fn follow(c: &Context, host: &str, words: &[&str], read: fn(&str) -> Option<Told>) -> Result<()> {
    let what = format!("raftsman {}", words.get(..2).unwrap_or(words).join(" "));
    while !c.closed() {
        let mut command = tokio::process::Command::from(c.cluster.raftsman_command(""));
        command.args(words).args(["-n", NAMESPACE]).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("raftsman")?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut lines = BufReader::new(stdout.context("its output")?).lines();
        let mut followed = Followed { what: what.clone(), host: host.to_owned(), ..Followed::default() };
        loop {
            match tokio::time::timeout(Duration::from_millis(200), lines.next_line()).await {
                Ok(Ok(Some(line))) if line.is_empty() => {}
                Ok(Ok(Some(line))) => followed.told.push(read(&line).unwrap_or(Told::Odd(line))),
                Ok(_) => {
                    let mut why = String::new();
                    if let Some(mut stderr) = stderr {
                        // Whatever it said.
                        let _ = stderr.read_to_string(&mut why).await;
                    }
                    let status = child.wait().await.context("raftsman")?;
                    followed.ended = Some((c.now(), format!("{status}: {}", why.trim())));
                    break;
                }
                Err(_) if c.closed() => break,
                Err(_) => {}
            }
        }
        c.record.lock().followed.push(followed);
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

#[async_trait]
impl Workload for Follow {
    fn name(&self) -> &'static str {
        "get -w and logs -f"
    }

    fn watches(&self) -> bool {
        true
    }

    async fn prepare(&self, c: &Context) -> Result<()> {
        c.apply(teller()).await?;
        let wait = format!("wait --for=condition=Ready pod/{POD} --timeout=60s --request-timeout=0");
        c.kubectl(&wait).await.map(drop)
    }

    async fn run(&self, c: &Context) -> Result<()> {
        let watch = ["get", "-w", "configmaps", "-l", "chaos=register", "--watch-only", "-o", CHANGE];
        let logs = ["logs", "-f", POD, "--tail=1"];
        let (watched, logged) = tokio::join!(follow(c, "", &watch, change), follow(c, NODE, &logs, count));
        watched.and(logged)
    }

    async fn finish(&self, _: &Context) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood_or_odd() {
        let key = "r-1".to_owned();
        assert_eq!(change("52 r-1 7"), Some(Told::Change { revision: 52, key, value: 7 }));
        assert_eq!(change("error: no"), None);
        assert_eq!(count("ab-c 12"), Some(Told::Line { life: "ab-c".to_owned(), number: 12 }));
        assert_eq!(count("ab-c"), None);
    }
}
