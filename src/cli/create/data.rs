//! Config maps and secrets: keys with values from flags, files and files of variables.

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where keys and values come from.
#[derive(Debug, Default, Args)]
pub(super) struct Data {
    /// A key and its value
    #[arg(long, value_name = "KEY=VALUE")]
    from_literal: Vec<String>,
    /// A file, by its name or under a key; or a directory, each of whose files is a key
    #[arg(long, value_name = "[KEY=]FILE", value_delimiter = ',')]
    from_file: Vec<String>,
    /// A file of lines KEY=VALUE
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    from_env_file: Vec<PathBuf>,
}

impl Data {
    fn read(&self) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let others = !self.from_file.is_empty() || !self.from_literal.is_empty();
        if others && !self.from_env_file.is_empty() {
            bail!("--from-env-file goes with neither --from-file nor --from-literal");
        }
        let mut data = BTreeMap::new();
        for literal in &self.from_literal {
            let pair = literal.split_once('=').filter(|(key, _)| !key.is_empty());
            let (key, value) = pair.with_context(|| format!("--from-literal {literal:?}: is not KEY=VALUE"))?;
            add(&mut data, key, value.as_bytes().to_vec())?;
        }
        for source in &self.from_file {
            match source.split_once('=') {
                Some((key, path)) if !key.is_empty() && !path.is_empty() => add(&mut data, key, bytes(path.as_ref())?)?,
                Some(_) => bail!("--from-file {source:?}: is not [KEY=]FILE"),
                None => files(&mut data, source.as_ref())?,
            }
        }
        for path in &self.from_env_file {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            for (key, value) in variables(&text, |name| std::env::var(name).ok()) {
                add(&mut data, &key, value.into_bytes())?;
            }
        }
        Ok(data)
    }
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

/// A file under its name, or the files right in a directory.
fn files(data: &mut BTreeMap<String, Vec<u8>>, path: &Path) -> anyhow::Result<()> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !path.is_dir() {
        return add(data, &name(path), bytes(path)?);
    }
    for entry in std::fs::read_dir(path).with_context(|| path.display().to_string())? {
        let file = entry.with_context(|| path.display().to_string())?.path();
        // As kubectl: no directories below, and no files whose name is no key.
        if file.is_file() && is_key(&name(&file)) {
            add(data, &name(&file), bytes(&file)?)?;
        }
    }
    Ok(())
}

fn is_key(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn add(data: &mut BTreeMap<String, Vec<u8>>, key: &str, value: Vec<u8>) -> anyhow::Result<()> {
    if !is_key(key) {
        bail!("{key:?} is no key: letters, digits, '-', '_' and '.' are");
    }
    if data.insert(key.to_owned(), value).is_some() {
        bail!("cannot add key {key}: another key by that name is there already");
    }
    Ok(())
}

/// `KEY=VALUE` a line; a KEY alone takes the variable's value of our own.
fn variables(text: &str, own: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| match line.split_once('=') {
            Some((key, value)) => Some((key.to_owned(), value.to_owned())),
            None => Some((line.to_owned(), own(line)?)),
        })
        .collect()
}

/// `create configmap`.
#[derive(Debug, Args)]
pub(super) struct ConfigMap {
    /// Its name
    name: String,
    #[command(flatten)]
    data: Data,
}

impl ConfigMap {
    pub(super) fn object(&self) -> anyhow::Result<Value> {
        let (mut texts, mut binaries) = (Map::new(), Map::new());
        for (key, value) in self.data.read()? {
            match String::from_utf8(value) {
                Ok(text) => drop(texts.insert(key, text.into())),
                Err(error) => drop(binaries.insert(key, STANDARD.encode(error.as_bytes()).into())),
            }
        }
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self.name}});
        for (field, map) in [("data", texts), ("binaryData", binaries)] {
            if !map.is_empty() {
                object[field] = map.into();
            }
        }
        Ok(object)
    }
}

/// `create secret`.
#[derive(Debug, Subcommand)]
pub(super) enum Secret {
    /// From values and files
    Generic {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long, default_value = "Opaque", value_name = "TYPE")]
        r#type: String,
        #[command(flatten)]
        data: Data,
    },
    /// A certificate and its key
    Tls {
        /// Its name
        name: String,
        /// The file with the certificate
        #[arg(long, value_name = "FILE")]
        cert: PathBuf,
        /// The file with the key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// What a registry of images asks for
    #[command(name = "docker-registry")]
    Registry {
        /// Its name
        name: String,
        /// The registry
        #[arg(long, default_value = "https://index.docker.io/v1/", value_name = "SERVER")]
        docker_server: String,
        /// The user there
        #[arg(long, value_name = "NAME")]
        docker_username: String,
        /// The password there
        #[arg(long, value_name = "PASSWORD")]
        docker_password: String,
        /// The address there
        #[arg(long, default_value = "", value_name = "ADDRESS")]
        docker_email: String,
    },
}

impl Secret {
    pub(super) fn object(&self) -> anyhow::Result<Value> {
        let (name, kind, data) = match self {
            Self::Generic { name, r#type, data } => (name, r#type.as_str(), data.read()?),
            Self::Tls { name, cert, key } => {
                let data = [("tls.crt".to_owned(), bytes(cert)?), ("tls.key".to_owned(), bytes(key)?)];
                (name, "kubernetes.io/tls", data.into())
            }
            Self::Registry { name, docker_server, docker_username, docker_password, docker_email } => {
                let both = STANDARD.encode(format!("{docker_username}:{docker_password}"));
                let mut entry = json!({"username": docker_username, "password": docker_password, "auth": both});
                if !docker_email.is_empty() {
                    entry["email"] = docker_email.as_str().into();
                }
                let text = json!({"auths": {docker_server: entry}}).to_string();
                let data = [(".dockerconfigjson".to_owned(), text.into_bytes())];
                (name, "kubernetes.io/dockerconfigjson", data.into())
            }
        };
        let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind});
        if !data.is_empty() {
            let data: Map<String, Value> =
                data.iter().map(|(key, value)| (key.clone(), STANDARD.encode(value).into())).collect();
            object["data"] = data.into();
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_variables_are_read_as_kubectl_reads_them() {
        let own = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let read = variables("# words\nA=b=c\n\n  B=\nHOME\nNONE\n", own);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(read, [pair("A", "b=c"), pair("B", ""), pair("HOME", "/root")]);
    }
}
