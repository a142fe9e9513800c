//! `get -w`: a list, and then every change, whichever master tells it.

use crate::connect::{Cluster, Failure, TABLE};
use crate::get::command::{GetOptions, path};
use crate::get::table::Printer;
use crate::output::{Format, Objects};
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
    /// `None`: tables.
    objects: Option<Objects<'a>>,
}

impl<'a> Watch<'a> {
    fn new(cluster: &'a Cluster, options: &'a GetOptions, named: &'a Named) -> anyhow::Result<Self> {
        if named.names.len() > 1 {
            bail!("--watch goes with one name, or with all");
        }
        let printer = Printer::new(options, &named.resource, false);
        let format = options.output.as_ref().filter(|_| !options.is_table());
        let objects =
            format.map(|format| Objects::new(format, options.show_managed_fields).without_headers(options.no_headers));
        Ok(Self { cluster, options, named, printer, objects })
    }

    fn accept(&self) -> &'static str {
        if self.objects.is_none() { TABLE } else { "application/json" }
    }

    /// The query; one name is a field selector, so that it is the same kind of list and watch.
    fn path(&self, more: &[(&str, Option<String>)]) -> String {
        let Some(name) = self.named.names.first() else {
            return path(self.options, self.cluster, &self.named.resource, more);
        };
        let collection = self.named.resource.collection(Some(self.named.namespace(self.cluster)));
        let mut pairs = vec![("fieldSelector", Some(format!("metadata.name={name}")))];
        pairs.extend(more.iter().cloned());
        format!("{collection}{}", crate::resources::query(&pairs))
    }

    /// Prints what is there; the version it stands for.
    async fn list(&mut self, print: bool) -> anyhow::Result<String> {
        let list = self.cluster.get(&self.path(&[]), self.accept()).await?;
        if print {
            if self.objects.is_none() {
                self.printer.add(&list);
            } else {
                for item in list["items"].as_array().into_iter().flatten() {
                    // Items of a list lack what each object of a watch has.
                    let mut item = item.clone();
                    item["apiVersion"] = Value::String(self.named.resource.api_version());
                    item["kind"] = Value::String(self.named.resource.kind.clone());
                    self.object(&item, "ADDED")?;
                }
            }
        } else if self.objects.is_none() {
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
        if self.objects.is_none() {
            self.printer.add_event(object, kind);
            self.flush().map_err(|_| End::Closed)
        } else {
            self.object(object, kind).map_err(End::Failed)
        }
    }

    fn object(&mut self, object: &Value, event: &str) -> anyhow::Result<()> {
        let Some(objects) = &mut self.objects else { return Ok(()) };
        let name = self.named.resource.qualified(object["metadata"]["name"].as_str().unwrap_or_default());
        let whole = matches!(self.options.output, Some(Format::Json | Format::Yaml | Format::JsonPath(_)));
        if self.options.output_watch_events && whole {
            return objects.print(&json!({"type": event, "object": object}), &name);
        }
        objects.print(object, &name)?;
        if matches!(self.options.output, Some(Format::JsonPath(_))) {
            crate::outln!();
        }
        Ok(())
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
