//! HTTP through every node's port from outside, and by a Service's address and name from a pod on every node.

use super::{Context, Diary, NAMESPACE, Workload, setup};
use crate::record::{Request, Stream};
use crate::steps::BUSYBOX;
use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Between two requests through one node.
const EVERY: Duration = Duration::from_millis(200);
/// Longer than anything takes on a machine that has too much to do. How long nobody was answered is judged apart.
const PATIENCE: Duration = Duration::from_secs(8);

/// The Service's port on every node.
pub(super) const PORT: u16 = 30080;

/// See the module.
pub(super) struct Http;

fn servers() -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 5
      topologySpreadConstraints:
      - {{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {{matchLabels: {{app: web}}}}}}
      containers: [{}]
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: NodePort, selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080, nodePort: {PORT}}}]}}
"#,
        setup::web()
    )
}

/// A pod that asks and writes down what became of it. It stays on its node whatever happens to that.
fn asker(node: &str, ip: &str, dir: &str) -> String {
    format!(
        r#"---
apiVersion: v1
kind: Pod
metadata: {{name: ask-{node}, labels: {{app: ask}}}}
spec:
  nodeName: {node}
  terminationGracePeriodSeconds: 0
  tolerations: [{{operator: Exists}}]
  volumes: [{{name: diary, hostPath: {{path: {dir}}}}}]
  containers:
  - name: c
    image: {BUSYBOX}
    volumeMounts: [{{name: diary, mountPath: /diary}}]
    command:
    - sh
    - -c
    - |
      life=$(cat /proc/sys/kernel/random/uuid)
      ask() {{
        read up rest < /proc/uptime
        if why=$(timeout 8 wget -qO /dev/null "$2" 2>&1); then said=ok; else said="failed "$why; fi
        read end rest < /proc/uptime
        echo "$up {node} $life $1 $end $said" >> /diary/ask-{node}
      }}
      # Side by side, likewise.
      again() {{ while true; do ask $1 $2; sleep 0.8; done; }}
      again ip http://{ip}/ &
      again dns http://web.{NAMESPACE}.svc.cluster.local/ &
      sleep 0.4
      again ip http://{ip}/ &
      again dns http://web.{NAMESPACE}.svc.cluster.local/
"#
    )
}

/// One request; whatever is no page is an error.
pub(crate) async fn page(address: &str) -> Result<()> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.0\r\nHost: web\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        match answer.lines().next() {
            Some(first) if first.contains(" 200 ") => Ok(()),
            first => bail!("it said {first:?}"),
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.with_context(|| format!("no answer within {} s", PATIENCE.as_secs()))?
}

/// `ip END ok` or `dns END failed WHY`, by a pod.
fn request(node: &str, at: Duration, word: &str, offset: Duration) -> Option<Request> {
    let mut words = word.splitn(4, ' ');
    let stream = if words.next()? == "ip" { Stream::ClusterIp } else { Stream::Dns };
    let end = Duration::try_from_secs_f64(words.next()?.parse().ok()?).ok()?.saturating_sub(offset);
    let failed = words.next()? == "failed";
    let why = words.next().unwrap_or_default().trim();
    let error = failed.then(|| if why.is_empty() { "no page within 8 s" } else { why }.to_owned());
    Some(Request { stream, through: node.to_owned(), keeps: None, at, took: end.saturating_sub(at), error })
}

/// What the pod on a node has asked so far, since the beginning of the run.
pub(crate) fn asker_said(diary: &Diary, node: &str, offset: Duration) -> Vec<Request> {
    let lines = diary.read(offset).remove(&format!("ask-{node}")).unwrap_or_default();
    let asked = lines.iter().filter(|line| line.at > Duration::ZERO);
    asked.filter_map(|line| request(node, line.at, &line.word, offset)).collect()
}

#[async_trait]
impl Workload for Http {
    fn name(&self) -> &'static str {
        "HTTP"
    }

    async fn prepare(&self, c: &Context) -> Result<()> {
        c.apply(servers()).await?;
        c.kubectl("rollout status deployment/web --timeout=120s --request-timeout=0").await?;
        let ip = c.kubectl("get service web -ojsonpath={.spec.clusterIP}").await?;
        let dir = c.diary.dir().display().to_string();
        c.apply(c.cluster.nodes().iter().map(|node| asker(node, &ip, &dir)).collect()).await?;
        c.kubectl("wait --for=condition=Ready pod -l app=ask --timeout=60s --request-timeout=0").await.map(drop)
    }

    async fn run(&self, c: &Context) -> Result<()> {
        let node = |node: &'static str| async move {
            let address = c.web(node)?;
            // Side by side: one that waits in vain must not hide when the others are answered again.
            let mut open = tokio::task::JoinSet::new();
            while !c.over() {
                let (context, address) = (c.clone(), address.clone());
                open.spawn(async move {
                    let at = context.now();
                    let error = page(&address).await.err().map(|error| format!("{error:#}"));
                    context.asked(Stream::NodePort, node, at, error);
                });
                c.pause(EVERY).await;
                while open.try_join_next().is_some() {}
            }
            while open.join_next().await.is_some() {}
            Ok(())
        };
        futures::future::join_all(c.cluster.nodes().map(node)).await.into_iter().collect()
    }

    async fn finish(&self, c: &Context) -> Result<()> {
        let end = c.now();
        for node in c.cluster.nodes() {
            let asked = asker_said(&c.diary, node, c.uptime()).into_iter().filter(|request| request.at < end);
            c.record.lock().requests.extend(asked);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pods_wrote_becomes_requests() {
        let (at, offset) = (Duration::from_millis(1500), Duration::from_secs(10));
        let good = request("n1", at, "ip 11.75 ok", offset);
        let took = Duration::from_millis(250);
        let through = "n1".to_owned();
        assert_eq!(good, Some(Request { stream: Stream::ClusterIp, through, keeps: None, at, took, error: None }));
        let bad = request("n1", at, "dns 13.50 failed wget: bad address", offset).and_then(|request| request.error);
        assert_eq!(bad.as_deref(), Some("wget: bad address"));
        assert_eq!(request("n1", at, "ip", offset), None);
    }
}
