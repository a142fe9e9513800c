//! The classic two tiers: they answer through every node, and rows outlive the death of a pod.

use crate::cluster::Cluster;
use crate::figures::Figures;
use anyhow::{Result, ensure};
use std::time::Duration;

/// `curl NODE_IP:30001` shows rows; more after each visit; also after a `myweb` pod died.
pub fn answers(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.wait("mysql", Duration::from_secs(120), || Ok(c.field("rc mysql", ".status.readyReplicas")? == "1"))?;
    c.wait("myweb", Duration::from_secs(120), || Ok(c.field("rc myweb", ".status.readyReplicas")? == "2"))?;
    let mut last = String::new();
    for node in c.nodes() {
        let url = format!("http://{}:30001/", c.address(node)?);
        c.wait("the sample answers", Duration::from_secs(20), || {
            last = c.http(&url)?;
            Ok(true)
        })?;
    }
    let victim = c.k("get pods -l app=myweb -oname")?.lines().next().unwrap_or_default().to_owned();
    c.k(&format!("delete {victim} --grace-period=0 --force"))?;
    c.wait("myweb again", Duration::from_secs(120), || {
        Ok(c.field("rc myweb", ".status.readyReplicas")? == "2"
            && !c.k("get pods -l app=myweb -oname")?.contains(&victim))
    })?;
    let page = c.http(&format!("http://{}:30001/", c.address("n1")?))?;
    let rows = |page: &str| page.matches("<tr").count();
    ensure!(rows(&page) >= rows(&last) && rows(&page) > 1, "rows were lost: {page}");
    Ok(())
}
