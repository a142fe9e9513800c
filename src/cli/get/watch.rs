//! `get -w`: a list, and then every change, whichever master tells it.

use crate::connect::{Cluster, Failure, TABLE};
use crate::get::command::JSONPATH;
use crate::get::command::{GetOptions, path};
use crate::get::jsonpath::Template;
use crate::get::table::Printer;
use crate::output::print_object;
use crate::resources::Named;
use anyhow::bail;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(250);
/// Attempts without any event in between.
const ATTEMPTS: u32 = 20;

/// Ends only with an error, or when nobody reads any more.
pub(super) async fn run(cluster: &Cluster, options: &GetOptions, named: &Named) -> anyhow::Result<ExitCode> {
    let mut watch = Watch::new(cluster, options, named)?;
    let mut version = watch.list(!options.watch_only).await?;
    let mut failures = 0;
    loop {
        match watch.follow(&mut version).await {
            // It ends from time to time, and goes on from where it was.
            Ok(()) => failures = 0,
            Err(End::Gone) => version = watch.list(true).await?,
            Err(End::Lost(moved)) => {
                failures = if moved { 0 } else { failures + 1 };
                if failures > ATTEMPTS {
                    bail!("the watch breaks off again and again; `raftsman status` shows the masters");
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(End::Failed(error)) => return Err(error),
            Err(End::Closed) => return Ok(ExitCode::SUCCESS),
        }
    }
}

enum End {
    /// Our version is too old: list again.
    Gone,
    /// The connection broke; true if events had come.
    Lost(bool),
    Failed(anyhow::Error),
    /// Nobody reads our output.
    Closed,
}

struct Watch<'a> {
    cluster: &'a Cluster,
    options: &'a GetOptions,
    named: &'a Named,
    printer: Printer,
    table: bool,
}

impl<'a> Watch<'a> {
    fn new(cluster: &'a Cluster, options: &'a GetOptions, named: &'a Named) -> anyhow::Result<Self> {
        if named.names.len() > 1 {
            bail!("--watch goes with one name, or with all");
        }
        let printer = Printer::new(options, &named.resource, false);
        let table = matches!(options.output.as_deref(), None | Some("wide"));
        Ok(Self { cluster, options, named, printer, table })
    }

    fn accept(&self) -> &'static str {
        if self.table { TABLE } else { "application/json" }
    }

    /// The query; one name is a field selector, so that it is the same kind of list and watch.
    fn path(&self, more: &[(&str, Option<String>)]) -> String {
        let Some(name) = self.named.names.first() else {
            return path(self.options, self.cluster, &self.named.resource, more);
        };
        let collection = self.named.resource.collection(Some(self.cluster.namespace()));
        let mut pairs = vec![("fieldSelector", Some(format!("metadata.name={name}")))];
        pairs.extend(more.iter().cloned());
        format!("{collection}{}", crate::resources::query(&pairs))
    }

    /// Prints what is there; the version it stands for.
    async fn list(&mut self, print: bool) -> anyhow::Result<String> {
        let list = self.cluster.get(&self.path(&[]), self.accept()).await?;
        if print {
            if self.table {
                self.printer.add(&list);
            } else {
                for item in list["items"].as_array().into_iter().flatten() {
                    self.object(item)?;
                }
            }
        } else if self.table {
            // The columns, without the rows.
            self.printer.add(&json!({"columnDefinitions": list["columnDefinitions"], "rows": []}));
        }
        if self.flush().is_err() {
            return Ok(String::new());
        }
        Ok(list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned())
    }

    async fn follow(&mut self, version: &mut String) -> Result<(), End> {
        let more = [
            ("watch", Some("true".to_owned())),
            ("allowWatchBookmarks", Some("true".to_owned())),
            ("resourceVersion", Some(version.clone())),
        ];
        let mut lines = match self.cluster.lines(&self.path(&more), self.accept()).await {
            Ok(lines) => lines,
            Err(error) => return Err(self.end(error)),
        };
        let mut moved = false;
        loop {
            let line = match lines.next().await {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(reason) => {
                    tracing::debug!(reason, "the watch moves on");
                    return Err(End::Lost(moved));
                }
            };
            // A half line at the end of a broken answer: the next watch brings it whole.
            let Ok(event) = serde_json::from_slice::<Value>(&line) else {
                return Err(End::Lost(moved));
            };
            self.event(&event, version)?;
            moved = true;
        }
    }

    fn event(&mut self, event: &Value, version: &mut String) -> Result<(), End> {
        let object = &event["object"];
        let kind = event["type"].as_str().unwrap_or_default();
        if kind == "ERROR" {
            return Err(self.end(Failure::Status(Box::new(object.clone()))));
        }
        let newest =
            [&object["rows"][0]["object"]["metadata"]["resourceVersion"], &object["metadata"]["resourceVersion"]];
        if let Some(newest) = newest.into_iter().filter_map(Value::as_str).find(|newest| !newest.is_empty()) {
            newest.clone_into(version);
        }
        if kind == "BOOKMARK" {
            return Ok(());
        }
        if self.table {
            self.printer.add(object);
            self.flush().map_err(|_| End::Closed)
        } else {
            self.object(object).map_err(End::Failed)
        }
    }

    fn object(&self, object: &Value) -> anyhow::Result<()> {
        if let Some(template) = self.options.output.as_deref().and_then(|output| output.strip_prefix(JSONPATH)) {
            crate::outln!("{}", Template::parse(template)?.fill(object));
            return Ok(());
        }
        let name = self.named.resource.qualified(object["metadata"]["name"].as_str().unwrap_or_default());
        print_object(object, &name, self.options.output.as_deref().unwrap_or("name"))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(self.printer.drain().as_bytes())?;
        out.flush()
    }

    fn end(&self, error: Failure) -> End {
        match &error {
            Failure::Status(status) if status["code"] == 410 => End::Gone,
            Failure::Status(status) if status["code"].as_u64().is_some_and(|code| code >= 500 || code == 429) => {
                End::Lost(false)
            }
            _ => End::Failed(error.into()),
        }
    }
}
