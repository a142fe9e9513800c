//! The classic two tiers: they answer through every node, and rows outlive the death of a container and of a pod.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::machine::first_process;
use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// What a visit shows.
struct Page {
    visits: u64,
    /// The ids of the last rows, the newest first.
    ids: Vec<u64>,
    text: String,
}

impl Page {
    fn of(text: String) -> Result<Self> {
        let after = |mark: &str| -> Option<&str> { text.split_once(mark)?.1.split('<').next() };
        let visits = after("Visits so far: <b>").and_then(|count| count.trim().parse().ok());
        let ids = text.split("<tr><td>").skip(1).filter_map(|row| row.split('<').next()?.parse().ok()).collect();
        let visits = visits.with_context(|| format!("no count of visits: {text}"))?;
        Ok(Self { visits, ids, text })
    }
}

/// Visits in turn, each of which must follow the one before.
struct Visitor<'a> {
    c: &'a Cluster,
    last: Option<Page>,
}

impl Visitor<'_> {
    /// Waits until the sample answers through a node; rows are never fewer, and none of them is forgotten.
    fn visit(&mut self, node: &str) -> Result<()> {
        let url = format!("http://{}:30001/", self.c.address(node)?);
        let mut text = String::new();
        self.c.wait(&format!("the sample answers through {node}"), Duration::from_secs(60), || {
            text = self.c.http(&url)?;
            Ok(true)
        })?;
        let page = Page::of(text)?;
        ensure!(page.ids.len() as u64 == page.visits.min(10), "the rows and the count differ: {}", page.text);
        if let Some(last) = &self.last {
            ensure!(page.visits > last.visits, "{} visits after {}: {}", page.visits, last.visits, page.text);
            let newest = last.ids.first().context("no rows")?;
            ensure!(page.ids.contains(newest), "row {newest} is gone: {}", page.text);
        }
        self.last = Some(page);
        Ok(())
    }

    /// Through every node.
    fn round(&mut self) -> Result<()> {
        self.c.nodes().into_iter().try_for_each(|node| self.visit(node))
    }
}

/// All of it is ready.
fn ready(c: &Cluster) -> Result<()> {
    c.wait("mysql", PATIENCE, || Ok(c.ready_pods("app=mysql")?.len() == 1))?;
    c.wait("myweb", PATIENCE, || Ok(c.ready_pods("app=myweb")?.len() == 2)).map(drop)
}

/// `curl NODE_IP:30001` shows rows, more after each visit; also after the death of a `myweb` container and of a `myweb` pod.
pub fn answers(c: &Cluster, _: &mut Figures) -> Result<()> {
    ready(c)?;
    let mut visitor = Visitor { c, last: None };
    visitor.round()?;
    let page = visitor.last.as_ref().map(|page| page.text.clone()).unwrap_or_default();
    let service = c.field("service mysql", ".spec.clusterIP")?;
    ensure!(page.contains(&format!("MYSQL_SERVICE_HOST: <b>{service}</b>")), "not {service}: {page}");
    ensure!(page.contains("Database by DNS: <b>mysql</b>"), "no name of the database: {page}");
    let pods = c.ready_pods("app=myweb")?;
    for pod in &pods {
        let words = c.kubectl(&["exec", pod, "--", "cat", "/proc/1/cmdline"])?.ok()?;
        ensure!(words.split('\0').any(|word| word == "-Xmx128m"), "the JVM of {pod}: {words:?}");
    }

    let killed = pods.first().context("no pod")?;
    let restarts = c.field(killed, ".status.containerStatuses[0].restartCount")?.parse::<u32>()?;
    kill(c, killed)?;
    c.wait("the container is started again", PATIENCE, || {
        let now = c.field(killed, ".status.containerStatuses[0].restartCount")?.parse::<u32>()?;
        Ok(now == restarts + 1)
    })?;
    let last = ".status.containerStatuses[0].lastState.terminated.exitCode";
    ensure!(c.field(killed, last)? == "137", "kill -9 is exit code 137, not {}", c.field(killed, last)?);
    ready(c)?;
    ensure!(c.ready_pods("app=myweb")?.contains(killed), "the pod was replaced, not its container");
    visitor.round()?;

    let victim = c.ready_pods("app=myweb")?.pop().context("no pod")?;
    c.k(&format!("delete {victim} --grace-period=0 --force"))?;
    c.wait("another pod", PATIENCE, || Ok(!c.k("get pods -l app=myweb -oname")?.contains(&victim)))?;
    visitor.visit("n1")?;
    ready(c)?;
    visitor.round()
}

/// kill -9 of a container's first process, from the machine.
fn kill(c: &Cluster, pod: &str) -> Result<()> {
    let pid = first_process(&c.field(pod, ".metadata.uid")?)?;
    ensure!(Command::new("kill").args(["-9", &pid.to_string()]).status()?.success(), "kill -9 {pid} failed");
    Ok(())
}
