//! A token as a person pastes it.

use anyhow::bail;

/// What `ID.SECRET.PIN` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JoinToken {
    /// What a master is shown: `ID.SECRET`.
    pub(super) bearer: String,
    /// The hash of the authority's public key.
    pub(super) pin: String,
}

impl JoinToken {
    /// Takes it apart.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<&str> = text.trim().split('.').collect();
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        match parts.as_slice() {
            [id, secret, pin]
                if plain(id) && plain(secret) && pin.len() == 64 && pin.bytes().all(|b| b.is_ascii_hexdigit()) =>
            {
                Ok(Self { bearer: format!("{id}.{secret}"), pin: (*pin).to_owned() })
            }
            _ => bail!(
                "--token: it has the form ID.SECRET.PIN, as `raftsman members token create` prints it; was it cut off?"
            ),
        }
    }
}
