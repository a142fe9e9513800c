//! Flags, and which containers they mean.

use crate::connect::Cluster;
use crate::kubeconfig::Target;
use crate::logs::follow::Follower;
use crate::output::Finish;
use crate::resources::{Catalog, Named, parse_arguments, query};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// `raftsman logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsOptions {
    #[command(flatten)]
    target: Target,
    /// POD or TYPE/NAME, and the container
    #[arg(value_name = "POD CONTAINER", num_args = 0..=2)]
    what: Vec<String>,
    /// Go on as it grows
    #[arg(short, long)]
    pub(super) follow: bool,
    /// The container
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// All containers
    #[arg(long)]
    all_containers: bool,
    /// All pods with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Of the container before this one
    #[arg(short, long)]
    pub(super) previous: bool,
    /// Only so many of the last lines; -1: all
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) tail: Option<i64>,
    /// Only what is younger than this: 10s, 2m, 3h
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// Only what is younger than this moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(super) since_time: Option<String>,
    /// With times
    #[arg(long)]
    pub(super) timestamps: bool,
    /// With the pod's and container's names
    #[arg(long)]
    pub(super) prefix: bool,
    /// Stop after so many bytes
    #[arg(long, value_name = "BYTES")]
    pub(super) limit_bytes: Option<u64>,
}

/// Prints.
pub async fn run(options: &LogsOptions) -> anyhow::Result<ExitCode> {
    let since = options.since.as_deref().map(seconds).transpose()?;
    if since.is_some() && options.since_time.is_some() {
        bail!("--since and --since-time exclude each other");
    }
    let cluster = Cluster::open(&options.target).await?;
    let pods = pods(&cluster, options).await?;
    let mut followers = Vec::new();
    for pod in &pods {
        for container in containers(pod, options)? {
            followers.push(Follower::new(&cluster, options, since, pod, container));
        }
    }
    let mut finish = Finish::default();
    if options.follow {
        for result in futures::future::join_all(followers.iter_mut().map(Follower::run)).await {
            result.unwrap_or_else(|error| finish.error(&error));
        }
    } else {
        for follower in &mut followers {
            follower.run().await.unwrap_or_else(|error| finish.error(&error));
        }
    }
    Ok(finish.code())
}

async fn pods(cluster: &Cluster, options: &LogsOptions) -> anyhow::Result<Vec<Value>> {
    let namespace = cluster.namespace();
    if let Some(selector) = &options.selector {
        if !options.what.is_empty() {
            bail!("a name and --selector exclude each other");
        }
        let found = of_selector(cluster, selector).await?;
        if found.is_empty() {
            eprintln!("No resources found in {namespace} namespace.");
        }
        return Ok(found);
    }
    let Some(what) = options.what.first() else {
        bail!("say whose: `raftsman logs POD` or `raftsman logs -l SELECTOR`")
    };
    if !what.contains('/') {
        return Ok(vec![cluster.read(&pod_path(namespace, what)).await?]);
    }
    let catalog = Catalog::fetch(cluster).await?;
    let asked = parse_arguments(&catalog, std::slice::from_ref(what))?;
    let Some(Named { resource, names }) = asked.first() else { bail!("{what}: names nothing") };
    let name = names.first().map(String::as_str).unwrap_or_default();
    let object = cluster.read(&resource.object(namespace, name)).await?;
    if resource.kind == "Pod" {
        return Ok(vec![object]);
    }
    let selector = selector_of(&object).with_context(|| format!("{what} selects no pods"))?;
    let mut found = of_selector(cluster, &selector).await?;
    if found.len() > 1 {
        let name = found[0]["metadata"]["name"].as_str().unwrap_or_default();
        eprintln!("Found {} pods, using pod/{name}", found.len());
    }
    found.truncate(1);
    if found.is_empty() {
        bail!("{what} has no pods yet; `raftsman describe {what}` says why");
    }
    Ok(found)
}

async fn of_selector(cluster: &Cluster, selector: &str) -> anyhow::Result<Vec<Value>> {
    let query = query(&[("labelSelector", Some(selector.to_owned()))]);
    let list = cluster.read(&format!("/api/v1/namespaces/{}/pods{query}", cluster.namespace())).await?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// `spec.selector` as a query, of either form.
pub(crate) fn selector_of(object: &Value) -> Option<String> {
    let selector = object.pointer("/spec/selector")?;
    let labels = selector.get("matchLabels").unwrap_or(selector).as_object()?;
    let pairs = labels.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
    Some(pairs.collect::<Vec<_>>().join(",")).filter(|selector| !selector.is_empty())
}

pub(super) fn pod_path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods/{}", crate::resources::escape(name))
}

/// The containers that are meant; the first, or the annotated default, if none is named.
fn containers(pod: &Value, options: &LogsOptions) -> anyhow::Result<Vec<String>> {
    let names = |field: &str| {
        let list = pod["spec"][field].as_array().into_iter().flatten();
        list.filter_map(|container| container["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let (main, init) = (names("containers"), names("initContainers"));
    if options.all_containers {
        return Ok(init.into_iter().chain(main).collect());
    }
    if let Some(name) = options.container.as_ref().or(options.what.get(1)) {
        if !main.contains(name) && !init.contains(name) && !names("ephemeralContainers").contains(name) {
            let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
            bail!("container {name} is not valid for pod {pod}; it has: {}", [init, main].concat().join(", "));
        }
        return Ok(vec![name.clone()]);
    }
    let default = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    if let Some(name) = default.filter(|name| main.iter().any(|known| known == name)) {
        return Ok(vec![name.to_owned()]);
    }
    if let [first, _, ..] = &main[..]
        && options.selector.is_none()
    {
        eprintln!("Defaulted container \"{first}\" out of: {}", main.join(", "));
    }
    Ok(main.into_iter().take(1).collect())
}

/// `1h30m`, `10s`, as Go writes durations; whole seconds.
fn seconds(text: &str) -> anyhow::Result<i64> {
    let wrong = || anyhow::anyhow!("--since {text:?}: write a duration like 10s, 2m or 1h30m");
    let mut total = 0f64;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let value: f64 = rest[..number].parse().map_err(|_| wrong())?;
        rest = &rest[number..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += value
            * match &rest[..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 0.001,
                _ => return Err(wrong()),
            };
        rest = &rest[unit..];
    }
    Ok(total.ceil().max(1.0) as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, wanted) in [("10s", 10), ("2m", 120), ("1h30m", 5400), ("500ms", 1), ("1.5m", 90)] {
            assert_eq!(seconds(text).unwrap(), wanted, "{text}");
        }
        for text in ["", "10", "s", "3d", "-1s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn selectors_of_both_forms() {
        assert_eq!(selector_of(&json!({"spec": {"selector": {"a": "b"}}})).unwrap(), "a=b");
        assert_eq!(
            selector_of(&json!({"spec": {"selector": {"matchLabels": {"a": "b", "c": "d"}}}})).unwrap(),
            "a=b,c=d"
        );
        assert_eq!(selector_of(&json!({"spec": {}})), None);
    }
}
