//! Whether a fenced pod may run, and what is to be done so that it may.

use super::{Input, Plan, PodAction};
use raftsman_runtime::border::FenceStatus;

/// What is known of the promise at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fence {
    /// The pod is fenced.
    pub fenced: bool,
    /// The epoch of the promise, while it holds.
    pub holds: Option<u32>,
    /// The masters have told everything since this epoch began: a word may be asked for.
    pub told: u32,
}

impl Fence {
    /// A fenced pod that may not run now.
    pub fn held(&self, observed: Option<&FenceStatus>) -> bool {
        let admitted = observed.map_or(0, |status| status.epoch);
        self.fenced && (admitted == 0 || self.holds != Some(admitted))
    }
}

impl Input<'_> {
    /// It is fenced and may not run now.
    pub fn held(&self) -> bool {
        self.fence.held(self.observed.and_then(|pod| pod.fence.as_ref()))
    }
}

/// The next step towards a word, if one is due: it is asked for, and once given handed to the pod's supervisor.
pub(super) fn seek(input: &Input<'_>, plan: &mut Plan) {
    let Some(epoch) = input.fence.holds.filter(|epoch| input.held() && *epoch == input.fence.told) else {
        return;
    };
    if input.orphan {
        return;
    }
    if input.memory.word != Some(epoch) {
        if input.memory.asked.as_ref().is_none_or(|(asked, _)| *asked != epoch) {
            plan.act(PodAction::AskWord { epoch });
        }
        return;
    }
    if input.observed.is_some_and(|pod| pod.ready) {
        match &input.memory.admission {
            Some(retry) if retry.at > input.now => plan.wake(retry.at),
            _ => plan.act(PodAction::Admit { epoch }),
        }
    }
}
