//! Scaling a Deployment that is paused or in the middle of a rollout: every set gets its share.

use super::{Set, Sets, Work, numbers, sets};

/// Spreads the deployment's size over its sets.
pub(super) fn scale(work: &mut Work<'_>, all: &mut Sets) {
    let desired = work.replicas();
    if let Some(only) = active_or_newest(all) {
        // Also when it has that size already: until it is noted there, this counts as a change of size and nothing rolls.
        sets::scale(work, only, desired);
        return;
    }
    if all.new.as_ref().is_some_and(|new| saturated(new, desired)) {
        for old in all.old.iter_mut().filter(|old| old.replicas > 0) {
            sets::scale(work, old, 0);
        }
        return;
    }
    let strategy = work.spec.strategy.as_ref().and_then(|strategy| strategy.type_.as_deref());
    if strategy != Some("Recreate") {
        proportionally(work, all);
    }
}

/// The only set with pods, or the newest one if none has any.
fn active_or_newest(all: &mut Sets) -> Option<&mut Set> {
    let active = all.all().filter(|set| set.replicas > 0).count();
    match active {
        0 if all.new.is_some() => all.new.as_mut(),
        0 => all.old.last_mut(),
        1 => all.new.iter_mut().chain(&mut all.old).find(|set| set.replicas > 0),
        _ => None,
    }
}

/// The new set has every pod of the deployment, and they are available.
fn saturated(new: &Set, desired: i32) -> bool {
    new.replicas == desired && new.number(sets::DESIRED) == Some(desired) && new.available() == desired
}

fn proportionally(work: &mut Work<'_>, all: &mut Sets) {
    let desired = work.replicas();
    let size = if desired > 0 { desired.saturating_add(numbers::surge(work.spec)) } else { 0 };
    let to_add = size - all.replicas();
    let was = work.deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
    // The largest first; among equals the newest when growing, the oldest when shrinking.
    let mut active: Vec<&mut Set> =
        all.new.iter_mut().chain(all.old.iter_mut().rev()).filter(|set| set.replicas > 0).collect();
    if to_add < 0 {
        active.reverse();
    }
    active.sort_by_key(|set| std::cmp::Reverse(set.replicas));
    let mut sizes: Vec<i32> = Vec::new();
    let mut added = 0;
    for set in &active {
        let share = share(set, desired, size, was, to_add, added);
        added += share;
        sizes.push(set.replicas + share);
    }
    for (index, (set, mut size)) in active.into_iter().zip(sizes).enumerate() {
        if index == 0 {
            size = (size + to_add - added).max(0);
        }
        sets::scale(work, set, size);
    }
}

/// A set's part of the change: in proportion to its part of the size that it was last scaled for.
fn share(set: &Set, desired: i32, size: i32, was: i32, to_add: i32, added: i32) -> i32 {
    let allowed = to_add - added;
    if set.replicas == 0 || to_add == 0 || allowed == 0 {
        return 0;
    }
    let fraction = if desired == 0 {
        -set.replicas
    } else {
        let annotated = set.number(sets::MOST).filter(|most| *most > 0).unwrap_or(was);
        if annotated == 0 {
            return 0;
        }
        let (replicas, size, annotated) = (i64::from(set.replicas), i64::from(size), i64::from(annotated));
        let rounded = (2 * replicas * size + annotated) / (2 * annotated);
        i32::try_from(rounded - replicas).unwrap_or(0)
    };
    if to_add > 0 { fraction.min(allowed) } else { fraction.max(allowed) }
}
