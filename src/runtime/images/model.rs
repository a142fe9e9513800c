//! The parts of OCI image JSON that are read here (OCI image-spec: index, manifest, configuration).

use crate::border::{ImageConfig, RuntimeError};
use crate::images::layout::hex_of;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A descriptor.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    /// What it points at.
    #[serde(default)]
    pub media_type: String,
    /// `sha256:…`.
    pub digest: String,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// Names, in an index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// For which machine, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// A descriptor's platform.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Platform {
    /// Go's name of the processor.
    #[serde(default)]
    pub architecture: String,
    /// Go's name of the system.
    #[serde(default)]
    pub os: String,
}

impl Platform {
    /// Containers of it run here.
    pub(crate) fn is_this(&self) -> bool {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        self.os == "linux" && self.architecture == architecture
    }
}

/// An index, or a manifest list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Index {
    /// What it lists.
    #[serde(default)]
    pub manifests: Vec<Descriptor>,
}

/// A manifest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    /// Always 2.
    #[serde(default)]
    pub schema_version: u32,
    /// Its own type.
    #[serde(default)]
    pub media_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// An image configuration.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Config {
    /// How to run it.
    #[serde(default)]
    pub config: Option<RunConfig>,
    /// Its layers.
    pub rootfs: RootFs,
}

/// The layers' digests when unpacked.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct RootFs {
    /// SHA-256 of each uncompressed layer, lowest first.
    #[serde(default)]
    pub diff_ids: Vec<String>,
}

/// The `config` object.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RunConfig {
    user: Option<String>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
    stop_signal: Option<String>,
}

impl Config {
    /// The border's form.
    pub(crate) fn to_border(&self) -> ImageConfig {
        let run = self.config.clone().unwrap_or_default();
        ImageConfig {
            entrypoint: run.entrypoint.unwrap_or_default(),
            cmd: run.cmd.unwrap_or_default(),
            env: run.env.unwrap_or_default(),
            working_dir: run.working_dir.unwrap_or_default(),
            user: run.user.unwrap_or_default(),
            stop_signal: run.stop_signal.unwrap_or_default(),
        }
    }

    /// Chain ids in hexadecimal (OCI image-spec, "Layer ChainID"): each names a layer on top of all below it.
    ///
    /// They name directories, so a diff id that is no digest is an error.
    pub(crate) fn chain(&self) -> Result<Vec<String>, RuntimeError> {
        let mut chain: Vec<String> = Vec::with_capacity(self.rootfs.diff_ids.len());
        for diff in &self.rootfs.diff_ids {
            let own = hex_of(diff)?;
            let hex = match chain.last() {
                None => own.to_owned(),
                Some(below) => crate::hex::sha256(format!("sha256:{below} {diff}").as_bytes()),
            };
            chain.push(hex);
        }
        Ok(chain)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn config(ids: &[&str]) -> Config {
        let diff_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Config { rootfs: RootFs { diff_ids }, ..Config::default() }
    }

    #[test]
    fn chain_ids_depend_on_what_is_below() {
        let [a, b, c] = ["a", "b", "c"].map(|digit| format!("sha256:{}", digit.repeat(64)));
        let one = config(&[&a]).chain().unwrap();
        assert_eq!(one, ["a".repeat(64)]);
        let two = config(&[&a, &b]).chain().unwrap();
        assert_eq!(two[0], "a".repeat(64));
        assert_eq!(two[1], crate::hex::sha256(format!("{a} {b}").as_bytes()));
        assert_ne!(two[1], config(&[&c, &b]).chain().unwrap()[1]);
    }

    #[test]
    fn only_digests_name_layers() {
        let good = format!("sha256:{}", "a".repeat(64));
        for bad in [
            "sha256:../../..",
            "sha256:/etc",
            "../../..",
            "",
            "sha256:",
            "sha256:aa",
            &format!("sha256:sha256:{}", "a".repeat(64)),
            &format!("sha512:{}", "a".repeat(64)),
            &"a".repeat(64),
            &format!("sha256:{}/", "a".repeat(63)),
            &format!("sha256:{}", "A".repeat(64)),
        ] {
            assert!(config(&[bad]).chain().is_err(), "{bad}");
            assert!(config(&[&good, bad]).chain().is_err(), "{bad} on top");
        }
    }
}
