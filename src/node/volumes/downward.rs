//! `downwardAPI`: the pod's own fields as files; labels and annotations follow the pod.

use super::content::{checked, mode};
use super::{Content, Context, File, Volume, VolumeError, atomic};
use crate::spec::{field, resource_field};
use crate::world::World;
use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, DownwardAPIVolumeSource};
use std::path::PathBuf;

pub(super) struct DownwardVolume(pub DownwardAPIVolumeSource);

pub(super) fn files(
    context: &Context,
    items: &[DownwardAPIVolumeFile],
    default: Option<i32>,
) -> Result<Content, VolumeError> {
    let mut files = Content::new();
    for item in items {
        let text = match (&item.field_ref, &item.resource_field_ref) {
            (Some(selector), _) => field(&context.pod, &selector.field_path, &context.facts),
            (None, Some(selector)) => resource_field(&context.pod, None, selector, &context.facts),
            (None, None) => {
                return Err(VolumeError(format!("downwardAPI item {:?} names no field", item.path)));
            }
        };
        let text = text.map_err(|error| VolumeError(error.to_string()))?;
        let file = File { data: text.into_bytes(), mode: mode(item.mode, default) };
        files.insert(checked(&item.path)?.to_owned(), file);
    }
    Ok(files)
}

impl Volume for DownwardVolume {
    fn content(&self, context: &Context, _world: &World) -> Result<Content, VolumeError> {
        files(context, self.0.items.as_deref().unwrap_or_default(), self.0.default_mode)
    }

    fn set_up(&self, context: &Context, content: &Content) -> Result<PathBuf, VolumeError> {
        atomic::write(&context.dir, content, context.fs_group)?;
        Ok(context.dir.clone())
    }

    fn live(&self) -> bool {
        true
    }
}
