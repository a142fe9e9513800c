//! Reading a backup, checking everything that can be checked.

use crate::block::{Kind, Raw};
use crate::hashing::{DIGEST, Hashing};
use crate::header::{Header, fill};
use crate::seal::{FileKey, Seal};
use crate::{BackupError, KeyFile, Manifest, Passphrase, Record, Totals};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io::Read;

/// What comes out of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A key or certificate.
    Key(KeyFile),
    /// An object.
    Object(Record),
}

/// Reads a backup. What it gave may be used only after it has given the end without an error.
pub struct Reader<R> {
    input: Hashing<R>,
    seal: Option<Seal>,
    manifest: Manifest,
    number: u64,
    content: Vec<u8>,
    at: usize,
    totals: Totals,
    counts: BTreeMap<String, u64>,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads header and manifest.
    ///
    /// # Errors
    /// It is no backup, of a newer format, damaged, or sealed with another passphrase.
    pub fn open(input: R, passphrase: Option<&Passphrase>) -> Result<Self, BackupError> {
        let mut input = Hashing::new(input);
        let (header, digest) = Header::read(&mut input)?;
        let seal = match (&header.sealing, passphrase) {
            (None, _) => None,
            (Some(_), None) => return Err(BackupError::NeedsPassphrase),
            (Some(sealing), Some(passphrase)) => Some(FileKey::of(sealing, passphrase)?.bind(digest)),
        };
        let (kind, content) = Raw::read(&mut input, 0)?.open(seal.as_ref(), 0)?;
        if kind != Kind::Manifest {
            return Err(BackupError::Damaged { block: 0, what: "it is not the manifest".into() });
        }
        Ok(Self {
            input,
            seal,
            manifest: decode(&content, 0)?,
            number: 1,
            content: Vec::new(),
            at: 0,
            totals: Totals::default(),
            counts: BTreeMap::new(),
            ended: false,
        })
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// It is encrypted.
    pub fn sealed(&self) -> bool {
        self.seal.is_some()
    }

    /// What was read until now.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Bytes of the file that were read until now.
    pub fn bytes(&self) -> u64 {
        self.input.bytes
    }

    /// The next item; `None` at the end, once all of it was found to be whole.
    ///
    /// # Errors
    /// It is damaged or cut off.
    pub fn next_item(&mut self) -> Result<Option<Item>, BackupError> {
        loop {
            if self.at < self.content.len() {
                return self.record().map(|record| Some(Item::Object(record)));
            }
            if self.ended {
                return Ok(None);
            }
            let number = self.number;
            let (kind, content) = Raw::read(&mut self.input, number)?.open(self.seal.as_ref(), number)?;
            self.number += 1;
            match kind {
                Kind::Manifest => return Err(damaged(number, "a second manifest")),
                Kind::KeyFile => {
                    self.totals.keys += 1;
                    return Ok(Some(Item::Key(decode(&content, number)?)));
                }
                Kind::Objects => {
                    self.content = content;
                    self.at = 0;
                }
                Kind::End => self.end(number, &decode(&content, number)?)?,
            }
        }
    }

    /// Reads everything that is left, for checking.
    ///
    /// # Errors
    /// It is damaged or cut off.
    pub fn drain(&mut self) -> Result<Totals, BackupError> {
        while self.next_item()?.is_some() {}
        Ok(self.totals)
    }

    fn record(&mut self) -> Result<Record, BackupError> {
        let rest = self.content.get(self.at..).unwrap_or_default();
        let (record, left): (Record, &[u8]) =
            postcard::take_from_bytes(rest).map_err(|error| damaged(self.number - 1, format!("an object: {error}")))?;
        let length = rest.len() - left.len();
        if record.body.at.is_some_and(|at| at as usize > record.body.json.len()) {
            return Err(damaged(self.number - 1, format!("{}: its revision lies outside of it", record.key)));
        }
        self.at += length;
        self.totals.objects += 1;
        self.totals.bytes += length as u64;
        match self.counts.get_mut(record.key.resource.as_str()) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(record.key.resource.as_str().to_owned(), 1)),
        }
        Ok(record)
    }

    fn end(&mut self, number: u64, said: &Totals) -> Result<(), BackupError> {
        self.ended = true;
        let found = self.input.digest();
        let mut stored = [0; DIGEST];
        fill(&mut self.input, &mut stored, BackupError::CutOff { block: number + 1 })?;
        if found != stored {
            return Err(damaged(number, "the file's checksum differs"));
        }
        let mut more = [0];
        if self.input.read(&mut more).map_err(BackupError::io("read the backup"))? != 0 {
            return Err(damaged(number, "something follows the end"));
        }
        if *said != self.totals || self.counts != self.manifest.counts {
            return Err(damaged(number, "it does not hold as many objects as it says"));
        }
        Ok(())
    }
}

fn decode<T: DeserializeOwned>(content: &[u8], number: u64) -> Result<T, BackupError> {
    match postcard::take_from_bytes(content) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(damaged(number, "it is longer than what it holds")),
        Err(error) => Err(damaged(number, format!("it cannot be read: {error}"))),
    }
}

fn damaged(block: u64, what: impl Into<String>) -> BackupError {
    BackupError::Damaged { block, what: what.into() }
}
