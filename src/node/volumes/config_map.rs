//! `configMap`: the keys of a ConfigMap as files that follow it.

use super::content::project;
use super::{Content, Context, Volume, VolumeError, atomic};
use crate::world::World;
use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) struct ConfigMapVolume(pub ConfigMapVolumeSource);

pub(super) fn bytes(map: &ConfigMap) -> BTreeMap<String, Vec<u8>> {
    let text = map.data.iter().flatten().map(|(key, value)| (key.clone(), value.clone().into_bytes()));
    let binary = map.binary_data.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone()));
    text.chain(binary).collect()
}

impl Volume for ConfigMapVolume {
    fn content(&self, context: &Context, world: &World) -> Result<Content, VolumeError> {
        let optional = self.0.optional.unwrap_or(false);
        match world.config_map(context.namespace(), &self.0.name) {
            Some(map) => project("configmap", &bytes(map), self.0.items.as_ref(), self.0.default_mode, optional),
            None if optional => Ok(Content::new()),
            None => Err(VolumeError(format!("configmap \"{}\" not found", self.0.name))),
        }
    }

    fn set_up(&self, context: &Context, content: &Content) -> Result<PathBuf, VolumeError> {
        atomic::write(&context.dir, content, context.fs_group)?;
        Ok(context.dir.clone())
    }

    fn live(&self) -> bool {
        true
    }
}
