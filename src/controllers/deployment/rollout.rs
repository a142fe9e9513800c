//! The two strategies, and what is left behind by them.

use super::sets::Set;
use super::{Sets, Work, numbers, revisions, sets, status};
use crate::{Action, Propagation};

/// `RollingUpdate`.
pub(super) fn roll(work: &mut Work<'_>, all: &mut Sets) {
    if !revisions::sync(work, all, true) {
        return status::sync(work, all, true);
    }
    if !resize_new(work, all) && !shrink_old(work, all) && status::is_complete(work, all) {
        clean_up(work, all);
    }
    status::sync(work, all, true);
}

/// `Recreate`: the old ones end before the new ones begin.
pub(super) fn recreate(work: &mut Work<'_>, all: &mut Sets) {
    let known = all.new.is_some();
    if known && !revisions::sync(work, all, false) {
        return status::sync(work, all, true);
    }
    let mut shrunk = false;
    for old in &mut all.old {
        if old.replicas > 0 {
            shrunk |= sets::scale(work, old, 0);
        }
    }
    if shrunk || sets::old_pods_run(work, all) {
        return status::sync(work, all, true);
    }
    if !known {
        revisions::sync(work, all, true);
        return status::sync(work, all, true);
    }
    let desired = work.replicas();
    if let Some(new) = &mut all.new
        && new.replicas != desired
    {
        sets::scale(work, new, desired);
    } else if status::is_complete(work, all) {
        clean_up(work, all);
    }
    status::sync(work, all, true);
}

/// Brings the new set nearer to its size. True if it moved.
fn resize_new(work: &mut Work<'_>, all: &mut Sets) -> bool {
    let desired = work.replicas();
    let Some(current) = all.new.as_ref().map(|new| new.replicas) else {
        return false;
    };
    let to = match current {
        _ if current == desired => return false,
        _ if current > desired => desired,
        _ => revisions::grown(work, all, current),
    };
    all.new.as_mut().is_some_and(|new| sets::scale(work, new, to))
}

/// Takes from the old sets what availability allows. True if one moved.
fn shrink_old(work: &mut Work<'_>, all: &mut Sets) -> bool {
    if all.old.iter().all(|old| old.replicas == 0) {
        return false;
    }
    let least = work.replicas() - numbers::unavailable(work.spec);
    let new_unavailable = all.new.as_ref().map_or(0, |new| (new.replicas - new.available()).max(0));
    let mut most = all.replicas() - least - new_unavailable;
    if most <= 0 {
        return false;
    }
    // A set that is still shrinking counts for what it shrinks to: its status tells of pods that are about to go.
    let stays = |set: &Set| set.available().min(set.replicas);
    let available: i32 = all.old.iter().chain(&all.new).map(stays).sum();
    let mut sizes: Vec<i32> = all.old.iter().map(|old| old.replicas).collect();
    // Pods that serve nobody first: they may be what keeps the rollout from ending.
    for (old, size) in all.old.iter().zip(&mut sizes) {
        let unhealthy = (*size - old.available()).clamp(0, most);
        *size -= unhealthy;
        most -= unhealthy;
    }
    let mut healthy = (available - least).max(0);
    for size in &mut sizes {
        let fewer = (*size).min(healthy);
        *size -= fewer;
        healthy -= fewer;
    }
    let mut moved = false;
    for (old, size) in all.old.iter_mut().zip(sizes) {
        if old.replicas != size {
            moved |= sets::scale(work, old, size);
        }
    }
    moved
}

/// Deletes old sets without pods beyond `revisionHistoryLimit`, lowest revision first.
pub(super) fn clean_up(work: &mut Work<'_>, all: &Sets) {
    let Some(limit) = work.spec.revision_history_limit else {
        return;
    };
    let mut old: Vec<_> = all.old.iter().filter(|set| !set.object.meta.deleting).collect();
    old.sort_by_key(|set| revisions::revision(set.typed.metadata.annotations.as_ref()));
    let excess = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    for set in old.into_iter().take(excess) {
        let status = set.status();
        let seen = status.observed_generation.unwrap_or(0) >= set.typed.metadata.generation.unwrap_or(0);
        if set.replicas == 0 && status.replicas == 0 && seen {
            work.plan.push(Action::Delete {
                key: set.object.key.clone(),
                uid: set.object.meta.uid.clone(),
                revision: Some(set.object.revision),
                grace: None,
                propagation: Some(Propagation::Background),
            });
        }
    }
}
