//! Mounts below a directory.

use nix::mount::{MntFlags, umount2};
use std::path::{Path, PathBuf};

/// Every mount point of this mount namespace, in the order of mounting.
pub fn mount_points() -> Vec<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().filter_map(|line| line.split(' ').nth(4)).map(|path| PathBuf::from(unescape(path))).collect()
}

/// Unmounts everything below a directory, the newest first, and goes on when one fails.
pub fn unmount_below(dir: &Path) -> Vec<String> {
    let mut errors = Vec::new();
    // What is mounted over another mount shows only after the upper one is gone.
    for _ in 0..8 {
        let below: Vec<PathBuf> = mount_points().into_iter().filter(|at| at.starts_with(dir)).collect();
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
    use super::*;

    #[test]
    fn odd_names_are_read() {
        assert_eq!(unescape("/a\\040b\\134c"), "/a b\\c");
        assert!(mount_points().contains(&PathBuf::from("/proc")));
    }
}
