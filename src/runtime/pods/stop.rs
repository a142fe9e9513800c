//! Stopping a container: its stop signal, then KILL.

use crate::border::RuntimeError;
use crate::pods::client::{self, Refused};
use crate::pods::events::wait_until;
use crate::pods::local::Inner;
use crate::pods::status::{self, Found};
use crate::supervisor::protocol::{Request, STATE_FILE, State};
use crate::supervisor::record;
use nix::sys::signal::Signal;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The kernel ends a killed process in less.
const AFTER_KILL: Duration = Duration::from_secs(30);

/// Between attempts to reach a supervisor.
const RETRY: Duration = Duration::from_millis(100);

/// The number of an image's `StopSignal` (`SIGQUIT`, `QUIT`, `3`), TERM if it says none.
fn stop_signal(text: &str) -> i32 {
    if let Ok(number) = text.parse::<i32>()
        && (1..=64).contains(&number)
    {
        return number;
    }
    let name = text.to_uppercase();
    let name = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    name.parse::<Signal>().map_or(libc::SIGTERM, |signal| signal as i32)
}

fn has_ended(container: &Found) -> bool {
    let state: Option<State> = record::read(&container.directory.join(STATE_FILE)).unwrap_or_default();
    // Removed meanwhile: ended too.
    state.is_none_or(|state| state.exit.is_some())
}

/// Stops what runs under this name. Returns when its end is recorded.
pub(crate) async fn stop(inner: &Arc<Inner>, uid: &str, name: &str, grace: Duration) -> Result<(), RuntimeError> {
    let paths = inner.config.pod(uid);
    let running: Vec<Found> = status::containers(&paths)
        .into_iter()
        .filter(|container| container.record.spec.name == name && container.is_running())
        .collect();
    for container in running {
        let id = &container.record.id;
        let polite = stop_signal(&container.record.stop_signal);
        for (signal, patience) in [(polite, grace), (libc::SIGKILL, AFTER_KILL)] {
            if patience.is_zero() {
                continue;
            }
            let deadline = Instant::now() + patience;
            // Its supervisor may just be replaced: once more, then.
            while let Err(Refused::Gone(_)) =
                client::ask(&paths.directory, &Request::Signal { id: id.clone(), signal }).await
            {
                if Instant::now() >= deadline || wait_until(inner, RETRY, || has_ended(&container)).await {
                    break;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if wait_until(inner, left, || has_ended(&container)).await {
                break;
            }
        }
        if !has_ended(&container) {
            return Err(RuntimeError::Transient(format!("container \"{name}\" of pod {uid} does not end")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_signals_have_names_or_numbers() {
        for (text, signal) in [
            ("", libc::SIGTERM),
            ("SIGQUIT", libc::SIGQUIT),
            ("quit", libc::SIGQUIT),
            ("9", 9),
            ("nonsense", libc::SIGTERM),
        ] {
            assert_eq!(stop_signal(text), signal, "{text}");
        }
    }
}
