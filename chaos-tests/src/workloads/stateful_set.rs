//! A StatefulSet whose members write who they are, without a pause, to the shared place.

use super::{Context, Diary, Workload};
use crate::steps::BUSYBOX;
use anyhow::Result;
use async_trait::async_trait;

/// Its name, and the beginning of its members' files.
pub const NAME: &str = "member";

/// See the module.
pub(super) struct StatefulSet(pub(super) Diary);

fn manifest(dir: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{name: {NAME}}}
spec: {{clusterIP: None, selector: {{app: {NAME}}}, ports: [{{port: 8080}}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {NAME}}}
spec:
  replicas: 3
  serviceName: {NAME}
  podManagementPolicy: Parallel
  selector: {{matchLabels: {{app: {NAME}}}}}
  template:
    metadata: {{labels: {{app: {NAME}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{{name: diary, hostPath: {{path: {dir}}}}}]
      containers:
      - name: c
        image: {BUSYBOX}
        env: [{{name: NODE, valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}]
        volumeMounts: [{{name: diary, mountPath: /diary}}]
        command:
        - sh
        - -c
        - |
          life=$(cat /proc/sys/kernel/random/uuid)
          name=$(hostname)
          while true; do read up rest < /proc/uptime; echo "$up $NODE $life" >> /diary/$name; sleep 0.2; done
"#
    )
}

#[async_trait]
impl Workload for StatefulSet {
    fn name(&self) -> &'static str {
        "stateful set"
    }

    async fn prepare(&self, c: &Context) -> Result<()> {
        c.apply(manifest(&self.0.dir().display().to_string())).await?;
        c.kubectl(&format!("rollout status statefulset/{NAME} --timeout=120s --request-timeout=0")).await.map(drop)
    }

    async fn run(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn finish(&self, c: &Context) -> Result<()> {
        let members = self.0.read(c.uptime()).into_iter().filter(|(file, _)| file.starts_with(NAME));
        c.record.lock().diaries.extend(members);
        Ok(())
    }
}
