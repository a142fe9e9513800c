//! One container's log.

use crate::connect::{Cluster, Failure};
use crate::logs::command::LogsOptions;
use crate::logs::resume::Resume;
use crate::pods::pod_path;
use crate::resources::query;
use anyhow::{Context, bail};
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(250);
/// Attempts without a line in between.
const ATTEMPTS: u32 = 20;

/// Prints one container's log, and goes on at another master when one is down.
pub(super) struct Follower<'a> {
    cluster: &'a Cluster,
    options: &'a LogsOptions,
    namespace: String,
    pod: String,
    uid: String,
    container: String,
    /// The container's id when we began: a log ends with it.
    id: String,
    resume: Resume,
    /// Bytes that may still be printed.
    left: Option<u64>,
    out: Box<dyn Write + Send>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(cluster: &'a Cluster, options: &'a LogsOptions, pod: &Value, container: String) -> Self {
        let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
        let id = running(pod, &container).unwrap_or_default();
        Self {
            cluster,
            options,
            namespace: text("namespace"),
            pod: text("name"),
            uid: text("uid"),
            container,
            id,
            resume: Resume::default(),
            left: options.limit(),
            out: Box::new(std::io::stdout()),
        }
    }

    /// Writes elsewhere.
    #[cfg(test)]
    pub(super) fn to(mut self, out: Box<dyn Write + Send>) -> Self {
        self.out = out;
        self
    }

    /// Until the log ends.
    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        let mut failures = 0;
        loop {
            let before = self.resume.clone();
            match self.once().await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if self.options.follow && is_passing(&error) => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("logs of {}/{}", self.pod, self.container));
                }
            }
            // A master that goes down in order ends the answer in order, too: the container tells whether there is more.
            if !self.options.follow || !self.goes_on().await? {
                return Ok(());
            }
            failures = if before == self.resume { failures + 1 } else { 0 };
            if failures > ATTEMPTS {
                bail!("the log of {} breaks off again and again; `raftsman status` shows the masters", self.pod);
            }
            tokio::time::sleep(PAUSE).await;
            self.resume.again();
        }
    }

    fn path(&self) -> String {
        let options = self.options;
        let flag = |set: bool| set.then(|| "true".to_owned());
        let again = self.resume.since().map(str::to_owned);
        let first = again.is_none();
        let pairs = [
            ("container", Some(self.container.clone())),
            ("follow", flag(options.follow)),
            ("previous", flag(options.previous)),
            // Their times are what we go on by.
            ("timestamps", flag(options.follow || options.timestamps)),
            ("tailLines", options.last_lines().filter(|_| first).map(|lines| lines.to_string())),
            ("sinceSeconds", options.since_seconds().filter(|_| first).map(|seconds| seconds.to_string())),
            ("sinceTime", again.map(|time| whole_second(&time)).or_else(|| options.since_time.clone())),
            // The server would count times that are not shown, and lines that are sent again.
            ("limitBytes", self.left.filter(|_| !options.follow).map(|bytes| bytes.to_string())),
        ];
        format!("{}/log{}", pod_path(&self.namespace, &self.pod), query(&pairs))
    }

    /// One answer. True: nobody reads any more, or no more is to be read.
    async fn once(&mut self) -> anyhow::Result<bool> {
        let mut lines = self.cluster.lines(&self.path(), "*/*").await?;
        loop {
            let line = match lines.next().await {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(false),
                Err(reason) if self.options.follow => {
                    tracing::debug!(reason, "the log moves on");
                    return Ok(false);
                }
                Err(reason) => bail!("{reason}"),
            };
            // Half a line at a break comes again, whole.
            if self.options.follow && !line.ends_with(b"\n") {
                return Ok(false);
            }
            if self.print(&line).is_err() || (self.options.follow && self.left == Some(0)) {
                return Ok(true);
            }
        }
    }

    fn print(&mut self, line: &[u8]) -> std::io::Result<()> {
        let shown = if self.options.follow {
            match self.resume.accept(line) {
                Some(new) if self.options.timestamps => new.whole,
                Some(new) => new.text,
                None => return Ok(()),
            }
        } else {
            line
        };
        let room = self.left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        let shown = &shown[..shown.len().min(room)];
        self.left = self.left.map(|left| left.saturating_sub(shown.len() as u64));
        if self.options.prefixed() {
            write!(self.out, "[pod/{}/{}] ", self.pod, self.container)?;
        }
        self.out.write_all(shown)?;
        self.out.flush()
    }

    /// The same container runs still.
    async fn goes_on(&self) -> anyhow::Result<bool> {
        match self.cluster.read(&pod_path(&self.namespace, &self.pod)).await {
            Ok(pod) => {
                let same = pod["metadata"]["uid"] == self.uid.as_str();
                Ok(same && !self.id.is_empty() && running(&pod, &self.container).as_deref() == Some(self.id.as_str()))
            }
            Err(error) if error.code() == Some(404) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The id of the container if it runs.
fn running(pod: &Value, container: &str) -> Option<String> {
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let mut all = lists.iter().flat_map(|list| pod["status"][*list].as_array().into_iter().flatten());
    let status = all.find(|status| status["name"] == container)?;
    status["state"]["running"].as_object()?;
    Some(status["containerID"].as_str().unwrap_or_default().to_owned())
}

/// `sinceTime` is in whole seconds (meta/v1 Time).
fn whole_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

/// It may be better a moment later, or at another master.
fn is_passing(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Failure>() {
        Some(Failure::Status(status)) => status["code"].as_u64().is_some_and(|code| code >= 500 || code == 429),
        _ => false,
    }
}
