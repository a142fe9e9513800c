//! What can be wrong with a backup file.

use std::io;

/// An error of reading or writing a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The disk or the connection failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// It does not begin as a backup does.
    #[error("this is no backup of raftsman")]
    Foreign,
    /// A newer raftsman wrote it.
    #[error("the backup's format {found} is newer than this raftsman's {known}: use a raftsman of its age or newer")]
    Version {
        /// The file's.
        found: u16,
        /// The newest known here.
        known: u16,
    },
    /// It ends before its end.
    #[error("the backup is cut off after block {block}: what wrote or copied it did not finish")]
    CutOff {
        /// Blocks that are whole.
        block: u64,
    },
    /// Its bytes are not those that were written.
    #[error("the backup is damaged at block {block}: {what}")]
    Damaged {
        /// Counted from 0, which is the manifest.
        block: u64,
        /// What does not hold.
        what: String,
    },
    /// It is sealed and no passphrase was given.
    #[error("the backup is encrypted: give its passphrase")]
    NeedsPassphrase,
    /// The passphrase is not the one it was sealed with.
    #[error("the passphrase is not the one that the backup was encrypted with")]
    WrongPassphrase,
    /// The passphrase cannot be used.
    #[error("passphrase: {0}")]
    Passphrase(String),
    /// Something cannot be written in this format.
    #[error("{0} cannot be written into a backup")]
    Unwritable(String),
}

impl BackupError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
