//! `secret`: the keys of a Secret as files that follow it, in memory only.

use super::content::project;
use super::empty_dir::tmpfs;
use super::{Content, Context, Volume, VolumeError, atomic};
use crate::world::World;
use k8s_openapi::api::core::v1::{Secret, SecretVolumeSource};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) struct SecretVolume(pub SecretVolumeSource);

pub(super) fn bytes(secret: &Secret) -> BTreeMap<String, Vec<u8>> {
    secret.data.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone())).collect()
}

impl Volume for SecretVolume {
    fn content(&self, context: &Context, world: &World) -> Result<Content, VolumeError> {
        let optional = self.0.optional.unwrap_or(false);
        let name = self.0.secret_name.as_deref().unwrap_or_default();
        match world.secret(context.namespace(), name) {
            Some(secret) => project("secret", &bytes(secret), self.0.items.as_ref(), self.0.default_mode, optional),
            None if optional => Ok(Content::new()),
            None => Err(VolumeError(format!("secret \"{name}\" not found"))),
        }
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
