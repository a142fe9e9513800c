//! Who a container's process is: `runAsUser` over the image's `User`, with the image's passwd and group files.

use crate::border::{RuntimeError, Security};
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

/// A resolved user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: String,
}

/// An image's account files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    /// `/etc/passwd`.
    pub passwd: String,
    /// `/etc/group`.
    pub group: String,
}

impl Accounts {
    /// Reads them from unpacked layers, the topmost first. Links are not followed: they may lead out of the image.
    pub(crate) fn read(layers: &[PathBuf]) -> Self {
        Self { passwd: find(layers, "passwd"), group: find(layers, "group") }
    }
}

fn find(layers: &[PathBuf], name: &str) -> String {
    for layer in layers {
        let etc = layer.join("etc");
        let Ok(kind) = fs::symlink_metadata(&etc) else {
            continue;
        };
        if !kind.is_dir() {
            break;
        }
        let path = etc.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => return fs::read_to_string(path).unwrap_or_default(),
            // Deleted by this layer, or something that is not read.
            Ok(found) if found.file_type().is_char_device() || found.is_symlink() => break,
            _ => {}
        }
    }
    String::new()
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

/// Decides who it is.
pub(crate) fn resolve(security: &Security, image_user: &str, accounts: &Accounts) -> Result<User, RuntimeError> {
    let (name, group) = match image_user.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (image_user, None),
    };
    let wanted = match security.run_as_user {
        Some(uid) => uid.to_string(),
        None if name.is_empty() => "0".to_owned(),
        None => name.to_owned(),
    };
    let known = lines(&accounts.passwd).find(|fields| fields.first() == Some(&wanted.as_str()));
    let uid = match (&known, wanted.parse::<u32>()) {
        (Some(fields), Err(_)) => fields.get(2).and_then(|uid| uid.parse().ok()),
        (_, Ok(uid)) => Some(uid),
        (None, Err(_)) => None,
    };
    let uid = uid.ok_or_else(|| {
        RuntimeError::Invalid(format!("user \"{wanted}\" is not in the image's /etc/passwd; set runAsUser"))
    })?;
    let text = uid.to_string();
    let account = known.or_else(|| lines(&accounts.passwd).find(|fields| fields.get(2) == Some(&text.as_str())));
    let account = account.unwrap_or_default();
    let group = if security.run_as_user.is_some() { None } else { group };
    let gid = match (security.run_as_group, group) {
        (Some(gid), _) => gid,
        (None, Some(group)) => group_id(group, accounts)?,
        (None, None) => account.get(3).and_then(|gid| gid.parse().ok()).unwrap_or(0),
    };
    if security.run_as_non_root && uid == 0 {
        return Err(RuntimeError::Invalid(
            "container has runAsNonRoot and image will run as root; set runAsUser".to_owned(),
        ));
    }
    let mut groups = security.supplemental_groups.clone();
    if let Some(login) = account.first().filter(|login| !login.is_empty()) {
        let member = lines(&accounts.group)
            .filter(|fields| fields.get(3).is_some_and(|members| members.split(',').any(|name| name == *login)));
        groups.extend(member.filter_map(|fields| fields.get(2)?.parse::<u32>().ok()));
    }
    groups.sort_unstable();
    groups.dedup();
    let home = account.get(5).filter(|home| !home.is_empty()).copied();
    Ok(User { uid, gid, groups, home: home.unwrap_or(if uid == 0 { "/root" } else { "/" }).to_owned() })
}

fn group_id(group: &str, accounts: &Accounts) -> Result<u32, RuntimeError> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    let known = lines(&accounts.group).find(|fields| fields.first() == Some(&group));
    known.and_then(|fields| fields.get(2)?.parse().ok()).ok_or_else(|| {
        RuntimeError::Invalid(format!("group \"{group}\" is not in the image's /etc/group; set runAsGroup"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn accounts() -> Accounts {
        Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\nmysql:x:101:102::/var/lib/mysql:/bin/false\n".to_owned(),
            group: "root:x:0:\nssl:x:50:mysql,other\nmysql:x:102:\n".to_owned(),
        }
    }

    #[test]
    fn names_numbers_and_groups() {
        for (image, expected) in [
            ("", (0, 0, vec![], "/root")),
            ("mysql", (101, 102, vec![50], "/var/lib/mysql")),
            ("101", (101, 102, vec![50], "/var/lib/mysql")),
            ("mysql:ssl", (101, 50, vec![50], "/var/lib/mysql")),
            ("7:8", (7, 8, vec![], "/")),
        ] {
            let user = resolve(&Security::default(), image, &accounts()).unwrap();
            let expected = User { uid: expected.0, gid: expected.1, groups: expected.2, home: expected.3.to_owned() };
            assert_eq!(user, expected, "{image}");
        }
    }

    #[test]
    fn security_context_wins() {
        let security = Security {
            run_as_user: Some(101),
            run_as_group: Some(9),
            supplemental_groups: vec![77],
            ..Security::default()
        };
        let user = resolve(&security, "root:root", &accounts()).unwrap();
        assert_eq!((user.uid, user.gid, user.groups), (101, 9, vec![50, 77]));
    }

    #[test]
    fn what_cannot_be_says_what_to_do() {
        let unknown = resolve(&Security::default(), "nobody-here", &accounts()).unwrap_err();
        assert!(unknown.to_string().contains("nobody-here") && unknown.to_string().contains("runAsUser"));
        let root = Security { run_as_non_root: true, ..Security::default() };
        assert!(resolve(&root, "", &accounts()).is_err());
        assert!(resolve(&root, "101", &accounts()).is_ok());
    }
}
