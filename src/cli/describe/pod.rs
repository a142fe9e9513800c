//! Pods, and the containers of templates.

use crate::describe::page::{Page, items, plain};
use serde_json::Value;

pub(super) fn describe(page: &mut Page, pod: &Value) {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let host = plain(&status["hostIP"]);
    let node = plain(&spec["nodeName"]);
    page.field("Node", if host.is_empty() { node } else { format!("{node}/{host}") });
    page.given("Start Time", &status["startTime"]);
    page.field("Status", plain(&status["phase"]));
    page.given("Reason", &status["reason"]);
    page.given("Message", &status["message"]);
    page.field("IP", plain(&status["podIP"]));
    page.given("QoS Class", &status["qosClass"]);
    page.given("Service Account", &spec["serviceAccountName"]);
    for (title, list, statuses) in [
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
    ] {
        if items(&spec[list]).next().is_some() {
            page.section(title, |page| containers(page, &spec[list], &status[statuses]));
        }
    }
    page.conditions(pod);
    volumes(page, &spec["volumes"]);
    page.map("Node-Selectors", &spec["nodeSelector"]);
    let tolerations: Vec<String> = items(&spec["tolerations"]).map(toleration).collect();
    page.lines("Tolerations", &tolerations);
}

/// Containers, with how they are if that is known.
pub(super) fn containers(page: &mut Page, containers: &Value, statuses: &Value) {
    for container in items(containers) {
        page.section(&plain(&container["name"]), |page| {
            let status = items(statuses).find(|status| status["name"] == container["name"]);
            if let Some(status) = status {
                page.given("Container ID", &status["containerID"]);
            }
            page.field("Image", plain(&container["image"]));
            let ports: Vec<String> = items(&container["ports"])
                .map(|port| format!("{}/{}", port["containerPort"], port["protocol"].as_str().unwrap_or("TCP")))
                .collect();
            page.field("Ports", ports.join(", "));
            for (title, field) in [("Command", "command"), ("Args", "args")] {
                if items(&container[field]).next().is_some() {
                    page.lines(title, &items(&container[field]).map(plain).collect::<Vec<_>>());
                }
            }
            if let Some(status) = status {
                state(page, "State", &status["state"]);
                state(page, "Last State", &status["lastState"]);
                page.field("Ready", if status["ready"] == true { "True" } else { "False" });
                page.field("Restart Count", plain(&status["restartCount"]));
            }
            page.given("Limits", &container["resources"]["limits"]);
            page.given("Requests", &container["resources"]["requests"]);
            for (title, field) in
                [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")]
            {
                if container[field].is_object() {
                    page.field(title, probe(&container[field]));
                }
            }
            page.lines("Environment", &items(&container["env"]).map(variable).collect::<Vec<_>>());
            let mounts = items(&container["volumeMounts"]).map(|mount| {
                let mode = if mount["readOnly"] == true { "ro" } else { "rw" };
                format!("{} from {} ({mode})", plain(&mount["mountPath"]), plain(&mount["name"]))
            });
            page.lines("Mounts", &mounts.collect::<Vec<_>>());
        });
    }
}

fn state(page: &mut Page, title: &str, state: &Value) {
    let Some((kind, detail)) = state.as_object().and_then(|state| state.iter().next()) else {
        return;
    };
    let mut words = kind.clone();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    page.field(title, words);
    for (name, field) in [
        ("  Reason", "reason"),
        ("  Message", "message"),
        ("  Exit Code", "exitCode"),
        ("  Started", "startedAt"),
        ("  Finished", "finishedAt"),
    ] {
        page.given(name, &detail[field]);
    }
}

fn probe(probe: &Value) -> String {
    let number = |field: &str, otherwise: u64| probe[field].as_u64().unwrap_or(otherwise);
    let how = if probe["httpGet"].is_object() {
        let get = &probe["httpGet"];
        format!(
            "http-get {}://{}:{}{}",
            get["scheme"].as_str().unwrap_or("HTTP").to_lowercase(),
            plain(&get["host"]),
            plain(&get["port"]),
            plain(&get["path"])
        )
    } else if probe["tcpSocket"].is_object() {
        format!("tcp-socket {}:{}", plain(&probe["tcpSocket"]["host"]), plain(&probe["tcpSocket"]["port"]))
    } else if probe["exec"].is_object() {
        format!("exec [{}]", items(&probe["exec"]["command"]).map(plain).collect::<Vec<_>>().join(" "))
    } else {
        format!("grpc :{}", plain(&probe["grpc"]["port"]))
    };
    format!(
        "{how} delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds", 0),
        number("timeoutSeconds", 1),
        number("periodSeconds", 10),
        number("successThreshold", 1),
        number("failureThreshold", 3)
    )
}

fn variable(variable: &Value) -> String {
    let from = &variable["valueFrom"];
    let value = match from.as_object().and_then(|from| from.iter().next()) {
        None => plain(&variable["value"]),
        Some((kind, reference)) if kind == "fieldRef" => {
            format!("({})", plain(&reference["fieldPath"]))
        }
        Some((kind, reference)) => {
            let kind = kind.trim_end_matches("KeyRef").trim_end_matches("Ref");
            format!("<set to {} of {kind} '{}'>", plain(&reference["key"]), plain(&reference["name"]))
        }
    };
    format!("{}: {value}", plain(&variable["name"]))
}

fn volumes(page: &mut Page, volumes: &Value) {
    if items(volumes).next().is_none() {
        return page.field("Volumes", "");
    }
    page.section("Volumes", |page| {
        for volume in items(volumes).filter_map(Value::as_object) {
            let name = volume.get("name").map(plain).unwrap_or_default();
            if let Some((kind, detail)) = volume.iter().find(|(key, _)| *key != "name") {
                page.field(&name, format!("{kind} {}", plain(detail)).trim_end());
            }
        }
    });
}

fn toleration(toleration: &Value) -> String {
    let mut text = plain(&toleration["key"]);
    if toleration["value"].is_string() {
        text = format!("{text}={}", plain(&toleration["value"]));
    }
    if toleration["effect"].is_string() {
        text = format!("{text}:{}", plain(&toleration["effect"]));
    }
    if toleration["operator"] == "Exists" {
        text = format!("{text} op=Exists");
    }
    match toleration["tolerationSeconds"].as_i64() {
        Some(seconds) => format!("{text} for {seconds}s"),
        None => text,
    }
}
