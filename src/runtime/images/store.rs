//! The store itself.

use crate::border::{ImageInfo, Images, ResolvedImage, RuntimeError};
use crate::images::layout::{Layout, RefRecord, hex_of, layer_name};
use crate::images::model::Manifest;
use crate::images::{archive, collect, disk, pull, reference, unpack};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// Where a store is and whom it trusts.
#[derive(Debug, Clone)]
pub struct ImageStoreConfig {
    /// The directory of the store; several agents of one machine may share it.
    pub root: PathBuf,
    /// Registries (`host` or `host:port`) to be spoken to in plain http. This machine itself always is.
    pub insecure_registries: Vec<String>,
}

/// The content store: layers by digest, references, unpacked layers for overlayfs. Cloning shares it.
#[derive(Debug, Clone)]
pub struct ImageStore {
    layout: Layout,
    insecure: Vec<String>,
}

impl ImageStore {
    /// Opens a store and makes its directory if it is new.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(config: ImageStoreConfig) -> Result<Self, RuntimeError> {
        Ok(Self { layout: Layout::open(&config.root)?, insecure: config.insecure_registries })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn insecure(&self) -> &[String] {
        &self.insecure
    }

    /// The unpacked layers of an image, the topmost first, as overlayfs wants them.
    pub(crate) fn layers(&self, image_id: &str) -> Result<Vec<PathBuf>, RuntimeError> {
        let config = self.layout.config(image_id)?;
        Ok(config.chain()?.iter().rev().map(|chain| self.layout.layer(chain)).collect())
    }

    /// An image by its id.
    pub(crate) fn by_id(&self, id: &str) -> Result<Option<ResolvedImage>, RuntimeError> {
        self.layout.image(id)?.map(|record| self.resolved(&record)).transpose()
    }

    pub(crate) fn resolved(&self, record: &RefRecord) -> Result<ResolvedImage, RuntimeError> {
        let config = self.layout.config(&record.image)?;
        let repository = record.reference.split('@').next().unwrap_or_default();
        let repository = match repository.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => name,
            _ => repository,
        };
        let digest = if record.pulled { format!("{repository}@{}", record.manifest) } else { record.image.clone() };
        Ok(ResolvedImage { id: record.image.clone(), digest, config: config.to_border() })
    }

    /// Unpacks every layer of a manifest whose blobs are here, each once. Gives the image's id.
    pub(crate) fn unpack(&self, manifest: &Manifest) -> Result<String, RuntimeError> {
        let config = self.layout.config(&manifest.config.digest)?;
        if config.rootfs.diff_ids.len() != manifest.layers.len() {
            return Err(RuntimeError::ImagePull(format!(
                "image {}: {} layers, but its configuration lists {}",
                manifest.config.digest,
                manifest.layers.len(),
                config.rootfs.diff_ids.len()
            )));
        }
        let chain = config.chain()?;
        for (position, layer) in manifest.layers.iter().enumerate() {
            let below: Vec<PathBuf> = chain[..position].iter().rev().map(|id| self.layout.layer(id)).collect();
            self.unpack_layer(&layer.digest, &chain[position], &config.rootfs.diff_ids[position], &below)?;
        }
        Ok(manifest.config.digest.clone())
    }

    fn unpack_layer(&self, digest: &str, chain: &str, diff_id: &str, below: &[PathBuf]) -> Result<(), RuntimeError> {
        let target = self.layout.layer(chain);
        if target.exists() {
            return Ok(());
        }
        let _lock = self.layout.lock(&format!("layer-{}", layer_name(chain)), true)?;
        if target.exists() {
            return Ok(());
        }
        let path = self.layout.blob(hex_of(digest)?);
        let blob = File::open(&path).map_err(disk(format!("layer {digest}")))?;
        let fresh = tempfile::Builder::new()
            .prefix("layer-")
            .tempdir_in(self.layout.directory("tmp"))
            .map_err(disk("image store"))?;
        let mut stream = Hashing { inner: decompressed(blob).map_err(disk(digest))?, hash: Sha256::new() };
        let unpacked = unpack::unpack(&mut stream, fresh.path(), below)
            // What follows the end of the archive belongs to the digest too.
            .and_then(|()| io::copy(&mut stream, &mut io::sink()));
        unpacked.map_err(disk(format!("unpack layer {digest}")))?;
        let found = format!("sha256:{}", crate::hex::encode(&stream.hash.finalize()));
        if found != diff_id {
            return Err(RuntimeError::ImagePull(format!(
                "layer {digest} unpacks to {found}, but the image's configuration says {diff_id}"
            )));
        }
        let fresh = fresh.keep();
        fs::rename(&fresh, &target).map_err(disk(format!("unpack layer {digest}")))
    }
}

/// Recognises gzip and plain tar by their first bytes.
pub(crate) fn decompressed(mut file: File) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = [0u8; 4];
    let read = file.read(&mut magic)?;
    file.rewind()?;
    let file = BufReader::with_capacity(128 * 1024, file);
    match &magic[..read] {
        [0x1f, 0x8b, ..] => Ok(Box::new(BufReader::with_capacity(128 * 1024, MultiGzDecoder::new(file)))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Err(io::Error::new(io::ErrorKind::Unsupported, "is compressed with zstd, which is not supported; use gzip"))
        }
        _ => Ok(Box::new(file)),
    }
}

struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RuntimeError> + Send + 'static,
) -> Result<T, RuntimeError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(RuntimeError::Transient(format!("a worker thread ended: {error}"))))
}

#[async_trait::async_trait]
impl Images for ImageStore {
    async fn resolve(&self, text: &str) -> Result<Option<ResolvedImage>, RuntimeError> {
        let (store, text) = (self.clone(), text.to_owned());
        blocking(move || {
            if reference::image_id(&text).is_some() {
                return store.by_id(&text);
            }
            let full = reference::normalise(&text)?;
            store.layout.reference(&full)?.map(|record| store.resolved(&record)).transpose()
        })
        .await
    }

    async fn pull(&self, text: &str) -> Result<ResolvedImage, RuntimeError> {
        pull::pull(self, text).await
    }

    async fn load(&self, path: &Path) -> Result<Vec<String>, RuntimeError> {
        let (store, path) = (self.clone(), path.to_owned());
        blocking(move || archive::load(&store, &path)).await
    }

    async fn list(&self) -> Result<Vec<ImageInfo>, RuntimeError> {
        let store = self.clone();
        blocking(move || collect::list(&store)).await
    }

    async fn remove(&self, text: &str) -> Result<(), RuntimeError> {
        let (store, text) = (self.clone(), text.to_owned());
        blocking(move || collect::remove(&store, &text)).await
    }
}
