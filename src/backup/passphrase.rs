//! What seals a backup.

use crate::BackupError;

/// A passphrase; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Vec<u8>);

impl Passphrase {
    /// From what a person or a file gave: line ends behind it do not count.
    ///
    /// # Errors
    /// It is empty.
    pub fn new(text: impl Into<Vec<u8>>) -> Result<Self, BackupError> {
        let mut bytes: Vec<u8> = text.into();
        while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            bytes.pop();
        }
        if bytes.is_empty() {
            return Err(BackupError::Passphrase("it is empty".into()));
        }
        Ok(Self(bytes))
    }

    /// The passphrase itself, for handing it to a process of ours.
    pub fn reveal(&self) -> &std::ffi::OsStr {
        std::os::unix::ffi::OsStrExt::from_bytes(&self.0)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase")
    }
}
