//! Links that are cut, lossy, doubling: one nftables table for the bridge and one for each host's link.

use crate::lab::shell::try_run;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::process::{Command, Stdio};

/// Rules of one cluster.
#[derive(Debug, Clone)]
pub struct Rules {
    cluster: String,
}

fn nft(script: &str) -> Result<()> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("run nft")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("nft: {}: {}", script.trim(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

impl Rules {
    /// Of a cluster.
    pub fn of(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned() }
    }

    /// Nothing is cut yet.
    ///
    /// # Errors
    /// nft refuses.
    pub fn begin(&self) -> Result<()> {
        self.remove();
        let table = self.table();
        nft(&format!(
            "table bridge {table} {{\n chain cut {{\n type filter hook forward priority 0; policy accept;\n }}\n }}\n"
        ))
    }

    fn table(&self) -> String {
        format!("chaos_{}", self.cluster.replace('-', "_"))
    }

    /// A host's interface on the bridge.
    pub fn link(&self, host: &str) -> String {
        format!("{}-{host}", self.cluster)
    }

    /// Cuts pairs of hosts, from the first to the second, under a name.
    ///
    /// # Errors
    /// nft refuses.
    pub fn cut(&self, name: &str, pairs: &[(String, String)]) -> Result<()> {
        let table = self.table();
        let quoted = |host: &str| format!("\"{}\"", self.link(host));
        let elements: Vec<String> = pairs.iter().map(|(a, b)| format!("{} . {}", quoted(a), quoted(b))).collect();
        nft(&format!(
            "table bridge {table} {{\n set {name} {{\n type ifname . ifname\n }}\n \
             chain {name} {{\n iifname . oifname @{name} drop\n }}\n chain cut {{\n jump {name}\n }}\n }}\n{}",
            self.elements("add", name, &elements)
        ))
    }

    /// Takes the pairs out, or puts them in again.
    ///
    /// # Errors
    /// nft refuses.
    pub fn toggle(&self, name: &str, pairs: &[(String, String)], cut: bool) -> Result<()> {
        let quoted = |host: &str| format!("\"{}\"", self.link(host));
        let elements: Vec<String> = pairs.iter().map(|(a, b)| format!("{} . {}", quoted(a), quoted(b))).collect();
        match cut {
            true => nft(&self.elements("add", name, &elements)),
            false => nft(&format!("flush set bridge {} {name}", self.table())),
        }
    }

    fn elements(&self, verb: &str, name: &str, elements: &[String]) -> String {
        if elements.is_empty() {
            return String::new();
        }
        format!("{verb} element bridge {} {name} {{ {} }}\n", self.table(), elements.join(", "))
    }

    /// Nothing under this name is cut any more.
    ///
    /// # Errors
    /// nft refuses.
    pub fn heal(&self, name: &str) -> Result<()> {
        nft(&format!("flush set bridge {} {name}", self.table()))
    }

    /// Packets from a host: so many of a hundred are lost.
    ///
    /// # Errors
    /// nft refuses.
    pub fn lose(&self, host: &str, percent: u32) -> Result<()> {
        let link = self.link(host);
        nft(&format!(
            "table netdev {table}_{host}_loss {{\n chain in {{\n type filter hook ingress device \"{link}\" priority 0;\n \
             numgen random mod 100 < {percent} drop\n }}\n }}\n",
            table = self.table()
        ))
    }

    /// Packets to a host: so many of a hundred come twice.
    ///
    /// # Errors
    /// nft refuses.
    pub fn double(&self, host: &str, percent: u32) -> Result<()> {
        let link = self.link(host);
        nft(&format!(
            "table netdev {table}_{host}_double {{\n chain out {{\n type filter hook egress device \"{link}\" priority 0;\n \
             numgen random mod 100 < {percent} dup to \"{link}\"\n }}\n }}\n",
            table = self.table()
        ))
    }

    /// Loss (`loss`) or duplication (`double`) of a host is over.
    pub fn clear(&self, host: &str, what: &str) {
        try_run("nft", &["delete", "table", "netdev", &format!("{}_{host}_{what}", self.table())]);
    }

    /// Everything is over.
    pub fn remove(&self) {
        try_run("nft", &["delete", "table", "bridge", &self.table()]);
        let tables = crate::lab::shell::run("nft", &["list", "tables", "netdev"]).unwrap_or_default();
        for name in tables.lines().filter_map(|line| line.strip_prefix("table netdev ")) {
            if name.starts_with(&format!("{}_", self.table())) {
                try_run("nft", &["delete", "table", "netdev", name]);
            }
        }
    }
}
