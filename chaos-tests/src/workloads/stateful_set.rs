//! StatefulSets whose members write who they are, without a pause, to the shared place: one whose members come all at once and
//! have nothing of their own, and one whose members come one after the other and count on in a volume.

use super::{Context, Diary, Workload};
use crate::steps::BUSYBOX;
use anyhow::Result;
use async_trait::async_trait;

/// See the module.
pub(super) struct StatefulSet {
    diary: Diary,
    /// Its name, and the beginning of its members' files.
    name: &'static str,
    replicas: u32,
    volume: bool,
}

impl StatefulSet {
    /// Members that may run anywhere.
    pub(super) fn members(diary: &Diary) -> Self {
        Self { diary: diary.clone(), name: "member", replicas: 3, volume: false }
    }

    /// Members that count, each in a volume of its own, which stays on its node.
    pub(super) fn owners(diary: &Diary) -> Self {
        Self { diary: diary.clone(), name: "owner", replicas: 2, volume: true }
    }

    fn manifest(&self) -> String {
        let Self { name, replicas, .. } = self;
        let dir = self.diary.dir().display();
        let policy = if self.volume { "OrderedReady" } else { "Parallel" };
        let (mount, begin, count) = match self.volume {
            // What cannot be kept is counted all the same: whether it should have been is judged afterwards.
            true => (
                ", {name: data, mountPath: /data}",
                "n=$(cat /data/n || echo 0)",
                "n=$((n+1)); echo $n > /data/new && mv /data/new /data/n;",
            ),
            false => ("", "n=", ""),
        };
        let claims = match self.volume {
            true => {
                "  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 16Mi}}}
"
            }
            false => "",
        };
        format!(
            r#"
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{clusterIP: None, selector: {{app: {name}}}, ports: [{{port: 8080}}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  serviceName: {name}
  podManagementPolicy: {policy}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{{name: diary, hostPath: {{path: {dir}}}}}]
      containers:
      - name: c
        image: {BUSYBOX}
        env: [{{name: NODE, valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}]
        volumeMounts: [{{name: diary, mountPath: /diary}}{mount}]
        command:
        - sh
        - -c
        - |
          life=$(cat /proc/sys/kernel/random/uuid)
          name=$(hostname)
          {begin}
          while true; do {count} read up rest < /proc/uptime; echo "$up $NODE $life $n" >> /diary/$name; sleep 0.2; done
{claims}"#
        )
    }
}

#[async_trait]
impl Workload for StatefulSet {
    fn name(&self) -> &'static str {
        if self.volume { "stateful set with volumes" } else { "stateful set" }
    }

    async fn prepare(&self, c: &Context) -> Result<()> {
        c.apply(self.manifest()).await?;
        let name = self.name;
        c.kubectl(&format!("rollout status statefulset/{name} --timeout=120s --request-timeout=0")).await.map(drop)
    }

    async fn run(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn finish(&self, c: &Context) -> Result<()> {
        let members = self.diary.read(c.uptime()).into_iter().filter(|(file, _)| file.starts_with(self.name));
        let mut record = c.record.lock();
        for (name, lines) in members {
            if self.volume {
                record.tied.insert(name.clone());
            }
            record.diaries.insert(name, lines);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_written_as_kubernetes_reads_it() -> Result<()> {
        let scratch = tempfile::tempdir()?;
        let diary = Diary::new(scratch.path())?;
        for (set, policy, claims) in
            [(StatefulSet::members(&diary), "Parallel", 0), (StatefulSet::owners(&diary), "OrderedReady", 1)]
        {
            let text = set.manifest();
            let documents: Vec<&str> = text.split("---").collect();
            let object: serde_json::Value = serde_yaml::from_str(documents.last().unwrap_or(&""))?;
            assert_eq!(object["spec"]["podManagementPolicy"], policy);
            assert_eq!(object["spec"]["volumeClaimTemplates"].as_array().map_or(0, Vec::len), claims, "{text}");
        }
        Ok(())
    }
}
