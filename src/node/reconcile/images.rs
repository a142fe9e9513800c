//! The images of a pod's next runs.

use super::worker::{Pulled, Wake, Worker};
use crate::plan::{Containers, ImageState, Message, Retry, pull_delay};
use crate::spec::image_reference;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use raftsman_runtime::border::{Images, RuntimeError};
use std::sync::Arc;
use std::time::Instant;

impl Worker {
    pub(super) fn ensure_image(&mut self, pod: &Arc<Pod>, name: String) {
        let Some((_, container)) = Containers::find(pod, &name) else {
            return;
        };
        if self.working(&name) {
            return;
        }
        let reference = image_reference(container);
        let shown = container.image.clone().unwrap_or_default();
        let policy = container.image_pull_policy.clone().unwrap_or_else(|| default_policy(&reference).to_owned());
        // The failures of before are counted on.
        let before = match self.memory.images.insert(name.clone(), ImageState::Working) {
            Some(ImageState::Failed(retry)) => Some(retry),
            _ => None,
        };
        if let Some(before) = before {
            self.memory.container_mut(&name).unmade = None;
            self.memory.pulls.insert(name.clone(), before);
        }
        self.memory.container_mut(&name).image.clone_from(&shown);
        let (images, waker, outbox_pod) = (Arc::clone(&self.shared.images), self.waker.clone(), Arc::clone(pod));
        let teller = self.teller();
        tokio::spawn(async move {
            let on_pull = || teller(&outbox_pod, &name, Message::pulling(&shown));
            let result = find_image(images.as_ref(), &reference, &policy, on_pull).await;
            // The worker ends before its tasks only with its pod.
            let _ = waker.send(Wake::Image { container: name, image: shown, result: Box::new(result) }).await;
        });
    }

    /// What was found or is being looked for of an image that is no longer asked for counts for nothing.
    pub(super) fn forget_images(&mut self, pod: &Pod) {
        for (_, container) in Containers::of(pod) {
            let name = &container.name;
            let asked = container.image.as_deref().unwrap_or_default();
            let other = self.memory.container(name).is_some_and(|memory| memory.image != asked);
            if other && self.memory.images.remove(name).is_some() {
                self.memory.pulls.remove(name);
                self.memory.container_mut(name).unmade = None;
            }
        }
    }

    pub(super) fn image_found(&mut self, name: String, image: &str, result: Result<Pulled, (RuntimeError, bool)>) {
        if !self.working(&name) || self.memory.container(&name).is_none_or(|memory| memory.image != image) {
            return;
        }
        let pod = Arc::clone(&self.wanted.borrow().pod);
        let Some((_, container)) = Containers::find(&pod, &name) else {
            return;
        };
        let shown = container.image.clone().unwrap_or_default();
        let state = match result {
            Ok(Pulled { image, took }) => {
                let message = took.map_or_else(|| Message::present(&shown), |took| Message::pulled(&shown, took));
                self.tell_event(&pod, Some(&name), message);
                self.memory.pulls.remove(&name);
                ImageState::Present(image)
            }
            Err((error, _)) => {
                let text = error.to_string();
                let reason = match &error {
                    RuntimeError::InvalidImageName(_) => {
                        self.tell_event(&pod, Some(&name), Message::bad_name(&shown, &text));
                        "InvalidImageName"
                    }
                    RuntimeError::ImageNeverPull(_) => {
                        self.tell_event(&pod, Some(&name), Message::never_pull(&shown));
                        "ErrImageNeverPull"
                    }
                    _ => {
                        self.tell_event(&pod, Some(&name), Message::pull_failed(&shown, &text));
                        "ErrImagePull"
                    }
                };
                self.tell_event(&pod, Some(&name), Message::failed(reason));
                let last = self.memory.pulls.remove(&name);
                ImageState::Failed(Retry::with(last.as_ref(), Timestamp::now(), reason, text, pull_delay))
            }
        };
        self.memory.images.insert(name, state);
    }
}

fn default_policy(reference: &str) -> &'static str {
    if reference.ends_with(":latest") { "Always" } else { "IfNotPresent" }
}

/// The image by its pull policy. The flag says whether a pull was tried.
async fn find_image(
    images: &dyn Images,
    reference: &str,
    policy: &str,
    on_pull: impl FnOnce(),
) -> Result<Pulled, (RuntimeError, bool)> {
    if policy != "Always" {
        match images.resolve(reference).await {
            Ok(Some(image)) => return Ok(Pulled { image, took: None }),
            Ok(None) if policy == "Never" => {
                let text = format!("Container image \"{reference}\" is not present with pull policy of Never");
                return Err((RuntimeError::ImageNeverPull(text), false));
            }
            Ok(None) => {}
            Err(error) => return Err((error, false)),
        }
    }
    on_pull();
    let begun = Instant::now();
    match images.pull(reference).await {
        Ok(image) => Ok(Pulled { image, took: Some(begun.elapsed()) }),
        Err(error) => Err((error, true)),
    }
}
