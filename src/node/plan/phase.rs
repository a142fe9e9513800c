//! `status.phase`.

use super::Input;
use super::container::{Kind, RestartPolicy};
use super::container_status::{Seen, fails_pod};
use super::next::Next;

/// The phase that the containers' states make.
pub(super) fn phase(input: &Input<'_>, seen: &[Seen], stopped: bool) -> &'static str {
    if let Some(last) = final_phase(input, seen, stopped) {
        return last;
    }
    let init: Vec<&Seen> = seen.iter().filter(|seen| seen.kind != Kind::Main).collect();
    if init.iter().any(|seen| fails_pod(input, seen)) {
        return "Failed";
    }
    let mains: Vec<&Seen> = seen.iter().filter(|seen| seen.kind == Kind::Main).collect();
    let main_ran = mains.iter().any(|seen| seen.status.container_id.is_some());
    if !main_ran && init.iter().any(|seen| !seen.initialized()) {
        return "Pending";
    }
    let (mut running, mut waiting, mut ended, mut well) = (0, 0, 0, 0);
    for main in &mains {
        let state = main.status.state.as_ref();
        let last = main.status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        if state.is_some_and(|state| state.running.is_some()) {
            running += 1;
        } else if let Some(over) = state.and_then(|state| state.terminated.as_ref()) {
            ended += 1;
            well += usize::from(over.exit_code == 0);
        } else if last.is_some() {
            ended += 1;
        } else {
            waiting += 1;
        }
    }
    if waiting > 0 {
        return "Pending";
    }
    if running > 0 {
        return "Running";
    }
    match RestartPolicy::of(input.pod) {
        _ if ended == 0 => "Pending",
        RestartPolicy::Always => "Running",
        // One of another image takes its place.
        RestartPolicy::Never if mains.iter().any(|main| matches!(main.next, Next::Start(_))) => "Running",
        _ if well == ended => "Succeeded",
        RestartPolicy::Never => "Failed",
        RestartPolicy::OnFailure => "Running",
    }
}

/// A pod that ended stays so; a deleted one ends when its last container does.
fn final_phase(input: &Input<'_>, seen: &[Seen], stopped: bool) -> Option<&'static str> {
    let known = input.pod.status.as_ref().and_then(|status| status.phase.as_deref());
    match known {
        Some("Failed") => return Some("Failed"),
        Some("Succeeded") => return Some("Succeeded"),
        _ => {}
    }
    if input.memory.ended.is_some() {
        return Some("Failed");
    }
    if !input.ending() || !stopped {
        return None;
    }
    let code = |seen: &Seen| seen.status.state.as_ref()?.terminated.as_ref().map(|over| over.exit_code);
    let mains = seen.iter().filter(|seen| seen.kind == Kind::Main);
    Some(if mains.map(code).all(|code| code == Some(0)) { "Succeeded" } else { "Failed" })
}
