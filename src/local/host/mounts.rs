//! Mounts below a directory.

use nix::mount::{MntFlags, umount2};
use std::path::{Path, PathBuf};

/// Every mount point of this mount namespace, in the order of mounting.
pub fn mount_points() -> Vec<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().filter_map(|line| line.split(' ').nth(4)).map(|path| PathBuf::from(unescape(path))).collect()
}

/// The path without links, as [`mount_points`] has it; what does not exist of it stays as it is.
pub fn real(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| Some((above, std::fs::canonicalize(above).ok()?)));
    found.and_then(|(above, real)| Some(real.join(path.strip_prefix(above).ok()?))).unwrap_or_else(|| path.to_owned())
}

/// Unmounts everything below a directory, the newest first, and goes on when one fails.
pub fn unmount_below(dir: &Path) -> Vec<String> {
    // A link to a disk: whoever linked it mounted it.
    let linked = dir.is_symlink();
    let (dir, mut errors) = (real(dir), Vec::new());
    // What is mounted over another mount shows only after the upper one is gone.
    for _ in 0..8 {
        let below: Vec<PathBuf> =
            mount_points().into_iter().filter(|at| at.starts_with(&dir) && !(linked && *at == dir)).collect();
        if below.is_empty() {
            return Vec::new();
        }
        errors.clear();
        for at in below.iter().rev() {
            if let Err(error) = umount2(at, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
                errors.push(format!("unmount {}: {}", at.display(), error.desc()));
            }
        }
    }
    errors
}

/// mountinfo writes space, tab, newline and backslash in octal.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use nix::mount::{MsFlags, mount};

    #[test]
    fn what_is_mounted_behind_a_link_is_unmounted() {
        let dir = tempfile::tempdir().unwrap();
        let (home, link) = (dir.path().join("home"), dir.path().join("link"));
        std::fs::create_dir_all(home.join("a")).unwrap();
        std::os::unix::fs::symlink("home", &link).unwrap();
        let none = None::<&str>;
        // The disk that the link leads to is not ours to unmount.
        mount(Some(&home), &home, none, MsFlags::MS_BIND, none).unwrap();
        mount(Some(&link.join("a")), &link.join("a"), none, MsFlags::MS_BIND, none).unwrap();
        let mounted = || mount_points().contains(&real(&link.join("a")));
        assert!(mounted());
        assert_eq!(unmount_below(&link), Vec::<String>::new());
        assert!(!mounted());
        assert!(mount_points().contains(&real(&home)));
        assert_eq!(unmount_below(&home), Vec::<String>::new());
        assert!(!mount_points().contains(&real(&home)));
        assert_eq!(real(&link.join("none/x")), real(&home).join("none/x"));
    }

    #[test]
    fn odd_names_are_read() {
        assert_eq!(unescape("/a\\040b\\134c"), "/a b\\c");
        assert!(mount_points().contains(&PathBuf::from("/proc")));
    }
}
