//! A leader's word that a fenced pod may run: asked for, and handed to the pod's supervisor.

use super::worker::Worker;
use crate::plan::{Message, Retry};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use raftsman_proto::v1::PodAdmission;

impl Worker {
    pub(super) fn ask_word(&mut self, pod: &Pod, epoch: u32) {
        let metadata = &pod.metadata;
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        // Never the same words twice: each asking is a write, which is ordered with all others.
        let until = self.shared.pods.promise().until.as_secs_f64();
        let term = self.shared.standing.borrow().term;
        let promise = format!("term {term}, row {epoch} of renewals, {until:.3} s of boot time");
        self.memory.asked = Some((epoch, promise.clone()));
        let (namespace, name, uid) = (text(&metadata.namespace), text(&metadata.name), text(&metadata.uid));
        self.shared.outbox.admission(PodAdmission { namespace, name, uid, promise, sequence: 0 });
    }

    /// The word was given.
    pub(super) fn word_given(&mut self, promise: &str) {
        if let Some((epoch, asked)) = &self.memory.asked
            && asked == promise
        {
            self.memory.word = Some(*epoch);
        }
    }

    pub(super) async fn admit(&mut self, pod: &Pod, epoch: u32) {
        match self.shared.pods.admit_pod(&self.uid, epoch).await {
            Ok(true) => self.memory.admission = None,
            Ok(false) => {
                // The promise has ended meanwhile: another word is needed.
                (self.memory.asked, self.memory.word) = (None, None);
                let last = self.memory.admission.as_ref();
                let why = "the node's promise has ended".to_owned();
                self.memory.admission = Some(Retry::next(last, Timestamp::now(), "Frozen", why));
            }
            Err(error) => {
                let (last, why) = (self.memory.admission.as_ref(), error.to_string());
                let retry = Retry::next(last, Timestamp::now(), "FailedAdmission", why.clone());
                self.memory.admission = Some(retry);
                self.tell_event(pod, None, Message::not_admitted(&why));
            }
        }
    }
}
