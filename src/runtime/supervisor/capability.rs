//! Capabilities as names and as libcontainer's sets.

use libcontainer::oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities, LinuxCapabilitiesBuilder};
use std::io;

/// The sets of a process that keeps `names` (without `CAP_`): nothing is inherited by an ordinary user's programs.
pub(crate) fn sets(names: &[String]) -> io::Result<LinuxCapabilities> {
    let kept = names
        .iter()
        .map(|name| {
            serde_json::from_value::<Capability>(serde_json::Value::String(format!("CAP_{name}")))
                .map_err(|_| io::Error::other(format!("capability \"{name}\" does not exist")))
        })
        .collect::<io::Result<Capabilities>>()?;
    LinuxCapabilitiesBuilder::default()
        .bounding(kept.clone())
        .effective(kept.clone())
        .permitted(kept)
        .inheritable(Capabilities::default())
        .ambient(Capabilities::default())
        .build()
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_become_sets() {
        let sets = sets(&["NET_ADMIN".to_owned(), "CHOWN".to_owned()]).unwrap();
        assert_eq!(sets.bounding().as_ref().unwrap().len(), 2);
        assert!(sets.inheritable().as_ref().unwrap().is_empty());
        assert!(super::sets(&["NONSENSE".to_owned()]).is_err());
    }
}
