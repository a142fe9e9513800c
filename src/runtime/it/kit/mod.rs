//! What the tests share: an image made of busybox, and a machine's worth of directories.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and no test uses all of this"
)]

use flate2::Compression;
use flate2::write::GzEncoder;
use raftsman_runtime::border::{
    AttachIo, ContainerPhase, ContainerSpec, ContainerStatus, Exit, Images as _, LogOptions, PodSpec, Pods as _,
};
use raftsman_runtime::{ImageStore, ImageStoreConfig, LocalPods, PodsConfig};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_stream::StreamExt as _;

pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn header(path: &str, kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_path(path).unwrap();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.set_size(size as u64);
    header.set_cksum();
    header
}

/// An image in the making.
pub struct Image {
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub manifest: Vec<u8>,
    pub config_digest: String,
}

/// Debian's static busybox (package busybox-static) with its usual names, and a user.
pub fn busybox() -> Image {
    let program = std::fs::read("/bin/busybox").expect("package busybox-static is installed");
    let mut base = tar::Builder::new(Vec::new());
    for (directory, mode) in [("bin/", 0o755), ("etc/", 0o755), ("tmp/", 0o1777), ("proc/", 0o555), ("gone/", 0o755)] {
        base.append(&header(directory, tar::EntryType::Directory, mode, 0), &[][..]).unwrap();
    }
    base.append(&header("bin/busybox", tar::EntryType::Regular, 0o755, program.len()), &program[..]).unwrap();
    let names = "sh cat echo sleep ls id env stat true false head dd kill nc wc tty stty touch mkdir grep ps hostname ip yes mknod";
    for name in names.split(' ') {
        let mut link = header(&format!("bin/{name}"), tar::EntryType::Symlink, 0o777, 0);
        link.set_link_name("busybox").unwrap();
        link.set_cksum();
        base.append(&link, &[][..]).unwrap();
    }
    let passwd = b"root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/home/web:/bin/sh\n";
    base.append(&header("etc/passwd", tar::EntryType::Regular, 0o644, passwd.len()), &passwd[..]).unwrap();
    base.append(&header("gone/file", tar::EntryType::Regular, 0o644, 1), &b"x"[..]).unwrap();
    let mut upper = tar::Builder::new(Vec::new());
    upper.append(&header("gone/.wh.file", tar::EntryType::Regular, 0o644, 0), &[][..]).unwrap();
    upper.append(&header("bin/not-executable", tar::EntryType::Regular, 0o644, 2), &b"hi"[..]).unwrap();
    image(&[base.into_inner().unwrap(), upper.into_inner().unwrap()])
}

pub fn image(layers: &[Vec<u8>]) -> Image {
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", hex(layer))).collect();
    image_that_says(layers, &diff_ids)
}

/// An image whose configuration says of its layers what it likes.
pub fn image_that_says(layers: &[Vec<u8>], diff_ids: &[String]) -> Image {
    let mut blobs = BTreeMap::new();
    let mut descriptors = Vec::new();
    for layer in layers {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(layer).unwrap();
        let bytes = gzip.finish().unwrap();
        let digest = hex(&bytes);
        descriptors.push(json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": format!("sha256:{digest}"), "size": bytes.len() }));
        blobs.insert(digest, bytes);
    }
    let config = serde_json::to_vec(&json!({
        "architecture": "amd64", "os": "linux",
        "config": { "Env": ["PATH=/bin", "FROM_IMAGE=yes"], "Cmd": ["/bin/sh", "-c", "echo default"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    }))
    .unwrap();
    let config_digest = hex(&config);
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": format!("sha256:{config_digest}"), "size": config.len() },
        "layers": descriptors,
    }))
    .unwrap();
    blobs.insert(config_digest.clone(), config);
    blobs.insert(hex(&manifest), manifest.clone());
    Image { blobs, manifest, config_digest }
}

