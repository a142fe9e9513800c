//! Images on a real file system, as root, and from a registry in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a test fails by panicking")]

mod kit;

use kit::{Image, archive, busybox, hex, image, image_that_says};
use raftsman_runtime::border::{Images as _, RuntimeError};
use raftsman_runtime::{ImageStore, ImageStoreConfig};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn store(root: &Path) -> ImageStore {
    ImageStore::open(ImageStoreConfig { root: root.to_owned(), insecure_registries: Vec::new() }).unwrap()
}

/// A registry with one image, `library/bb:1`, over plain http.
struct Registry {
    address: SocketAddr,
    manifests: Arc<AtomicUsize>,
    blobs: Arc<AtomicUsize>,
}

impl Registry {
    fn start() -> Self {
        Self::with(busybox())
    }

    fn with(made: Image) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (manifests, blobs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (manifests.clone(), blobs.clone());
        let content = Arc::new((made.manifest.clone(), made.blobs));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (content, counts) = (content.clone(), counts.clone());
                std::thread::spawn(move || serve(stream, &content.0, &content.1, &counts));
            }
        });
        Self { address, manifests, blobs }
    }
}

fn serve(
    stream: TcpStream,
    manifest: &[u8],
    blobs: &BTreeMap<String, Vec<u8>>,
    counts: &(Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            line.clear();
        }
        let path = first.split(' ').nth(1).unwrap_or_default();
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let body = if path == "/v2/" {
            Some(&b"{}"[..])
        } else if path == "/v2/library/bb/manifests/1" {
            counts.0.fetch_add(1, Ordering::SeqCst);
            Some(manifest)
        } else if let Some(digest) = path.strip_prefix("/v2/library/bb/blobs/sha256:") {
            counts.1.fetch_add(1, Ordering::SeqCst);
            blobs.get(digest).map(Vec::as_slice)
        } else {
            None
        };
        let (status, body) = match body {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", &br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#[..]),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        if writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(body)).is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_lists_and_removes() {
    let directory = tempfile::tempdir().unwrap();
    let images = store(&directory.path().join("images"));
    let path = directory.path().join("a.tar");
    let made = busybox();
    archive(&made, "busybox:1", &path);
    assert_eq!(images.load(&path).await.unwrap(), ["docker.io/library/busybox:1"]);
    assert_eq!(images.load(&path).await.unwrap(), ["docker.io/library/busybox:1"], "again is the same");
    let found = images.resolve("busybox:1").await.unwrap().unwrap();
    assert_eq!(found.id, format!("sha256:{}", made.config_digest));
    assert_eq!(found.config.env[0], "PATH=/bin");
    assert_eq!(images.resolve(&found.id).await.unwrap().unwrap(), found);
    assert_eq!(images.resolve("busybox:2").await.unwrap(), None);

    // Another image on the same base shares its layer, and keeps it.
    let other = image(&[tar::Builder::new(Vec::new()).into_inner().unwrap()]);
    let second = directory.path().join("b.tar");
    archive(&other, "registry.example.com/other:1", &second);
    images.load(&second).await.unwrap();
    let list = images.list().await.unwrap();
    assert_eq!(list.len(), 2);
    images.remove("busybox:1").await.unwrap();
    let list = images.list().await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].names, ["registry.example.com/other:1"]);
    let layers = std::fs::read_dir(directory.path().join("images/layers")).unwrap().count();
    assert_eq!(layers, 1);
    assert!(images.resolve(&found.id).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_archives_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let images = store(&directory.path().join("images"));
    let path = directory.path().join("a.tar");
    let mut made = busybox();
    let digest = made.blobs.keys().next().unwrap().clone();
    made.blobs.get_mut(&digest).unwrap().push(0);
    archive(&made, "busybox:1", &path);
    let error = images.load(&path).await.unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains(&digest), "{error}");
    std::fs::write(&path, b"not a tar").unwrap();
    assert!(matches!(images.load(&path).await, Err(RuntimeError::Invalid(_))));
    assert!(images.load(&directory.path().join("missing")).await.is_err());
    assert!(images.list().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pulls_once_for_all_who_ask() {
    let registry = Registry::start();
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("images");
    let name = format!("{}/library/bb:1", registry.address);
    // Two stores on one directory, as two agents of one machine.
    let stores = [store(&root), store(&root)];
    let pulls = (0..6).map(|number| stores[number % 2].pull(&name));
    let pulled: Vec<_> = futures::future::join_all(pulls).await.into_iter().map(Result::unwrap).collect();
    assert!(pulled.iter().all(|image| *image == pulled[0]));
    assert!(pulled[0].digest.starts_with(&format!("{}/library/bb@sha256:", registry.address)));
    assert_eq!(registry.manifests.load(Ordering::SeqCst), 1);
    assert_eq!(registry.blobs.load(Ordering::SeqCst), 3, "two layers and a configuration");
    // Later it asks again whether the tag has moved, but fetches nothing twice.
    stores[0].pull(&name).await.unwrap();
    assert_eq!(registry.manifests.load(Ordering::SeqCst), 2);
    assert_eq!(registry.blobs.load(Ordering::SeqCst), 3);
    assert_eq!(stores[1].resolve(&name).await.unwrap().unwrap(), pulled[0]);
    assert_eq!(hex(&busybox().manifest).len(), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let registry = Registry::start();
    let directory = tempfile::tempdir().unwrap();
    let images = store(&directory.path().join("images"));
    let name = format!("{}/library/bb:2", registry.address);
    let error = images.pull(&name).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::ImagePull(text) if text.contains(&name)), "{error}");
    assert!(matches!(images.pull("Bad Name").await, Err(RuntimeError::InvalidImageName(_))));
}

