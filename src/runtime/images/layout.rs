//! Where things are in a store, and how they get there.

use crate::border::RuntimeError;
use crate::images::disk;
use crate::images::model::{Config, Manifest};
use crate::sys;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What a reference stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RefRecord {
    /// The full reference.
    pub reference: String,
    /// The manifest's digest, `sha256:…`.
    pub manifest: String,
    /// The image's id: its configuration's digest.
    pub image: String,
    /// It came from a registry.
    pub pulled: bool,
}

/// The directory of a store. Cheap to copy around.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Makes the directories.
    pub(crate) fn open(root: &Path) -> Result<Self, RuntimeError> {
        let layout = Self { root: root.to_owned() };
        for name in ["blobs", "layers", "refs", "images", "leases", "locks", "tmp"] {
            fs::create_dir_all(root.join(name)).map_err(disk(format!("image store {}", root.display())))?;
        }
        Ok(layout)
    }

    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The file of a blob.
    pub(crate) fn blob(&self, hex: &str) -> PathBuf {
        self.root.join("blobs").join(hex)
    }

    /// The directory of an unpacked layer. Short, because overlayfs takes all of them in one page.
    pub(crate) fn layer(&self, chain_hex: &str) -> PathBuf {
        self.root.join("layers").join(layer_name(chain_hex))
    }

    fn record(&self, kind: &str, key: &str) -> PathBuf {
        self.root.join(kind).join(format!("{}.json", crate::hex::sha256(key.as_bytes())))
    }

    /// Waits for a lock: `store` shared by those who add and exclusive for who collects, others exclusive.
    pub(crate) fn lock(&self, name: &str, exclusive: bool) -> Result<File, RuntimeError> {
        sys::file_lock(&self.root.join("locks").join(name), exclusive).map_err(disk("image store lock"))
    }

    /// What a full reference stands for.
    pub(crate) fn reference(&self, reference: &str) -> Result<Option<RefRecord>, RuntimeError> {
        read_record(&self.record("refs", reference))
    }

    /// What an image id stands for.
    pub(crate) fn image(&self, id: &str) -> Result<Option<RefRecord>, RuntimeError> {
        read_record(&self.record("images", id))
    }

    /// Names an image whose blobs and layers are all here.
    pub(crate) fn put_reference(&self, record: &RefRecord) -> Result<(), RuntimeError> {
        let json = serde_json::to_vec(record).map_err(io::Error::other).map_err(disk("image reference"))?;
        sys::write_atomic(&self.record("images", &record.image), &json).map_err(disk("image record"))?;
        sys::write_atomic(&self.record("refs", &record.reference), &json).map_err(disk("image reference"))
    }

    /// Forgets a reference.
    pub(crate) fn drop_reference(&self, reference: &str) -> Result<(), RuntimeError> {
        match fs::remove_file(self.record("refs", reference)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk("image reference")(error)),
            _ => Ok(()),
        }
    }

    /// All references.
    pub(crate) fn references(&self) -> Result<Vec<RefRecord>, RuntimeError> {
        let mut records = Vec::new();
        for entry in fs::read_dir(self.root.join("refs")).map_err(disk("image references"))?.flatten() {
            records.extend(read_record(&entry.path())?);
        }
        Ok(records)
    }

    /// Reads a JSON blob.
    pub(crate) fn read_blob(&self, digest: &str) -> Result<Vec<u8>, RuntimeError> {
        fs::read(self.blob(hex_of(digest)?)).map_err(disk(format!("image blob {digest}")))
    }

    /// Reads a manifest.
    pub(crate) fn manifest(&self, digest: &str) -> Result<Manifest, RuntimeError> {
        parse(&self.read_blob(digest)?, digest)
    }

    /// Reads a configuration.
    pub(crate) fn config(&self, digest: &str) -> Result<Config, RuntimeError> {
        parse(&self.read_blob(digest)?, digest)
    }

    /// A place to write before the rename.
    pub(crate) fn temporary(&self) -> Result<tempfile::NamedTempFile, RuntimeError> {
        tempfile::NamedTempFile::new_in(self.root.join("tmp")).map_err(disk("image store"))
    }

    /// Stores bytes under their digest, which is given back.
    pub(crate) fn put_blob(&self, content: &[u8]) -> Result<String, RuntimeError> {
        let hex = crate::hex::sha256(content);
        if !self.blob(&hex).exists() {
            sys::write_atomic(&self.blob(&hex), content).map_err(disk("image blob"))?;
        }
        Ok(format!("sha256:{hex}"))
    }

    /// Copies a stream to a temporary file and gives it with its digest in hexadecimal and its size.
    pub(crate) fn spool(&self, mut source: impl Read) -> Result<(tempfile::NamedTempFile, String, u64), RuntimeError> {
        let mut file = self.temporary()?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0u8; 128 * 1024];
        let mut size = 0;
        loop {
            let read = source.read(&mut buffer).map_err(disk("read image content"))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            file.write_all(&buffer[..read]).map_err(disk("write image content"))?;
            size += read as u64;
        }
        Ok((file, crate::hex::encode(&hash.finalize()), size))
    }

    /// Moves a spooled file, whose digest was checked, to its place.
    pub(crate) fn adopt(&self, file: tempfile::NamedTempFile, hex: &str) -> Result<(), RuntimeError> {
        file.as_file().sync_data().map_err(disk("image blob"))?;
        file.persist(self.blob(hex)).map_err(|error| disk("image blob")(error.error))?;
        Ok(())
    }
}

/// The directory name of a layer: 128 bits of its chain id.
pub(crate) fn layer_name(chain_hex: &str) -> &str {
    chain_hex.get(..32).unwrap_or(chain_hex)
}

/// The hexadecimal part of a `sha256:` digest.
pub(crate) fn hex_of(digest: &str) -> Result<&str, RuntimeError> {
    crate::images::reference::image_id(digest)
        .ok_or_else(|| RuntimeError::ImagePull(format!("image content has a digest that is not sha256: \"{digest}\"")))
}

/// Parses image JSON.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, RuntimeError> {
    serde_json::from_slice(bytes).map_err(|error| RuntimeError::ImagePull(format!("image content {what}: {error}")))
}

fn read_record(path: &Path) -> Result<Option<RefRecord>, RuntimeError> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(disk(path.display())(error)),
    }
}
