//! `raftsman image`: the image store that the hosts of a local cluster share.

use crate::command::progress::Progress;
use crate::command::{Which, members, preflight};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use raftsman_runtime::border::Images;
use raftsman_runtime::{ImageStore, ImageStoreConfig};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to do with images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Load images from OCI archives (also what `docker save` writes), plain or gzip
    Load(LoadOptions),
    /// List them
    Ls(StoreOptions),
}

/// Which store.
#[derive(Debug, Args)]
pub struct StoreOptions {
    #[command(flatten)]
    which: Which,
    /// The store's directory, on a real machine [default: the local cluster's]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// Which archives.
#[derive(Debug, Args)]
pub struct LoadOptions {
    #[command(flatten)]
    store: StoreOptions,
    /// Archives
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A node: all nodes of a local cluster share one store, so this only checks that it exists
    #[arg(long, value_name = "HOST")]
    node: Option<String>,
}

/// Runs it.
pub async fn run(command: ImageCommand) -> anyhow::Result<ExitCode> {
    preflight::root()?;
    match command {
        ImageCommand::Load(options) => {
            let dir = directory(&options.store, options.node.as_deref())?;
            let store = open(&dir)?;
            for file in &options.files {
                for name in store.load(file).await? {
                    raftsman_cli::outln!("loaded {name}");
                }
            }
        }
        ImageCommand::Ls(options) => {
            let store = open(&directory(&options, None)?)?;
            let mut lines = vec![["IMAGE", "ID", "SIZE"].map(str::to_owned)];
            for image in store.list().await? {
                let id = image.id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
                let size = format!("{:.1}MB", image.size as f64 / 1e6);
                let names = if image.names.is_empty() { vec!["<none>".to_owned()] } else { image.names };
                lines.extend(names.into_iter().map(|name| [name, id.clone(), size.clone()]));
            }
            raftsman_cli::out!("{}", raftsman_cli::output::columns(&lines));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn directory(options: &StoreOptions, node: Option<&str>) -> anyhow::Result<PathBuf> {
    if let Some(dir) = &options.store {
        return Ok(dir.clone());
    }
    let cluster = members::existing(&options.which)?;
    if let Some(node) = node {
        members::host(&cluster, node)?;
    }
    Ok(cluster.image_dir())
}

fn open(dir: &Path) -> anyhow::Result<ImageStore> {
    let config = ImageStoreConfig { root: dir.to_owned(), insecure_registries: Vec::new() };
    ImageStore::open(config).with_context(|| format!("image store {}", dir.display()))
}

/// The archives that were asked for, which must exist, and those that scripts/images.sh made, if it ran.
pub fn archives(asked: &[PathBuf], made: Option<&Path>) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(missing) = asked.iter().find(|file| !file.exists()) {
        bail!("--image {}: there is no such file", missing.display());
    }
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/raftsman/images"));
    let mut all = asked.to_vec();
    if let Some(dir) = made.map(Path::to_owned).or(home) {
        let names = ["busybox", "mariadb", "tomcat-sample"].map(|name| dir.join(format!("{name}.tar")));
        all.extend(names.into_iter().filter(|file| file.exists()));
    }
    Ok(all)
}

/// Loads archives; the names of what is there afterwards.
pub async fn load(dir: &Path, archives: &[PathBuf], progress: &Progress) -> anyhow::Result<Vec<String>> {
    let store = open(dir)?;
    let mut names = Vec::new();
    for file in archives {
        progress.update(&file.display().to_string());
        names.extend(store.load(file).await.with_context(|| format!("image archive {}", file.display()))?);
    }
    Ok(names)
}
