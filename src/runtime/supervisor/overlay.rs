//! A container's root file system: the image's layers below, its own directory above.

use nix::mount::{MsFlags, mount};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The kernel takes mount options of one page.
const LONGEST: usize = 4095;

/// Mounts `directory/rootfs`. Layers are named relative to `root`, because all of them must fit into one page.
pub(crate) fn mount_root(directory: &Path, root: &Path, layers: &[PathBuf]) -> io::Result<PathBuf> {
    let target = directory.join("rootfs");
    for name in ["rootfs", "upper", "work"] {
        fs::create_dir_all(directory.join(name))?;
    }
    let options = options(directory, root, layers)?;
    let before = std::env::current_dir()?;
    std::env::set_current_dir(root)?;
    let mounted = mount(Some("overlay"), &target, Some("overlay"), MsFlags::empty(), Some(options.as_str()));
    std::env::set_current_dir(before)?;
    mounted.map_err(|error| {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("mount the root file system with overlayfs: {error}"))
    })?;
    Ok(target)
}

fn options(directory: &Path, root: &Path, layers: &[PathBuf]) -> io::Result<String> {
    let names: Vec<String> =
        layers.iter().map(|layer| layer.strip_prefix(root).unwrap_or(layer).display().to_string()).collect();
    if names.is_empty() {
        return Err(io::Error::other("the image has no layers"));
    }
    let own = directory.display().to_string();
    if own.contains([',', ':', '\\']) {
        return Err(io::Error::other(format!("overlayfs cannot use the directory {own}: its name has , : or \\")));
    }
    let options = format!("lowerdir={},upperdir={own}/upper,workdir={own}/work", names.join(":"));
    if options.len() > LONGEST {
        return Err(io::Error::other(format!("the image has too many layers ({})", layers.len())));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn options_fit_or_say_so() {
        let root = Path::new("/var/lib/images/layers");
        let layers = |count: usize| (0..count).map(|n| root.join(format!("{n:032x}"))).collect::<Vec<_>>();
        let text = options(Path::new("/p"), root, &layers(2)).unwrap();
        assert!(text.starts_with("lowerdir=00000000000000000000000000000000:"));
        assert!(text.ends_with("upperdir=/p/upper,workdir=/p/work"));
        assert!(options(Path::new("/p"), root, &layers(110)).is_ok());
        assert!(options(Path::new("/p"), root, &layers(200)).unwrap_err().to_string().contains("200"));
        assert!(options(Path::new("/p"), root, &[]).is_err());
        assert!(options(Path::new("/a:b"), root, &layers(1)).is_err());
    }
}