/// An empty layer.
fn empty() -> Vec<u8> {
    tar::Builder::new(Vec::new()).into_inner().unwrap()
}

/// Tries an image by archive and by pull. Gives the two errors; nothing may be left that a container could be made of.
async fn refused(made: impl Fn() -> Image) -> [String; 2] {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.tar");
    archive(&made(), "evil:1", &path);
    let registry = Registry::with(made());
    let name = format!("{}/library/bb:1", registry.address);
    let images = [directory.path().join("loaded"), directory.path().join("pulled")].map(|root| store(&root));
    let errors = [images[0].load(&path).await.unwrap_err(), images[1].pull(&name).await.unwrap_err()];
    for (images, root) in images.iter().zip(["loaded", "pulled"]) {
        assert!(images.list().await.unwrap().is_empty());
        let layers = std::fs::read_dir(directory.path().join(root).join("layers")).unwrap();
        assert_eq!(layers.count(), 0, "{root}");
    }
    errors.map(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_cannot_be_a_directory_of_the_machine() {
    // From the store's `layers` up to the root: it exists, so it would be taken for an unpacked layer.
    let climb = format!("sha256:{}", "../".repeat(8));
    for diff_id in [climb, "sha256:../../..".to_owned(), "sha256:/etc".to_owned(), "/etc".to_owned()] {
        for error in refused(|| image_that_says(&[empty()], std::slice::from_ref(&diff_id))).await {
            assert!(error.contains("not sha256") && error.contains(&diff_id), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_is_what_the_configuration_says() {
    let other = format!("sha256:{}", "a".repeat(64));
    for error in refused(|| image_that_says(&[empty()], std::slice::from_ref(&other))).await {
        assert!(error.contains("unpacks to") && error.contains(&other), "{error}");
    }
    for error in refused(|| image_that_says(&[empty()], &[])).await {
        assert!(error.contains("1 layers, but its configuration lists 0"), "{error}");
    }
}

/// The image with one descriptor's digest changed in its manifest.
fn with_digest(pointer: &str, digest: &str) -> Image {
    let mut made = image(&[empty()]);
    let mut manifest: serde_json::Value = serde_json::from_slice(&made.manifest).unwrap();
    *manifest.pointer_mut(pointer).unwrap() = digest.into();
    made.blobs.remove(&hex(&made.manifest));
    made.manifest = serde_json::to_vec(&manifest).unwrap();
    made.blobs.insert(hex(&made.manifest), made.manifest.clone());
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn no_digest_leads_out_of_the_store() {
    for pointer in ["/config/digest", "/layers/0/digest"] {
        for digest in ["sha256:../../etc/passwd", "../refs", "sha256:/etc/passwd"] {
            for error in refused(|| with_digest(pointer, digest)).await {
                assert!(error.contains("not sha256") && error.contains(digest), "{pointer}: {error}");
            }
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let images = store(directory.path());
    assert!(images.resolve("sha256:../../etc/passwd").await.is_err());
    assert!(images.remove("sha256:../../etc/passwd").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_cannot_send_something_else() {
    let mut made = image(&[empty()]);
    let config = made.config_digest.clone();
    made.blobs.get_mut(&config).unwrap().push(b' ');
    let registry = Registry::with(made);
    let directory = tempfile::tempdir().unwrap();
    let images = store(directory.path());
    let error = images.pull(&format!("{}/library/bb:1", registry.address)).await.unwrap_err().to_string();
    assert!(error.contains(&config), "{error}");
    assert!(!directory.path().join("blobs").join(&config).exists());
}
