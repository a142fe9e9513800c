//! What is here, and what may go: garbage collection by references and by the containers that use an image.

use crate::border::{ImageInfo, RuntimeError};
use crate::images::layout::{Layout, hex_of, layer_name};
use crate::images::{ImageStore, disk, reference};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

impl ImageStore {
    /// Keeps an image while `directory`, a container's, exists.
    pub(crate) fn lease(&self, image_id: &str, directory: &Path) -> Result<(), RuntimeError> {
        let content = format!("{image_id}\n{}", directory.display());
        crate::sys::write_atomic(&lease_path(self.layout(), directory), content.as_bytes()).map_err(disk("image lease"))
    }

    /// The container is gone.
    pub(crate) fn release(&self, directory: &Path) {
        let _ = fs::remove_file(lease_path(self.layout(), directory));
    }
}

fn lease_path(layout: &Layout, directory: &Path) -> PathBuf {
    let name = crate::hex::sha256(directory.as_os_str().as_encoded_bytes());
    layout.directory("leases").join(name)
}

/// Images with their names and the bytes of their blobs.
pub(crate) fn list(store: &ImageStore) -> Result<Vec<ImageInfo>, RuntimeError> {
    let mut images: BTreeMap<String, ImageInfo> = BTreeMap::new();
    for record in store.layout().references()? {
        let Ok(manifest) = store.layout().manifest(&record.manifest) else {
            continue;
        };
        let size = manifest.config.size + manifest.layers.iter().map(|layer| layer.size).sum::<u64>();
        let image = images.entry(record.image.clone()).or_insert_with(|| ImageInfo {
            id: record.image.clone(),
            names: Vec::new(),
            size,
        });
        image.names.push(record.reference);
        image.names.sort();
    }
    Ok(images.into_values().collect())
}

/// Forgets a reference (or all of an image id), and deletes what nothing else needs.
pub(crate) fn remove(store: &ImageStore, text: &str) -> Result<(), RuntimeError> {
    let layout = store.layout();
    if reference::image_id(text).is_some() {
        for record in layout.references()?.iter().filter(|record| record.image == text) {
            layout.drop_reference(&record.reference)?;
        }
    } else {
        layout.drop_reference(&reference::normalise(text)?)?;
    }
    let _lock = layout.lock("store", true)?;
    sweep(layout)
}

fn sweep(layout: &Layout) -> Result<(), RuntimeError> {
    let mut records = layout.references()?;
    for image in leased(layout)? {
        records.extend(layout.image(&image)?);
    }
    let mut blobs: HashSet<String> = HashSet::new();
    let mut layers: HashSet<String> = HashSet::new();
    let mut images: HashSet<String> = HashSet::new();
    for record in &records {
        // What cannot be read must not make what it needs look unused.
        let manifest = layout.manifest(&record.manifest)?;
        let config = layout.config(&record.image)?;
        let digests = manifest.layers.iter().map(|layer| &layer.digest);
        for digest in digests.chain([&record.manifest, &record.image]) {
            blobs.insert(hex_of(digest)?.to_owned());
        }
        layers.extend(config.chain()?.iter().map(|chain| layer_name(chain).to_owned()));
        images.insert(format!("{}.json", crate::hex::sha256(record.image.as_bytes())));
    }
    keep_only(&layout.directory("images"), &images)?;
    keep_only(&layout.directory("blobs"), &blobs)?;
    keep_only(&layout.directory("layers"), &layers)?;
    // Whoever adds holds the store's lock, so what is in tmp now was left by a crash.
    keep_only(&layout.directory("tmp"), &HashSet::new())
}

fn leased(layout: &Layout) -> Result<Vec<String>, RuntimeError> {
    let mut images = Vec::new();
    for entry in fs::read_dir(layout.directory("leases")).map_err(disk("image leases"))?.flatten() {
        let Ok(text) = fs::read_to_string(entry.path()) else {
            continue;
        };
        match text.split_once('\n') {
            Some((image, directory)) if Path::new(directory).exists() => images.push(image.to_owned()),
            _ => {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    Ok(images)
}

fn keep_only(directory: &Path, keep: &HashSet<String>) -> Result<(), RuntimeError> {
    for entry in fs::read_dir(directory).map_err(disk(directory.display()))?.flatten() {
        if entry.file_name().to_str().is_some_and(|name| keep.contains(name)) {
            continue;
        }
        let path = entry.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(disk(path.display()))?;
    }
    Ok(())
}
