//! Where manifests come from.

use crate::manifest::{Document, DocumentError, parse};
use anyhow::{Context, bail};
use clap::Args;
use std::io::Read;
use std::path::{Path, PathBuf};

/// `-f` and what goes with it.
#[derive(Debug, Clone, Default, Args)]
pub struct Sources {
    /// Files or directories with manifests; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Go into directories below directories, too
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

/// Reads all of them. A broken document is an error in its place.
///
/// # Errors
/// A file cannot be read, or there is nothing in any of them.
pub fn read(sources: &Sources) -> anyhow::Result<Vec<Result<Document, DocumentError>>> {
    let mut documents = Vec::new();
    for source in &sources.files {
        if source == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
            documents.extend(parse("standard input", &text));
            continue;
        }
        for file in files(source, sources.recursive)? {
            let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            documents.extend(parse(&file.display().to_string(), &text));
        }
    }
    if documents.is_empty() {
        let names: Vec<String> = sources.files.iter().map(|file| file.display().to_string()).collect();
        bail!("no objects in {}: nothing was done", names.join(", "));
    }
    Ok(documents)
}

/// The file itself, or the manifests in a directory by name.
fn files(source: &Path, recursive: bool) -> anyhow::Result<Vec<PathBuf>> {
    let metadata = std::fs::metadata(source).with_context(|| format!("-f {}", source.display()))?;
    if !metadata.is_dir() {
        return Ok(vec![source.to_owned()]);
    }
    let mut found = Vec::new();
    let entries = std::fs::read_dir(source).with_context(|| source.display().to_string())?;
    for entry in entries {
        let path = entry.with_context(|| source.display().to_string())?.path();
        if path.is_dir() {
            if recursive {
                found.extend(files(&path, true)?);
            }
        } else if path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
