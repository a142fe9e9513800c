//! Image references, normalised as Docker does: `nginx` is `docker.io/library/nginx:latest`.

use crate::border::RuntimeError;
use oci_client::Reference;

/// A reference in full.
pub(crate) fn parse(text: &str) -> Result<Reference, RuntimeError> {
    text.parse::<Reference>()
        .map_err(|error| RuntimeError::InvalidImageName(format!("image reference \"{text}\" is not valid: {error}")))
}

/// The one spelling under which a reference is stored.
pub(crate) fn normalise(text: &str) -> Result<String, RuntimeError> {
    let reference = parse(text)?;
    let mut full = format!("{}/{}", reference.registry(), reference.repository());
    if let Some(digest) = reference.digest() {
        full.push('@');
        full.push_str(digest);
    } else {
        full.push(':');
        full.push_str(reference.tag().unwrap_or("latest"));
    }
    Ok(full)
}

/// The text is an image id (`sha256:` and 64 hexadecimal digits in lower case), not a reference.
pub(crate) fn image_id(text: &str) -> Option<&str> {
    let hex = text.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))).then_some(hex)
}

/// The registry speaks plain http: it is this machine, or was listed.
pub(crate) fn is_plain_http(registry: &str, insecure: &[String]) -> bool {
    if insecure.iter().any(|listed| listed == registry) {
        return true;
    }
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => registry.split(':').next().unwrap_or_default(),
    };
    insecure.iter().any(|listed| listed == host)
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn short_names_become_full() {
        for (short, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("bitnami/redis", "docker.io/bitnami/redis:latest"),
            ("docker.io/nginx", "docker.io/library/nginx:latest"),
            ("localhost:5000/a/b:c", "localhost:5000/a/b:c"),
            ("localhost/a", "localhost/a:latest"),
            ("registry.example.com/x", "registry.example.com/x:latest"),
        ] {
            assert_eq!(normalise(short).unwrap(), full, "{short}");
        }
        let pinned = format!("nginx:1@sha256:{}", "a".repeat(64));
        assert_eq!(normalise(&pinned).unwrap(), format!("docker.io/library/nginx@sha256:{}", "a".repeat(64)));
    }

    #[test]
    fn bad_names_say_so() {
        for bad in ["", "Nginx", "a b", "nginx:", "a/../b"] {
            assert!(matches!(normalise(bad), Err(RuntimeError::InvalidImageName(_))), "{bad}");
        }
    }

    #[test]
    fn plain_http_only_here_or_where_listed() {
        let listed = vec!["10.0.0.9:5000".to_owned(), "registry.local".to_owned()];
        for (registry, plain) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("[::1]:5000", true),
            ("10.0.0.9:5000", true),
            ("10.0.0.9:5001", false),
            ("registry.local:80", true),
            ("docker.io", false),
        ] {
            assert_eq!(is_plain_http(registry, &listed), plain, "{registry}");
        }
    }
}
