//! A pod's priority, from its class.

use super::{Admission, Review};
use raftsman_api::status::Status;
use raftsman_api::value::{At, set};
use raftsman_state::{Key, Resource, View};
use serde_json::Value;

/// Upstream's `Priority`.
pub(super) struct Priority;

/// Classes that are always there.
const SYSTEM: &[(&str, i64)] = &[("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

struct Class {
    name: String,
    value: i64,
    preemption: String,
}

impl Admission for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    fn admit(&self, review: &mut Review<'_>) -> Result<(), Status> {
        if !review.creates("pods") {
            return Ok(());
        }
        let refused = |why: &str| Err(Status::forbidden("", "pods", &review.target.name, why));
        let asked = review.object.text("spec.priorityClassName");
        let class = if asked.is_empty() {
            default_class(review.view)
        } else {
            match class(review.view, asked) {
                Some(class) => class,
                None => return refused(&format!("no PriorityClass with name {asked} was found")),
            }
        };
        if review.object.int("spec.priority").is_some_and(|given| given != class.value) {
            return refused(&format!(
                "the integer value of priority ({}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
                review.object.int("spec.priority").unwrap_or(0),
                class.value
            ));
        }
        if asked.is_empty() && !class.name.is_empty() {
            set(review.object, "spec.priorityClassName", class.name);
        }
        set(review.object, "spec.priority", class.value);
        raftsman_api::value::set_default(review.object, "spec.preemptionPolicy", class.preemption);
        Ok(())
    }
}

const RESOURCE: &str = "scheduling.k8s.io/priorityclasses";

fn class(view: &View, name: &str) -> Option<Class> {
    if let Some((name, value)) = SYSTEM.iter().find(|(system, _)| *system == name) {
        return Some(Class { name: (*name).to_owned(), value: *value, preemption: "PreemptLowerPriority".to_owned() });
    }
    let object = view.get(&Key::new(&Resource::from(RESOURCE), "", name))?;
    read(&serde_json::from_slice(&object.json).ok()?)
}

fn read(class: &Value) -> Option<Class> {
    let preemption = match class.text("preemptionPolicy") {
        "" => "PreemptLowerPriority",
        policy => policy,
    };
    let name = class.text("metadata.name").to_owned();
    Some(Class { name, value: class.int("value")?, preemption: preemption.to_owned() })
}

/// The class marked as the default of all; of several the lowest value. None: 0.
fn default_class(view: &View) -> Class {
    view.list(&Resource::from(RESOURCE), None)
        .filter_map(|object| serde_json::from_slice::<Value>(&object.json).ok())
        .filter(|class| class.flag("globalDefault"))
        .filter_map(|class| read(&class))
        .min_by_key(|class| class.value)
        .unwrap_or(Class { name: String::new(), value: 0, preemption: "PreemptLowerPriority".to_owned() })
}
