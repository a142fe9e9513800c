//! `raftsman backup`: a file that holds the whole cluster, looking into such files, and what is asked of those who restore one.

mod command;
mod download;
mod offline;
mod passphrase;
mod show;

pub use command::{BackupOptions, open, run};
pub use offline::{RecoverOptions, RestoreOptions, keys, write_keys};
pub use passphrase::{PassphraseOptions, VARIABLE};
pub use show::summary;

#[cfg(test)]
mod backup_tests;
