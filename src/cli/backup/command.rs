//! `raftsman backup`.

use crate::backup::PassphraseOptions;
use crate::backup::download::{Download, pump};
use crate::backup::show::{counts, summary};
use crate::connect::Cluster;
use crate::kubeconfig::Target;
use anyhow::{Context, bail};
use clap::Args;
use raftsman_backup::{BackupError, Item, Passphrase, Reader, Totals, Writer, Written, outline, write_file};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `raftsman backup`.
#[derive(Debug, Args)]
pub struct BackupOptions {
    #[command(flatten)]
    target: Target,
    /// The backup's file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// With the keys of the cluster's authority and of its tokens; the file is encrypted then
    #[arg(long, conflicts_with_all = ["check", "list"])]
    with_keys: bool,
    /// Encrypt the file
    #[arg(long, conflicts_with_all = ["check", "list"])]
    encrypt: bool,
    /// Replace a file that is there
    #[arg(long, conflicts_with_all = ["check", "list"])]
    overwrite: bool,
    /// Only check a file that is there, from the first byte to the last
    #[arg(long)]
    check: bool,
    /// Only show what is in a file that is there: the objects of each resource
    #[arg(long, conflicts_with = "check")]
    list: bool,
    #[command(flatten)]
    passphrase: PassphraseOptions,
}

/// Makes, checks or lists.
pub async fn run(options: &BackupOptions) -> anyhow::Result<ExitCode> {
    let file = &options.file;
    let done = if options.check {
        check(file, &options.passphrase)
    } else if options.list {
        list(file, &options.passphrase)
    } else {
        make(options).await
    };
    done.with_context(|| file.display().to_string()).map(|()| ExitCode::SUCCESS)
}

async fn make(options: &BackupOptions) -> anyhow::Result<()> {
    let file = options.file.clone();
    if file.exists() && !options.overwrite {
        bail!("it is there already; --overwrite replaces it once the new one is whole");
    }
    let sealed = options.with_keys || options.encrypt;
    let passphrase = sealed.then(|| options.passphrase.new_one()).transpose()?;
    let cluster = Cluster::open(&options.target).await?;
    let path = if options.with_keys { "/raftsman/v1/backup?keys=true" } else { "/raftsman/v1/backup" };
    let request = http::Request::get(path).body(Vec::new()).context("request")?;
    let download = pump(cluster.send(request).await?.into_body());
    let written = tokio::task::spawn_blocking(move || save(&file, download, passphrase.as_ref())).await?;
    let written = written.map_err(|error| match error {
        BackupError::CutOff { .. } => anyhow::anyhow!("the master broke the backup off; try again"),
        other => other.into(),
    })?;
    crate::out!("{}", summary(&written.manifest, written.totals, written.bytes, sealed));
    crate::outln!("\n{}: written, read back and whole", options.file.display());
    Ok(())
}

/// Checks what comes while it is written, block by block, as it will be kept.
fn save(path: &Path, download: Download, passphrase: Option<&Passphrase>) -> Result<Written, BackupError> {
    let mut reader = Reader::open(download, None)?;
    let manifest = reader.manifest().clone();
    write_file(path, passphrase, |out: BufWriter<File>| {
        let mut writer = Writer::begin(out, &manifest, passphrase)?;
        while let Some(item) = reader.next_item()? {
            match item {
                Item::Key(file) => writer.key(&file)?,
                Item::Object(record) => writer.object(&record)?,
            }
        }
        writer.finish()
    })
}

fn file(path: &Path) -> anyhow::Result<BufReader<File>> {
    Ok(BufReader::with_capacity(1 << 20, File::open(path).context("open the backup")?))
}

/// Opens a backup; the passphrase is looked for only if it needs one.
///
/// # Errors
/// The file cannot be read, is no backup, or is sealed with another passphrase.
pub fn open(path: &Path, passphrase: &PassphraseOptions) -> anyhow::Result<Reader<BufReader<File>>> {
    let opened = match Reader::open(file(path)?, None) {
        Err(BackupError::NeedsPassphrase) => Reader::open(file(path)?, Some(&passphrase.known()?)),
        other => other,
    };
    Ok(opened?)
}

fn check(path: &Path, passphrase: &PassphraseOptions) -> anyhow::Result<()> {
    // The sums first: they need no passphrase.
    let outline = outline(file(path)?)?;
    if outline.sealed && passphrase.given()?.is_none() && !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        crate::outln!(
            "{}: {} bytes in {} blocks, all checksums hold; with its passphrase its contents are checked too",
            path.display(),
            outline.bytes,
            outline.blocks
        );
        return Ok(());
    }
    let mut reader = open(path, passphrase)?;
    let totals: Totals = reader.drain()?;
    crate::out!("{}", summary(reader.manifest(), totals, reader.bytes(), outline.sealed));
    crate::outln!("\n{}: whole", path.display());
    Ok(())
}

fn list(path: &Path, passphrase: &PassphraseOptions) -> anyhow::Result<()> {
    let mut reader = open(path, passphrase)?;
    let totals = reader.drain()?;
    crate::out!("{}", summary(reader.manifest(), totals, reader.bytes(), reader.sealed()));
    crate::out!("\n{}", counts(reader.manifest()));
    Ok(())
}
