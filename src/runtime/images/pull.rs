//! Anonymous pull from an OCI registry (OCI distribution-spec).

use crate::border::{ResolvedImage, RuntimeError};
use crate::images::layout::{RefRecord, hex_of, parse};
use crate::images::model::{Descriptor, Index, Manifest};
use crate::images::store::blocking;
use crate::images::{ImageStore, disk, reference};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use std::error::Error;
use std::time::{Duration, SystemTime};

const ACCEPTED: &[&str] = &[
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A registry that sends nothing for so long is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const PARALLEL_LAYERS: usize = 3;

/// Pulls, or waits for whoever is pulling the same reference and takes theirs.
pub(crate) async fn pull(store: &ImageStore, text: &str) -> Result<ResolvedImage, RuntimeError> {
    let wanted = reference::parse(text)?;
    let full = reference::normalise(text)?;
    let began = SystemTime::now();
    let lock_name = format!("ref-{}", crate::hex::sha256(full.as_bytes()));
    let lock = {
        let layout = store.layout().clone();
        blocking(move || Ok((layout.lock(&lock_name, true)?, layout.lock("store", false)?))).await?
    };
    if let Some(record) = pulled_since(store, &full, began)? {
        return store.resolved(&record);
    }
    let failed = |error: &dyn Error| RuntimeError::ImagePull(format!("pull image \"{text}\": {}", causes(error)));
    // Whoever set a process-wide provider keeps it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain = reference::is_plain_http(wanted.registry(), store.insecure());
    let client = Client::new(ClientConfig {
        protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
        connect_timeout: Some(CONNECT_TIMEOUT),
        read_timeout: Some(READ_TIMEOUT),
        ..ClientConfig::default()
    });
    let (manifest, digest) = manifest(store, &client, &wanted).await.map_err(|error| failed(&*error))?;
    fetch(store, &client, &wanted, &manifest).await.map_err(|error| failed(&error))?;
    let worker = store.clone();
    let image = blocking(move || worker.unpack(&manifest)).await.map_err(|error| failed(&error))?;
    let record = RefRecord { reference: full, manifest: digest, image, pulled: true };
    store.layout().put_reference(&record)?;
    drop(lock);
    store.resolved(&record)
}

/// An error with all its causes: without them nobody knows whether it was a name, a port or a certificate.
fn causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    message
}

/// Another pull that was under way when this one was asked for has ended well.
fn pulled_since(store: &ImageStore, full: &str, began: SystemTime) -> Result<Option<RefRecord>, RuntimeError> {
    let name = format!("{}.json", crate::hex::sha256(full.as_bytes()));
    let changed = std::fs::metadata(store.layout().directory("refs").join(name)).and_then(|found| found.modified());
    if changed.is_ok_and(|changed| changed >= began) { store.layout().reference(full) } else { Ok(None) }
}

async fn manifest(
    store: &ImageStore,
    client: &Client,
    wanted: &Reference,
) -> Result<(Manifest, String), Box<dyn Error + Send + Sync>> {
    let (bytes, digest) = client.pull_manifest_raw(wanted, &RegistryAuth::Anonymous, ACCEPTED).await?;
    let index: Index = parse(&bytes, &digest)?;
    if index.manifests.is_empty() {
        let digest = store.layout().put_blob(&bytes)?;
        return Ok((parse(&bytes, &digest)?, digest));
    }
    let this = index.manifests.iter().find(|inner| inner.platform.as_ref().is_some_and(|platform| platform.is_this()));
    let inner = this.ok_or_else(|| format!("there is no image for linux/{}", std::env::consts::ARCH))?;
    hex_of(&inner.digest)?;
    let pinned =
        Reference::with_digest(wanted.registry().to_owned(), wanted.repository().to_owned(), inner.digest.clone());
    let (bytes, _) = client.pull_manifest_raw(&pinned, &RegistryAuth::Anonymous, ACCEPTED).await?;
    let digest = store.layout().put_blob(&bytes)?;
    if digest != inner.digest {
        return Err(format!("the registry sent manifest {digest} for {}", inner.digest).into());
    }
    Ok((parse(&bytes, &digest)?, digest))
}

async fn fetch(
    store: &ImageStore,
    client: &Client,
    wanted: &Reference,
    manifest: &Manifest,
) -> Result<(), RuntimeError> {
    use futures::StreamExt as _;
    use futures::TryStreamExt as _;
    let mut missing: Vec<Descriptor> = Vec::new();
    for descriptor in manifest.layers.iter().chain([&manifest.config]) {
        let present = store.layout().blob(hex_of(&descriptor.digest)?).exists();
        if !present && !missing.iter().any(|other| other.digest == descriptor.digest) {
            missing.push(descriptor.clone());
        }
    }
    futures::stream::iter(missing)
        .map(|descriptor| blob(store, client, wanted, descriptor))
        .buffer_unordered(PARALLEL_LAYERS)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

async fn blob(
    store: &ImageStore,
    client: &Client,
    wanted: &Reference,
    descriptor: Descriptor,
) -> Result<(), RuntimeError> {
    let hex = hex_of(&descriptor.digest)?.to_owned();
    let file = store.layout().temporary()?;
    let writer = tokio::fs::File::from_std(file.reopen().map_err(disk("image store"))?);
    let remote = OciDescriptor {
        media_type: descriptor.media_type.clone(),
        digest: descriptor.digest.clone(),
        size: i64::try_from(descriptor.size).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    };
    // It checks the digest of what it has written.
    client
        .pull_blob(wanted, &remote, writer)
        .await
        .map_err(|error| RuntimeError::ImagePull(format!("content {}: {}", descriptor.digest, causes(&error))))?;
    let layout = store.layout().clone();
    blocking(move || layout.adopt(file, &hex)).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::images::ImageStoreConfig;

    #[tokio::test]
    async fn a_pull_that_failed_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let store =
            ImageStore::open(ImageStoreConfig { root: directory.path().to_owned(), insecure_registries: Vec::new() })
                .unwrap();
        // Nobody listens where somebody has just stopped to.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = pull(&store, &format!("{gone}/a:1")).await.unwrap_err().to_string();
        assert!(refused.to_lowercase().contains("connection refused"), "{refused}");
        let unknown = pull(&store, "registry.invalid/a:1").await.unwrap_err().to_string();
        assert!(unknown.contains("dns") || unknown.contains("lookup"), "{unknown}");
    }
}
