//! `lifecycle.preStop` and `postStart`.

use crate::plan::Containers;
use crate::probe::{Target, target, tell};
use k8s_openapi::api::core::v1::{Container, LifecycleHandler, Pod, Probe};
use raftsman_runtime::border::Pods;
use std::net::IpAddr;
use std::time::Duration;

/// What a hook does.
pub(super) enum Hook {
    /// Asks something of the container.
    Ask(Result<Target, String>),
    /// Waits.
    Sleep(Duration),
}

fn hook(container: &Container, handler: &LifecycleHandler) -> Hook {
    if let Some(sleep) = &handler.sleep {
        return Hook::Sleep(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0)));
    }
    let probe = Probe {
        exec: handler.exec.clone(),
        http_get: handler.http_get.clone(),
        tcp_socket: handler.tcp_socket.clone(),
        ..Probe::default()
    };
    Hook::Ask(target(container, &probe))
}

/// The hook to run before the container is stopped.
pub(super) fn pre_stop(pod: &Pod, name: &str) -> Option<Hook> {
    let (_, container) = Containers::find(pod, name)?;
    Some(hook(container, container.lifecycle.as_ref()?.pre_stop.as_ref()?))
}

/// The hook to run after the container was started.
pub(super) fn post_start(container: &Container) -> Option<Hook> {
    Some(hook(container, container.lifecycle.as_ref()?.post_start.as_ref()?))
}

/// Runs it, at most for `limit`.
pub(super) async fn run(
    pods: &dyn Pods,
    uid: &str,
    name: &str,
    address: Option<IpAddr>,
    hook: &Hook,
    limit: Duration,
) -> Result<(), String> {
    match hook {
        Hook::Sleep(time) => {
            tokio::time::sleep((*time).min(limit)).await;
            Ok(())
        }
        Hook::Ask(Err(error)) => Err(error.clone()),
        Hook::Ask(Ok(target)) => match tokio::time::timeout(limit, tell(pods, uid, name, address, target)).await {
            Ok(told) => told,
            Err(_) => Err(format!("no end within {limit:?}")),
        },
    }
}
