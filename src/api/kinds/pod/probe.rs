//! What is wrong with probes and lifecycle hooks.

use super::spec::{maybe_one_of, nonnegative, text};
use crate::cause::invalid_each;
use crate::format;
use crate::status::Cause;
use k8s_openapi::api::core::v1::{Container, ExecAction, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub fn validate_all(container: &Container, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (field, probe) in [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ] {
        let Some(probe) = probe else { continue };
        let at = format!("{path}.{field}");
        causes.extend(validate(probe, &at));
        if field != "readinessProbe" && probe.success_threshold != Some(1) {
            let number = probe.success_threshold.unwrap_or(0);
            causes.push(Cause::invalid(format!("{at}.successThreshold"), number, "must be 1"));
        }
        if field == "readinessProbe" && probe.termination_grace_period_seconds.is_some() {
            let at = format!("{at}.terminationGracePeriodSeconds");
            let number = probe.termination_grace_period_seconds.unwrap_or(0);
            causes.push(Cause::invalid(at, number, "must not be set for readinessProbes"));
        }
    }
    let hooks = container.lifecycle.as_ref();
    for (field, hook) in [
        ("postStart", hooks.and_then(|hooks| hooks.post_start.as_ref())),
        ("preStop", hooks.and_then(|hooks| hooks.pre_stop.as_ref())),
    ] {
        let Some(hook) = hook else { continue };
        let at = format!("{path}.lifecycle.{field}");
        let given = [hook.exec.is_some(), hook.http_get.is_some(), hook.tcp_socket.is_some(), hook.sleep.is_some()];
        causes.extend(one_handler(&given, &at));
        causes.extend(hook.exec.iter().flat_map(|found| exec(found, &at)));
        causes.extend(hook.http_get.iter().flat_map(|found| http_get(found, &at)));
        causes.extend(hook.tcp_socket.iter().flat_map(|found| port(&found.port, &format!("{at}.tcpSocket.port"))));
    }
    causes
}

fn one_handler(given: &[bool], path: &str) -> Vec<Cause> {
    match given.iter().filter(|given| **given).count() {
        0 => vec![Cause::required(path, "must specify a handler type")],
        1 => Vec::new(),
        _ => vec![Cause::forbidden(path, "may not specify more than 1 handler type")],
    }
}

fn validate(probe: &Probe, path: &str) -> Vec<Cause> {
    let given = [probe.exec.is_some(), probe.http_get.is_some(), probe.tcp_socket.is_some(), probe.grpc.is_some()];
    let mut causes = one_handler(&given, path);
    for (field, number) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        causes.extend(nonnegative(&format!("{path}.{field}"), number.map(i64::from)));
    }
    if let Some(seconds) = probe.termination_grace_period_seconds
        && seconds <= 0
    {
        let at = format!("{path}.terminationGracePeriodSeconds");
        causes.push(Cause::invalid(at, seconds, "must be greater than 0"));
    }
    causes.extend(probe.exec.iter().flat_map(|found| exec(found, path)));
    causes.extend(probe.http_get.iter().flat_map(|found| http_get(found, path)));
    causes.extend(probe.tcp_socket.iter().flat_map(|found| port(&found.port, &format!("{path}.tcpSocket.port"))));
    causes.extend(probe.grpc.iter().flat_map(|found| {
        let at = format!("{path}.grpc.port");
        port(&IntOrString::Int(found.port), &at)
    }));
    causes
}

fn exec(exec: &ExecAction, path: &str) -> Vec<Cause> {
    if exec.command.as_ref().is_none_or(Vec::is_empty) {
        return vec![Cause::required(format!("{path}.exec.command"), "")];
    }
    Vec::new()
}

fn http_get(http: &HTTPGetAction, path: &str) -> Vec<Cause> {
    let mut causes = port(&http.port, &format!("{path}.httpGet.port"));
    if text(&http.path).is_empty() {
        causes.push(Cause::required(format!("{path}.httpGet.path"), ""));
    }
    causes.extend(maybe_one_of(&format!("{path}.httpGet.scheme"), &http.scheme, &["HTTP", "HTTPS"]));
    causes
}

fn port(port: &IntOrString, path: &str) -> Vec<Cause> {
    match port {
        IntOrString::Int(number) => {
            format::port_number(*number).into_iter().map(|why| Cause::invalid(path, *number, why)).collect()
        }
        IntOrString::String(name) => invalid_each(path, name, format::port_name(name)),
    }
}
