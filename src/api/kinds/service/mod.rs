//! `v1 Service`.

mod defaults;
mod validate;

use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, or_none, text, wide};
use crate::status::Cause;
use crate::value::{At, set};
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

/// Services.
pub struct Service;

impl Kind for Service {
    type Object = core::Service;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "Service",
        plural: "services",
        singular: "service",
        short_names: &["svc"],
        categories: &["all"],
        namespaced: true,
        subresources: &[Subresource::Status],
        counts_generations: false,
    };

    const CREATES_ON_UPDATE: bool = true;

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Type", "type determines how the Service is exposed."),
        text("Cluster-IP", "clusterIP is the IP address of the service and is usually assigned randomly."),
        text(
            "External-IP",
            "externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for this service.",
        ),
        text("Port(s)", "The list of ports that are exposed by this service."),
        AGE,
        wide("Selector", "Route service traffic to pods with label keys and values matching this selector."),
    ];

    const SELECTABLE: &'static [&'static str] = &["spec.clusterIP", "spec.type"];

    fn default(object: &mut Value) {
        defaults::default(object);
    }

    fn prepare_create(object: &mut Value) {
        set(object, "status", json!({ "loadBalancer": {} }));
    }

    fn prepare_update(object: &mut Value, old: &Value, part: Option<Subresource>) {
        if part != Some(Subresource::Status) {
            defaults::keep_allocated(object, old);
            defaults::drop_by_type(object, old);
        }
    }

    fn validate(object: &core::Service) -> Vec<Cause> {
        validate::validate(object)
    }

    fn validate_update(new: &core::Service, old: &core::Service, _: Option<Subresource>) -> Vec<Cause> {
        validate::validate_update(new, old)
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        vec![
            columns::name(object),
            object.text("spec.type").into(),
            or_none(object.text("spec.clusterIP")),
            external(object),
            ports(object),
            columns::age(object, now),
            columns::pairs(object.at("spec.selector")),
        ]
    }
}

fn external(object: &Value) -> Value {
    let mut ips: Vec<&str> = object.list("spec.externalIPs").iter().filter_map(Value::as_str).collect();
    match object.text("spec.type") {
        "ExternalName" => return object.text("spec.externalName").into(),
        "LoadBalancer" => {
            let ingress = object.list("status.loadBalancer.ingress").iter();
            let balanced = ingress.map(|point| match point.text("ip") {
                "" => point.text("hostname"),
                ip => ip,
            });
            ips = balanced.chain(ips).collect();
            if ips.is_empty() {
                return "<pending>".into();
            }
        }
        _ => {}
    }
    or_none(&ips.join(","))
}

fn ports(object: &Value) -> Value {
    let shown: Vec<String> = object
        .list("spec.ports")
        .iter()
        .map(|port| {
            let (number, protocol) = (port.int("port").unwrap_or(0), port.text("protocol"));
            match port.int("nodePort").unwrap_or(0) {
                0 => format!("{number}/{protocol}"),
                node_port => format!("{number}:{node_port}/{protocol}"),
            }
        })
        .collect();
    or_none(&shown.join(","))
}
