//! Who asks, and what they may.

mod authorize;
mod certificate;
mod reviews;

pub use authorize::{Attributes, authorize};
pub use certificate::{ClientCertificates, user_of};
pub(crate) use reviews::review;

/// A user as authentication found them (`authentication.k8s.io/v1 UserInfo`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// Name: a certificate's common name.
    pub name: String,
    /// Groups: a certificate's organisations, and `system:authenticated`.
    pub groups: Vec<String>,
}

impl UserInfo {
    /// A user of these groups, authenticated.
    pub fn new(name: impl Into<String>, groups: impl IntoIterator<Item = String>) -> Self {
        let mut groups: Vec<String> = groups.into_iter().collect();
        if !groups.iter().any(|group| group == AUTHENTICATED) {
            groups.push(AUTHENTICATED.to_owned());
        }
        Self { name: name.into(), groups }
    }

    /// Is in a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

/// The group of everyone who was authenticated.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group that may do everything.
pub const MASTERS: &str = "system:masters";
