//! Variables for one host's process, whoever starts it: `up`, `host start`, `restart`, `replace`, `add`.
//!
//! They are in the file `HOST.env` beside the host's directory (`/var/lib/raftsman/NAME/m1.env`), so that a host that is replaced
//! keeps them; it is read at every start and need not be there. Lines are `KEY=VALUE`, the value as it stands to the end of the
//! line; empty lines and those that begin with `#` say nothing.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// The file of the host that has this directory.
pub fn environment_file(dir: &Path) -> PathBuf {
    let mut path = dir.as_os_str().to_owned();
    path.push(".env");
    PathBuf::from(path)
}

/// The variables in a file; none if it is not there.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<(String, String)>> {
    match std::fs::read_to_string(file) {
        Ok(text) => parse(&text).with_context(|| file.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| file.display().to_string()),
    }
}

fn parse(text: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
        match line.split_once('=') {
            Some((key, value)) if is_name(key) && !value.contains('\0') => all.push((key.to_owned(), value.to_owned())),
            _ => bail!("line {}: {line:?} is not KEY=VALUE", at + 1),
        }
    }
    Ok(all)
}

/// As shells have them.
fn is_name(key: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !key.is_empty() && key.bytes().all(inner) && !key.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_variables() {
        assert_eq!(environment_file(Path::new("/x/m1")), Path::new("/x/m1.env"));
        let all = parse("# why\nA=1\n\nB_2= x=y \nC=\n").unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(all, [pair("A", "1"), pair("B_2", " x=y "), pair("C", "")]);
        for odd in ["A", "=1", "A B=1", "1A=1"] {
            let error = parse(&format!("X=1\n{odd}")).unwrap_err().to_string();
            assert!(error.starts_with("line 2: "), "{error}");
        }
        assert!(read(Path::new("/nonexistent/m1.env")).unwrap().is_empty());
    }
}
