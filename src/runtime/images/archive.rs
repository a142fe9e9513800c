//! Archives: OCI image layouts in a tar, and what `docker save` writes. Plain or gzip.

use crate::border::RuntimeError;
use crate::images::layout::{RefRecord, parse};
use crate::images::model::{Descriptor, Index, Manifest};
use crate::images::store::decompressed;
use crate::images::{ImageStore, disk, reference};
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Full name of an image (containerd's annotation).
const NAME: &str = "io.containerd.image.name";
/// Name or tag of an image (OCI image-spec, annotations).
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const DEEPEST_INDEX: u32 = 4;

/// One image in `manifest.json` of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

/// The files of an archive, already in the store.
#[derive(Default)]
struct Files {
    /// Path in the archive → digest and size.
    stored: HashMap<String, (String, u64)>,
}

/// Loads every image of an archive.
pub(crate) fn load(store: &ImageStore, path: &Path) -> Result<Vec<String>, RuntimeError> {
    let what = format!("image archive {}", path.display());
    let invalid = |problem: &str| RuntimeError::Invalid(format!("{what}: {problem}"));
    let _lock = store.layout().lock("store", false)?;
    let file = File::open(path).map_err(|error| invalid(&error.to_string()))?;
    let stream = decompressed(file).map_err(|error| invalid(&error.to_string()))?;
    let files = spool(store, stream).map_err(|error| invalid(&error.to_string()))?;

    let mut names = Vec::new();
    if let Some((digest, _)) = files.stored.get("index.json") {
        let index: Index = parse(&store.layout().read_blob(digest)?, "index.json")?;
        for descriptor in &index.manifests {
            load_descriptor(store, descriptor, &descriptor.annotations, DEEPEST_INDEX, &mut names)?;
        }
    } else if let Some((digest, _)) = files.stored.get("manifest.json") {
        let saved: Vec<Saved> = parse(&store.layout().read_blob(digest)?, "manifest.json")?;
        for image in &saved {
            load_saved(store, &files, image, &mut names).map_err(|error| invalid(&error.to_string()))?;
        }
    } else {
        return Err(invalid("it has neither index.json (OCI layout) nor manifest.json (docker save)"));
    }
    if names.is_empty() {
        return Err(invalid("it has no image for this machine's platform"));
    }
    Ok(names)
}

fn spool(store: &ImageStore, stream: impl Read) -> Result<Files, RuntimeError> {
    let mut files = Files::default();
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries().map_err(disk("read"))? {
        let entry = entry.map_err(disk("read"))?;
        let name = entry.path().map_err(disk("read"))?.to_string_lossy().trim_start_matches("./").to_owned();
        if entry.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        let (file, hex, size) = store.layout().spool(entry)?;
        if let Some(expected) = name.strip_prefix("blobs/sha256/")
            && expected != hex
        {
            return Err(RuntimeError::Invalid(format!("{name} is damaged: its content is sha256:{hex}")));
        }
        if !store.layout().blob(&hex).exists() {
            store.layout().adopt(file, &hex)?;
        }
        files.stored.insert(name, (format!("sha256:{hex}"), size));
    }
    Ok(files)
}

fn load_descriptor(
    store: &ImageStore,
    descriptor: &Descriptor,
    annotations: &std::collections::BTreeMap<String, String>,
    depth: u32,
    names: &mut Vec<String>,
) -> Result<(), RuntimeError> {
    if descriptor.platform.as_ref().is_some_and(|platform| !platform.is_this()) {
        return Ok(());
    }
    let bytes = store.layout().read_blob(&descriptor.digest)?;
    let index: Index = parse(&bytes, &descriptor.digest)?;
    if !index.manifests.is_empty() {
        if depth == 0 {
            return Err(RuntimeError::Invalid(format!("index {} is nested too deeply", descriptor.digest)));
        }
        for inner in &index.manifests {
            load_descriptor(store, inner, annotations, depth - 1, names)?;
        }
        return Ok(());
    }
    let manifest: Manifest = parse(&bytes, &descriptor.digest)?;
    let image = store.unpack(&manifest)?;
    let name = annotations.get(NAME).or_else(|| annotations.get(REF_NAME));
    finish(store, name.map(String::as_str), &descriptor.digest, image, names)
}

fn load_saved(store: &ImageStore, files: &Files, image: &Saved, names: &mut Vec<String>) -> Result<(), RuntimeError> {
    let find = |path: &String| {
        let found = files.stored.get(path).cloned();
        found.ok_or_else(|| RuntimeError::Invalid(format!("manifest.json names {path}, which is not in it")))
    };
    let describe =
        |path: &String| find(path).map(|(digest, size)| Descriptor { digest, size, ..Descriptor::default() });
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST_TYPE.to_owned(),
        config: describe(&image.config)?,
        layers: image.layers.iter().map(describe).collect::<Result<_, _>>()?,
    };
    let id = store.unpack(&manifest)?;
    let json = serde_json::to_vec(&manifest).map_err(std::io::Error::other).map_err(disk("manifest"))?;
    let digest = store.layout().put_blob(&json)?;
    let tags = image.repo_tags.clone().unwrap_or_default();
    if tags.is_empty() {
        return finish(store, None, &digest, id, names);
    }
    for tag in &tags {
        finish(store, Some(tag), &digest, id.clone(), names)?;
    }
    Ok(())
}

/// Names the image; without a name it is known by its id alone.
fn finish(
    store: &ImageStore,
    name: Option<&str>,
    manifest: &str,
    image: String,
    names: &mut Vec<String>,
) -> Result<(), RuntimeError> {
    let reference = match name {
        Some(name) => reference::normalise(name)?,
        None => image.clone(),
    };
    let record = RefRecord { reference: reference.clone(), manifest: manifest.to_owned(), image, pulled: false };
    store.layout().put_reference(&record)?;
    names.push(reference);
    Ok(())
}
