//! Manifests that several workloads need.

use crate::steps::BUSYBOX;

/// A web server's container that says its name, is ready a second after it serves, and ends when told to.
pub(super) fn web() -> String {
    format!(
        r#"{{name: c, image: {BUSYBOX}, ports: [{{containerPort: 8080}}],
         command: [sh, -c, "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"],
         lifecycle: {{preStop: {{exec: {{command: [sleep, '2']}}}}}},
         readinessProbe: {{httpGet: {{port: 8080}}, periodSeconds: 1, failureThreshold: 2}}}}"#
    )
}
