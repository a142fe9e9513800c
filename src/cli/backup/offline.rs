//! What restoring and recovering take on the command line. They work on a master's data directory, which is not this room's.

use crate::backup::PassphraseOptions;
use anyhow::{Context, bail};
use clap::Args;
use raftsman_backup::{Item, KeyFile, Reader};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// `raftsman restore`.
#[derive(Debug, Args)]
pub struct RestoreOptions {
    /// The backup's file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The configuration of the new cluster's first master, on whose host this runs
    #[arg(long, value_name = "FILE", required_unless_present = "keys_to")]
    pub config: Option<PathBuf>,
    /// Put the keys that the backup holds into this directory, for `raftsman pki issue`, before hosts have certificates
    #[arg(long, value_name = "DIR")]
    pub keys_to: Option<PathBuf>,
    /// How the backup is opened
    #[command(flatten)]
    pub passphrase: PassphraseOptions,
}

/// `raftsman recover`.
#[derive(Debug, Args)]
pub struct RecoverOptions {
    /// The configuration of the master that survived, on whose host this runs
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Do what this shows without it
    #[arg(long)]
    pub yes: bool,
}

impl RestoreOptions {
    /// Opens the backup.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(&self) -> anyhow::Result<Reader<BufReader<File>>> {
        super::open(&self.file, &self.passphrase).with_context(|| self.file.display().to_string())
    }

    /// Writes the keys that it holds, if that was asked for, beside the cluster's id.
    ///
    /// # Errors
    /// It holds none, the directory has others, or cannot be written.
    pub fn extract_keys(&self) -> anyhow::Result<()> {
        let Some(dir) = &self.keys_to else { return Ok(()) };
        let mut reader = self.open()?;
        let keys = keys(&mut reader)?;
        if keys.is_empty() {
            bail!("{}: there are no keys in it; it was made without --with-keys", self.file.display());
        }
        // Nothing is used of a file that is not whole.
        reader.drain().with_context(|| self.file.display().to_string())?;
        write_keys(dir, &keys)?;
        raftsman_pki::write_public(&dir.join("cluster-id"), &format!("{}\n", reader.manifest().cluster_id))?;
        crate::outln!(
            "keys of cluster {} ({}): {}",
            reader.manifest().cluster,
            reader.manifest().cluster_id,
            dir.display()
        );
        Ok(())
    }
}

/// The keys at the beginning of a backup.
///
/// # Errors
/// It is damaged.
pub fn keys(reader: &mut Reader<BufReader<File>>) -> anyhow::Result<Vec<KeyFile>> {
    let mut keys = Vec::new();
    for _ in 0..reader.manifest().keys.len() {
        match reader.next_item()? {
            Some(Item::Key(file)) => keys.push(file),
            _ => bail!("the backup does not hold the keys that it names"),
        }
    }
    Ok(keys)
}

/// Writes keys and certificates into a directory that has none.
///
/// # Errors
/// It has others, a name is no file's, or the disk fails.
pub fn write_keys(dir: &Path, keys: &[KeyFile]) -> anyhow::Result<()> {
    for file in keys {
        let plain = Path::new(&file.name).file_name().is_some_and(|name| name == file.name.as_str());
        if !plain {
            bail!("the backup names a key {:?}, which is no file name", file.name);
        }
        if dir.join(&file.name).exists() {
            bail!("{} is there already, and is not replaced", dir.join(&file.name).display());
        }
    }
    // The authority's certificate last: it says that the others are there.
    for file in keys.iter().filter(|file| file.name != "ca.crt") {
        raftsman_pki::write_private(&dir.join(&file.name), &file.content)?;
    }
    for file in keys.iter().filter(|file| file.name == "ca.crt") {
        raftsman_pki::write_public(&dir.join(&file.name), &file.content)?;
    }
    Ok(())
}
