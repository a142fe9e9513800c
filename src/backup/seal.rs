//! Encryption of blocks: see the crate for what is bound to what.

use crate::{BackupError, Passphrase};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Argon2id with 64 MiB and three passes (RFC 9106, the second recommended choice has four lanes; one here, because a
/// master has few cores to spare).
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// The most that a file may ask for when it is opened: it is not to be trusted yet.
const MEMORY_LIMIT_KIB: u32 = 1 << 20;
const PASSES_LIMIT: u32 = 64;
const LANES_LIMIT: u32 = 16;

/// How a file's key is made of the passphrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealing {
    salt: [u8; 16],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// Tells a wrong passphrase from damage.
    verifier: [u8; 16],
}

/// Seals and opens the blocks of one file.
pub(crate) struct Seal {
    key: LessSafeKey,
    header: [u8; 32],
}

/// A key that is not bound to a header yet.
pub(crate) struct FileKey(LessSafeKey);

impl FileKey {
    /// A new key for a new file.
    pub(crate) fn generate(passphrase: &Passphrase) -> Result<(Self, Sealing), BackupError> {
        let mut salt = [0; 16];
        SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| BackupError::Passphrase("the system gives no random numbers".into()))?;
        let mut sealing =
            Sealing { salt, memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, verifier: Default::default() };
        let (key, verifier) = sealing.derive(passphrase)?;
        sealing.verifier = verifier;
        Ok((key, sealing))
    }

    /// The key of a file that exists.
    pub(crate) fn of(sealing: &Sealing, passphrase: &Passphrase) -> Result<Self, BackupError> {
        let (key, verifier) = sealing.derive(passphrase)?;
        if verifier == sealing.verifier { Ok(key) } else { Err(BackupError::WrongPassphrase) }
    }

    pub(crate) fn bind(self, header: [u8; 32]) -> Seal {
        Seal { key: self.0, header }
    }
}

impl Sealing {
    fn derive(&self, passphrase: &Passphrase) -> Result<(FileKey, [u8; 16]), BackupError> {
        let refused = |what: &dyn std::fmt::Display| BackupError::Passphrase(format!("no key can be made: {what}"));
        if self.memory_kib > MEMORY_LIMIT_KIB || self.passes > PASSES_LIMIT || self.lanes > LANES_LIMIT {
            return Err(refused(&"the file asks for more memory or time than any backup needs"));
        }
        let params =
            Params::new(self.memory_kib, self.passes, self.lanes, Some(64)).map_err(|error| refused(&error))?;
        let mut out = [0; 64];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.bytes(), &self.salt, &mut out)
            .map_err(|error| refused(&error))?;
        let (key, rest) = out.split_at(32);
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| refused(&"its length"))?;
        let mut verifier = [0; 16];
        verifier.copy_from_slice(&Sha256::digest(rest)[..16]);
        Ok((FileKey(LessSafeKey::new(key)), verifier))
    }
}

impl Seal {
    fn context(&self, kind: u8) -> [u8; 33] {
        let mut context = [0; 33];
        context[..32].copy_from_slice(&self.header);
        context[32] = kind;
        context
    }

    /// Encrypts a block's content in place; `number` is used once in a file.
    pub(crate) fn close(&self, number: u64, kind: u8, content: &mut Vec<u8>) -> Result<(), BackupError> {
        self.key
            .seal_in_place_append_tag(nonce(number), Aad::from(self.context(kind)), content)
            .map_err(|_| BackupError::Unwritable(format!("block {number}")))
    }

    /// Decrypts a block's content.
    pub(crate) fn open(&self, number: u64, kind: u8, mut content: Vec<u8>) -> Result<Vec<u8>, BackupError> {
        let opened = self.key.open_in_place(nonce(number), Aad::from(self.context(kind)), &mut content);
        let length = opened.map(|opened| opened.len()).map_err(|_| BackupError::Damaged {
            block: number,
            what: "it was not written with this key at this place".into(),
        })?;
        content.truncate(length);
        Ok(content)
    }
}

/// A key serves one file, so the block's number never comes twice under it.
fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}
