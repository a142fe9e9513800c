//! Files that come from API objects.

use super::VolumeError;
use k8s_openapi::api::core::v1::KeyToPath;
use std::collections::BTreeMap;
use std::path::{Component, Path};

const DEFAULT_MODE: u32 = 0o644;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub data: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// Files by their path within the volume.
pub type Content = BTreeMap<String, File>;

/// Permission bits of a file: its own, else the volume's, else 0644.
pub fn mode(own: Option<i32>, default: Option<i32>) -> u32 {
    own.or(default).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(DEFAULT_MODE) & 0o777
}

/// A path that stays within the volume.
pub fn checked(path: &str) -> Result<&str, VolumeError> {
    let plain = !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !path.starts_with("..") {
        return Ok(path);
    }
    Err(VolumeError(format!("invalid path {path:?}: must be relative, without \"..\"")))
}

/// An object's keys as files: all of them, or those that `items` names.
pub fn project(
    source: &str,
    data: &BTreeMap<String, Vec<u8>>,
    items: Option<&Vec<KeyToPath>>,
    default: Option<i32>,
    optional: bool,
) -> Result<Content, VolumeError> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        let file = |data: &Vec<u8>| File { data: data.clone(), mode: mode(None, default) };
        return data.iter().map(|(key, data)| Ok((checked(key)?.to_owned(), file(data)))).collect();
    };
    let mut files = Content::new();
    for item in items {
        match data.get(&item.key) {
            Some(data) => {
                let file = File { data: data.clone(), mode: mode(item.mode, default) };
                files.insert(checked(&item.path)?.to_owned(), file);
            }
            None if optional => {}
            None => {
                return Err(VolumeError(format!("{source} references non-existent config key: {}", item.key)));
            }
        }
    }
    Ok(files)
}
