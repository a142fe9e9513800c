//! `pods/portforward`.

use crate::http::{Answer, Asked, Front};
use crate::write::Target;
use hyper::upgrade::OnUpgrade;
use raftsman_api::status::Status;
use std::sync::Arc;

/// Answers port-forward.
///
/// # Errors
/// 501: it is not there yet.
pub(super) async fn forward(
    _front: &Arc<Front>,
    _target: &Target,
    _asked: &Asked,
    _upgrade: Option<OnUpgrade>,
) -> Result<Answer, Status> {
    Err(Status::new(501, "NotImplemented", "port-forward is not supported by this server yet"))
}
