//! Where manifests come from.

use crate::manifest::{Document, DocumentError, parse};
use anyhow::{Context, bail};
use clap::Args;
use raftsman_api::selector::Selector;
use std::io::Read;
use std::path::{Path, PathBuf};

/// `-f` and what goes with it.
#[derive(Debug, Clone, Default, Args)]
pub struct Sources {
    /// Files or directories with manifests; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", value_delimiter = ',')]
    pub files: Vec<PathBuf>,
    /// Go into directories below directories, too
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Not known here: `kustomize build DIR | raftsman apply -f -` does it
    #[arg(short = 'k', long, value_name = "DIR", hide = true)]
    pub kustomize: Option<PathBuf>,
}

impl Sources {
    /// Something is named.
    pub fn given(&self) -> bool {
        !self.files.is_empty() || self.kustomize.is_some()
    }
}

/// Reads all of them. A broken document is an error in its place.
///
/// # Errors
/// A file cannot be read, or there is nothing in any of them.
pub fn read(sources: &Sources) -> anyhow::Result<Vec<Result<Document, DocumentError>>> {
    if let Some(dir) = &sources.kustomize {
        let dir = dir.display();
        bail!(
            "-k {dir}: raftsman makes no kustomizations: `kustomize build {dir}` does, and -f - takes what it prints"
        );
    }
    let mut documents = Vec::new();
    for source in &sources.files {
        if let Some(url) = source.to_str().filter(|text| text.starts_with("http://") || text.starts_with("https://")) {
            bail!("-f {url}: raftsman fetches no manifests: `curl -fsSL {url}` does, and -f - takes what it prints");
        }
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

/// As [`read`], and of these only the objects with the labels that a selector asks for. Broken documents stay.
///
/// # Errors
/// As of [`read`], or the selector is none.
pub fn read_selected(
    sources: &Sources,
    selector: Option<&str>,
) -> anyhow::Result<Vec<Result<Document, DocumentError>>> {
    let selector = Selector::parse(selector.unwrap_or_default()).context("--selector")?;
    let mut documents = read(sources)?;
    documents.retain(|document| document.as_ref().map_or(true, |document| selector.matches_object(&document.value)));
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
