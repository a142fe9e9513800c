//! Debian's static busybox as an OCI archive called `busybox:test`.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::Path;

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn append(
    tar: &mut tar::Builder<impl std::io::Write>,
    path: &str,
    kind: tar::EntryType,
    target: Option<&str>,
    bytes: &[u8],
) {
    let mut header = tar::Header::new_gnu();
    header.set_path(path).unwrap();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.set_size(bytes.len() as u64);
    if let Some(target) = target {
        header.set_link_name(target).unwrap();
    }
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

pub fn write(path: &Path) {
    let program = std::fs::read("/bin/busybox").expect("package busybox-static is installed");
    let mut layer = tar::Builder::new(Vec::new());
    for directory in ["bin/", "etc/", "tmp/", "proc/"] {
        append(&mut layer, directory, tar::EntryType::Directory, None, &[]);
    }
    append(&mut layer, "bin/busybox", tar::EntryType::Regular, None, &program);
    for name in ["sh", "cat", "echo", "sleep", "nc"] {
        append(&mut layer, &format!("bin/{name}"), tar::EntryType::Symlink, Some("busybox"), &[]);
    }
    let layer = layer.into_inner().unwrap();
    let config = json!({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer))]}});
    let config = serde_json::to_vec(&config).unwrap();
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": format!("sha256:{}", digest(&config)), "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": format!("sha256:{}", digest(&layer)), "size": layer.len()}]});
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let index = json!({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": format!("sha256:{}", digest(&manifest)), "size": manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": "busybox:test"}}]});
    let index = serde_json::to_vec(&index).unwrap();
    let mut archive = tar::Builder::new(std::fs::File::create(path).unwrap());
    append(&mut archive, "oci-layout", tar::EntryType::Regular, None, br#"{"imageLayoutVersion":"1.0.0"}"#);
    append(&mut archive, "index.json", tar::EntryType::Regular, None, &index);
    for blob in [layer, config, manifest] {
        append(&mut archive, &format!("blobs/sha256/{}", digest(&blob)), tar::EntryType::Regular, None, &blob);
    }
    archive.finish().unwrap();
}
