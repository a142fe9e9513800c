//! A host is started with a certificate that has ended, otherwise as its own.

use super::{Fault, touch};
use crate::lab::{Lab, Part, run};
use crate::record::Touch;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// See the module.
pub struct Expired {
    host: String,
    kept: Option<Vec<u8>>,
}

impl Expired {
    pub(super) fn new(host: String) -> Self {
        Self { host, kept: None }
    }

    fn file(&self, lab: &Lab, name: &str) -> PathBuf {
        lab.cluster.dir().join(&self.host).join("pki").join(name)
    }

    fn put(&self, lab: &Lab, certificate: &[u8]) -> Result<()> {
        lab.stop(&self.host)?;
        std::fs::write(self.file(lab, "host.crt"), certificate).context("host.crt")?;
        lab.start(&self.host)
    }
}

/// The same certificate, signed by the cluster's authority for no day at all.
fn expired(lab: &Lab, certificate: &str, key: &str) -> Result<Vec<u8>> {
    let scratch = tempfile::tempdir()?;
    let path = |name: &str| scratch.path().join(name).to_string_lossy().into_owned();
    let (request, made) = (path("request"), path("certificate"));
    let extensions = ["-copy_extensions", "copyall"];
    let ask = ["x509", "-x509toreq", "-in", certificate, "-signkey", key, "-out", &request];
    run("openssl", &[&ask[..], &extensions].concat())?;
    let authority = lab.cluster.dir().join("pki");
    let file = |name: &str| authority.join(name).to_string_lossy().into_owned();
    let (ca, ca_key) = (file("ca.crt"), file("ca.key"));
    let sign = ["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial", "-days", "0"];
    run("openssl", &[&sign[..], &["-CAserial", &path("serial"), "-out", &made], &extensions].concat())?;
    std::fs::read(&made).context("the certificate")
}

impl Fault for Expired {
    fn describe(&self) -> String {
        format!("certificate of {} expired", self.host)
    }

    fn touch(&self) -> Touch {
        // A node without a master is judged lost after a while, as if it were off the network.
        touch(&[&self.host])
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &[Part::Process, Part::Disk])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        let [certificate, key] =
            ["host.crt", "host.key"].map(|name| self.file(lab, name).to_string_lossy().into_owned());
        let made = expired(lab, &certificate, &key)?;
        self.kept = Some(std::fs::read(&certificate)?);
        self.put(lab, &made)
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        self.kept.take().map_or(Ok(()), |certificate| self.put(lab, &certificate))
    }
}
