//! Writing a backup, block by block.

use crate::block::{self, BLOCK, Kind};
use crate::hashing::Hashing;
use crate::header::Header;
use crate::seal::{FileKey, Seal};
use crate::{BackupError, KeyFile, Manifest, Passphrase, Record};
use raftsman_state::View;
use serde::{Deserialize, Serialize};
use std::io::Write;

/// What was written: the last block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Objects.
    pub objects: u64,
    /// Their bytes before compression.
    pub bytes: u64,
    /// Keys and certificates.
    pub keys: u64,
}

/// Writes a backup; whole only after [`Writer::finish`].
pub struct Writer<W> {
    out: Hashing<W>,
    seal: Option<Seal>,
    number: u64,
    pending: Vec<u8>,
    totals: Totals,
}

impl<W: Write> Writer<W> {
    /// Begins with the manifest; sealed if there is a passphrase.
    ///
    /// # Errors
    /// The output fails, or there is no key for the passphrase.
    pub fn begin(out: W, manifest: &Manifest, passphrase: Option<&Passphrase>) -> Result<Self, BackupError> {
        let mut out = Hashing::new(out);
        let key = passphrase.map(FileKey::generate).transpose()?;
        let (key, sealing) = key.map_or((None, None), |(key, sealing)| (Some(key), Some(sealing)));
        let header = Header { sealing }.write(&mut out)?;
        let seal = key.map(|key| key.bind(header));
        let mut this = Self { out, seal, number: 0, pending: Vec::new(), totals: Totals::default() };
        this.block(Kind::Manifest, &encode("the manifest", manifest)?)?;
        Ok(this)
    }

    fn block(&mut self, kind: Kind, content: &[u8]) -> Result<(), BackupError> {
        block::write(&mut self.out, self.seal.as_ref(), self.number, kind, content)?;
        self.number += 1;
        Ok(())
    }

    /// Adds a key or certificate.
    ///
    /// # Errors
    /// The output fails.
    pub fn key(&mut self, file: &KeyFile) -> Result<(), BackupError> {
        self.totals.keys += 1;
        self.block(Kind::KeyFile, &encode(&file.name, file)?)
    }

    /// Adds an object.
    ///
    /// # Errors
    /// The output fails.
    pub fn object(&mut self, record: &Record) -> Result<(), BackupError> {
        let before = self.pending.len();
        self.pending = postcard::to_extend(record, std::mem::take(&mut self.pending))
            .map_err(|error| BackupError::Unwritable(format!("{}: {error}", record.key)))?;
        self.totals.objects += 1;
        self.totals.bytes += (self.pending.len() - before) as u64;
        if self.pending.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), BackupError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        self.block(Kind::Objects, &pending)?;
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    /// Writes the end and gives the output back.
    ///
    /// # Errors
    /// The output fails.
    pub fn finish(mut self) -> Result<(W, Totals), BackupError> {
        self.flush()?;
        let totals = self.totals;
        self.block(Kind::End, &encode("the end", &totals)?)?;
        let digest = self.out.digest();
        let mut out = self.out.inner;
        out.write_all(&digest).and_then(|()| out.flush()).map_err(BackupError::io("write the backup"))?;
        Ok((out, totals))
    }
}

fn encode<T: Serialize>(what: &str, value: &T) -> Result<Vec<u8>, BackupError> {
    postcard::to_stdvec(value).map_err(|error| BackupError::Unwritable(format!("{what}: {error}")))
}

/// Writes a whole backup of a view. Revision, epoch, counts and key names of the manifest come from what is written.
///
/// # Errors
/// The output fails.
pub fn write_view<W: Write>(
    out: W,
    mut manifest: Manifest,
    view: &View,
    keys: &[KeyFile],
    passphrase: Option<&Passphrase>,
) -> Result<(W, Totals), BackupError> {
    manifest.describe(view);
    manifest.keys = keys.iter().map(|file| file.name.clone()).collect();
    let mut writer = Writer::begin(out, &manifest, passphrase)?;
    for file in keys {
        writer.key(file)?;
    }
    for (_, table) in view.tables() {
        for object in table.list(None, None) {
            writer.object(&Record::from(&**object))?;
        }
    }
    writer.finish()
}
