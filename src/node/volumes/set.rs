//! All volumes of a pod.

use super::{Context, VolumeError, of};
use crate::spec::Facts;
use crate::world::World;
use k8s_openapi::api::core::v1::Pod;
use parking_lot::RwLock;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The volumes that containers of this pod mount.
pub fn names(pod: &Pod) -> BTreeSet<String> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let mounts = init.iter().chain(main).flat_map(|container| container.volume_mounts.iter().flatten());
    mounts.map(|mount| mount.name.clone()).collect()
}

/// Prepares every volume that is mounted, below `dir` or, if it outlives the pod, below `local`, and says where they are. Blocks.
///
/// # Errors
/// The first volume that cannot be prepared, by name.
pub fn set_up(
    pod: &Arc<Pod>,
    facts: &Facts,
    dir: &Path,
    local: &Path,
    world: &RwLock<World>,
) -> Result<BTreeMap<String, PathBuf>, VolumeError> {
    prepare(pod, facts, (dir, local), world, false)
}

/// Brings files that follow API objects up to date. Blocks.
///
/// # Errors
/// The first volume that cannot be changed, by name.
pub fn refresh(
    pod: &Arc<Pod>,
    facts: &Facts,
    dir: &Path,
    local: &Path,
    world: &RwLock<World>,
) -> Result<(), VolumeError> {
    prepare(pod, facts, (dir, local), world, true).map(|_| ())
}

fn prepare(
    pod: &Arc<Pod>,
    facts: &Facts,
    (dir, local): (&Path, &Path),
    world: &RwLock<World>,
    only_live: bool,
) -> Result<BTreeMap<String, PathBuf>, VolumeError> {
    let wanted = names(pod);
    let declared = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let mut places = BTreeMap::new();
    for declared in declared.iter().filter(|declared| wanted.contains(&declared.name)) {
        let named = |error: VolumeError| {
            VolumeError(format!("MountVolume.SetUp failed for volume \"{}\" : {error}", declared.name))
        };
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let volume = of(declared, namespace, &world.read()).map_err(named)?;
        if only_live && !volume.live() {
            continue;
        }
        let context = Context {
            pod: Arc::clone(pod),
            facts: facts.clone(),
            dir: dir.join("volumes").join(&declared.name),
            local: local.to_owned(),
            fs_group: Context::group(pod),
        };
        let content = volume.content(&context, &world.read()).map_err(named)?;
        places.insert(declared.name.clone(), volume.set_up(&context, &content).map_err(named)?);
    }
    Ok(places)
}