/// The image as an OCI archive.
pub fn archive(image: &Image, name: &str, path: &Path) {
    let mut tar = tar::Builder::new(std::fs::File::create(path).unwrap());
    let index = serde_json::to_vec(&json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": format!("sha256:{}", hex(&image.manifest)), "size": image.manifest.len(),
        "annotations": { "org.opencontainers.image.ref.name": name },
    }] }))
    .unwrap();
    let mut put = |name: &str, bytes: &[u8]| {
        tar.append(&header(name, tar::EntryType::Regular, 0o644, bytes.len()), bytes).unwrap();
    };
    put("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    put("index.json", &index);
    for (digest, bytes) in &image.blobs {
        put(&format!("blobs/sha256/{digest}"), bytes);
    }
}

/// A machine: an image store with busybox, and a state directory. Leaves nothing.
pub struct Machine {
    pub directory: PathBuf,
    pub config: PodsConfig,
    pub images: ImageStore,
    pub image_id: String,
}

impl Machine {
    pub async fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("raftsman-runtime-").tempdir().unwrap();
        Self::at(&directory.keep()).await
    }

    /// The machine of a directory, which may be in use by another process.
    pub async fn at(directory: &Path) -> Self {
        let directory = directory.to_owned();
        let root = directory.join("images");
        let images = ImageStore::open(ImageStoreConfig { root, insecure_registries: Vec::new() }).unwrap();
        let path = directory.join("busybox.tar");
        archive(&busybox(), "busybox:test", &path);
        assert_eq!(images.load(&path).await.unwrap(), ["docker.io/library/busybox:test"]);
        let image_id = images.resolve("busybox:test").await.unwrap().unwrap().id;
        let mut config = PodsConfig::new(
            directory.join("state"),
            format!("/raftsman-test/{}", directory.file_name().unwrap().to_str().unwrap()),
        );
        config.supervisor_exe = PathBuf::from(env!("CARGO_BIN_EXE_raftsman-test-supervisor"));
        config.supervisor_args = Vec::new();
        Self { directory, config, images, image_id }
    }

    pub async fn agent(&self) -> LocalPods {
        LocalPods::new(self.config.clone(), self.images.clone()).await.unwrap()
    }

    pub fn shell(&self, name: &str, script: &str) -> ContainerSpec {
        ContainerSpec {
            name: name.to_owned(),
            image_id: self.image_id.clone(),
            command: vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()],
            termination_message_path: "/dev/termination-log".to_owned(),
            security: raftsman_runtime::border::Security { seccomp_default: true, ..Default::default() },
            ..ContainerSpec::default()
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let problems = raftsman_runtime::purge(&self.config);
        let _ = std::fs::remove_dir_all(&self.directory);
        if !std::thread::panicking() {
            assert!(problems.is_empty(), "{problems:?}");
        }
    }
}

pub fn pod(uid: &str) -> PodSpec {
    PodSpec {
        uid: uid.to_owned(),
        namespace: "default".to_owned(),
        name: format!("pod-{uid}"),
        hostname: format!("pod-{uid}"),
        resolv_conf: "nameserver 10.96.0.10\n".to_owned(),
        ..PodSpec::default()
    }
}

pub const NO_IO: AttachIo = AttachIo { stdin: None, stdout: None, stderr: None, resize: None };

pub async fn status(pods: &LocalPods, uid: &str, name: &str) -> ContainerStatus {
    let pod = pods.pod(uid).await.unwrap();
    let mut found: Vec<ContainerStatus> = pod.containers.into_iter().filter(|it| it.name == name).collect();
    found.pop().unwrap()
}

/// Waits for a container's end.
pub async fn exit(pods: &LocalPods, uid: &str, name: &str) -> Exit {
    let mut events = pods.events();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let ContainerPhase::Exited { exit, .. } = status(pods, uid, name).await.phase {
            return exit;
        }
        assert!(tokio::time::Instant::now() < deadline, "{name} does not end");
        let _ = tokio::time::timeout(Duration::from_secs(1), events.recv()).await;
    }
}

pub async fn log(pods: &LocalPods, uid: &str, name: &str, options: LogOptions) -> String {
    let mut stream = pods.logs(uid, name, options).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = stream.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Says aloud what this machine is not able to show.
pub fn not_proved(what: &str) {
    eprintln!("*** NOT PROVED ON THIS MACHINE: {what} ***");
}
