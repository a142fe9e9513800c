//! The seam at which a controller is added: one file, and one line in [`crate::all`].

use crate::{Now, Plan, WorkKey};
use raftsman_state::{Change, View};

/// A reconciler as a pure function of a [`View`].
pub trait Controller: Send + Sync + 'static {
    /// Its name, as logs and Events give it (`replicaset-controller`).
    fn name(&self) -> &'static str;

    /// The keys that a change concerns. Looks things up through indices: the cost follows what is concerned, not the
    /// size of the cluster.
    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey>;

    /// Every key: what a new leader looks at once, and again when it lost track of changes.
    fn all(&self, view: &View) -> Vec<WorkKey>;

    /// What to do about a key.
    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan;
}
