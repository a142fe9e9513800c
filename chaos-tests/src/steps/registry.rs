//! A registry on this machine that the cluster's nodes reach by plain http: Debian's docker-registry on the bridge.

use crate::cluster::Cluster;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The media type of an image.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A running one; it goes when this is dropped.
pub struct Registry {
    child: Child,
    name: String,
    dir: tempfile::TempDir,
}

impl Registry {
    /// Starts it, empty, on a free port.
    ///
    /// # Errors
    /// It is not installed, or does not answer.
    pub fn start(c: &Cluster) -> Result<Self> {
        let config: Value = serde_yaml::from_str(&std::fs::read_to_string(c.dir().join("n1/config.yaml"))?)?;
        let gateway = config["insecureRegistries"][0].as_str().context("the cluster has no insecure registry")?;
        // Free a moment ago: nobody else takes ports of the bridge's address.
        let port = TcpListener::bind((gateway, 0)).context("a port on the bridge")?.local_addr()?.port();
        let name = format!("{gateway}:{port}");
        let dir = tempfile::tempdir()?;
        let settings = json!({
            "version": "0.1", "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": dir.path().join("storage")}},
            "http": {"addr": name},
        });
        let path = dir.path().join("config.yml");
        std::fs::write(&path, serde_yaml::to_string(&settings)?)?;
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("docker-registry (apt-get install docker-registry)")?;
        let registry = Self { child, name, dir };
        let url = registry.url("/v2/");
        c.wait("the registry answers", Duration::from_secs(30), || c.http(&url).map(|_| true))?;
        Ok(registry)
    }

    /// How an image's name begins.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.name)
    }

    /// Pushes an image: busybox, and a layer that no node has seen.
    ///
    /// # Errors
    /// busybox's archive is not there, or the registry refuses.
    pub fn push(&self, image: &str, tag: &str) -> Result<()> {
        let unpacked = self.dir.path().join("busybox");
        std::fs::create_dir_all(&unpacked)?;
        run(Command::new("tar").arg("-xf").arg(archive()?).arg("-C").arg(&unpacked))?;
        let blob = |digest: &Value| -> Result<PathBuf> {
            let digest = digest.as_str().and_then(|digest| digest.split_once(':')).context("a digest")?;
            Ok(unpacked.join("blobs").join(digest.0).join(digest.1))
        };
        let read = |path: &Path| -> Result<Value> { Ok(serde_json::from_slice(&std::fs::read(path)?)?) };
        let index = read(&unpacked.join("index.json"))?;
        let mut manifest = read(&blob(&index["manifests"][0]["digest"])?)?;
        let mut config = read(&blob(&manifest["config"]["digest"])?)?;

        // Another one in each run: what is cached would not be asked for.
        let content = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        std::fs::create_dir_all(self.dir.path().join("layer/etc"))?;
        std::fs::write(self.dir.path().join("layer/etc/pulled"), content)?;
        let layer = self.dir.path().join("layer.tar");
        run(Command::new("tar").arg("-cf").arg(&layer).arg("-C").arg(self.dir.path().join("layer")).arg("etc/pulled"))?;
        let bottom = blob(&manifest["layers"][0]["digest"])?;
        let top = self.put_blob(image, &layer)?;
        self.put_blob(image, &bottom)?;
        let diffs = config["rootfs"]["diff_ids"].as_array_mut().context("no layers in busybox's configuration")?;
        diffs.push(top.clone().into());
        config["history"] = json!([]);
        let file = self.dir.path().join("config.json");
        std::fs::write(&file, config.to_string())?;
        let size = |path: &Path| -> Result<u64> { Ok(std::fs::metadata(path)?.len()) };
        manifest["mediaType"] = MANIFEST.into();
        manifest["config"]["digest"] = self.put_blob(image, &file)?.into();
        manifest["config"]["size"] = size(&file)?.into();
        let layers = manifest["layers"].as_array_mut().context("no layers in busybox's manifest")?;
        let kind = "application/vnd.oci.image.layer.v1.tar";
        layers.push(json!({"mediaType": kind, "digest": top, "size": size(&layer)?}));
        let file = self.dir.path().join("manifest.json");
        std::fs::write(&file, manifest.to_string())?;
        self.put(&self.url(&format!("/v2/{image}/manifests/{tag}")), &file, MANIFEST)
    }

    /// Uploads a file whole; its digest.
    fn put_blob(&self, image: &str, file: &Path) -> Result<String> {
        let sum = run(Command::new("sha256sum").arg(file))?;
        let digest = format!("sha256:{}", sum.split_whitespace().next().context("sha256sum said nothing")?);
        let begin = self.url(&format!("/v2/{image}/blobs/uploads/"));
        let headers = run(Command::new("curl").args(["-sS", "--fail", "-i", "-X", "POST", &begin]))?;
        let location = headers.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
        });
        let location = location.context("the registry names no place for an upload")?;
        let sign = if location.contains('?') { '&' } else { '?' };
        self.put(&format!("{location}{sign}digest={digest}"), file, "application/octet-stream")?;
        Ok(digest)
    }

    fn put(&self, url: &str, file: &Path, kind: &str) -> Result<()> {
        let data = format!("@{}", file.display());
        let kind = format!("Content-Type: {kind}");
        run(Command::new("curl").args(["-sS", "--fail", "-X", "PUT", "-H", &kind, "--data-binary", &data, url]))
            .map(drop)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where scripts/images.sh has put busybox.
fn archive() -> Result<PathBuf> {
    let dir = match std::env::var_os("RAFTSMAN_IMAGES") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME").context("no HOME")?).join(".cache/raftsman/images"),
    };
    let path = dir.join("busybox.tar");
    ensure!(path.exists(), "{} is missing: scripts/images.sh makes it", path.display());
    Ok(path)
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
