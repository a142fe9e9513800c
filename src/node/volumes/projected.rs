//! `projected`: several sources in one directory. Service account tokens are not issued yet.

use super::content::project;
use super::empty_dir::tmpfs;
use super::{Content, Context, Volume, VolumeError, atomic, config_map, downward, secret};
use crate::world::World;
use k8s_openapi::api::core::v1::{ProjectedVolumeSource, VolumeProjection};
use std::path::PathBuf;

pub(super) struct ProjectedVolume(pub ProjectedVolumeSource);

impl ProjectedVolume {
    fn one(&self, source: &VolumeProjection, context: &Context, world: &World) -> Result<Content, VolumeError> {
        let default = self.0.default_mode;
        if let Some(source) = &source.config_map {
            let optional = source.optional.unwrap_or(false);
            return match world.config_map(context.namespace(), &source.name) {
                Some(map) => project("configmap", &config_map::bytes(map), source.items.as_ref(), default, optional),
                None if optional => Ok(Content::new()),
                None => Err(VolumeError(format!("configmap \"{}\" not found", source.name))),
            };
        }
        if let Some(source) = &source.secret {
            let optional = source.optional.unwrap_or(false);
            return match world.secret(context.namespace(), &source.name) {
                Some(found) => project("secret", &secret::bytes(found), source.items.as_ref(), default, optional),
                None if optional => Ok(Content::new()),
                None => Err(VolumeError(format!("secret \"{}\" not found", source.name))),
            };
        }
        if let Some(source) = &source.downward_api {
            return downward::files(context, source.items.as_deref().unwrap_or_default(), default);
        }
        let json = serde_json::to_value(source).unwrap_or_default();
        let kind = json.as_object().and_then(|all| all.keys().next()).cloned().unwrap_or_default();
        Err(VolumeError(format!("projected volume source {kind} is not supported")))
    }
}

impl Volume for ProjectedVolume {
    fn content(&self, context: &Context, world: &World) -> Result<Content, VolumeError> {
        let mut files = Content::new();
        for source in self.0.sources.iter().flatten() {
            files.extend(self.one(source, context, world)?);
        }
        Ok(files)
    }

    fn set_up(&self, context: &Context, content: &Content) -> Result<PathBuf, VolumeError> {
        tmpfs(&context.dir, None)?;
        atomic::write(&context.dir, content, context.fs_group)?;
        Ok(context.dir.clone())
    }

    fn live(&self) -> bool {
        true
    }
}
