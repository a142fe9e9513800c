//! `discovery.k8s.io/v1 EndpointSlice`.

use crate::cause::{immutable, invalid_each};
use crate::format;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, text};
use crate::status::Cause;
use crate::value::{At, list_mut, set, set_default};
use k8s_openapi::api::discovery::v1 as discovery;
use serde_json::Value;
use std::collections::HashSet;

const SHOWN_MOST: usize = 3;
const ENDPOINTS_MOST: usize = 1000;

/// Endpoint slices.
pub struct EndpointSlice;

impl Kind for EndpointSlice {
    type Object = discovery::EndpointSlice;

    const INFO: KindInfo = KindInfo {
        group: "discovery.k8s.io",
        version: "v1",
        kind: "EndpointSlice",
        plural: "endpointslices",
        singular: "endpointslice",
        short_names: &[],
        categories: &[],
        namespaced: true,
        subresources: &[],
        counts_generations: true,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text(
            "AddressType",
            "addressType specifies the type of address carried by this EndpointSlice. All addresses in this slice must be the same type.",
        ),
        text(
            "Ports",
            "ports specifies the list of network ports exposed by each endpoint in this slice. Each port must have a unique name.",
        ),
        text(
            "Endpoints",
            "endpoints is a list of unique endpoints in this slice. Each slice may include a maximum of 1000 endpoints.",
        ),
        AGE,
    ];

    fn default(object: &mut Value) {
        for port in list_mut(object, "ports") {
            set_default(port, "name", "");
            set_default(port, "protocol", "TCP");
        }
    }

    fn prepare_update(object: &mut Value, old: &Value, _: Option<Subresource>) {
        let moved =
            ["endpoints", "ports", "addressType", "metadata.labels"].iter().any(|path| object.at(path) != old.at(path));
        if moved {
            let generation = old.int("metadata.generation").unwrap_or(0);
            set(object, "metadata.generation", generation.saturating_add(1));
        }
    }

    fn validate(object: &discovery::EndpointSlice) -> Vec<Cause> {
        let mut causes = Vec::new();
        let kind = object.address_type.as_str();
        match kind {
            "" => causes.push(Cause::required("addressType", "")),
            "IPv4" | "IPv6" | "FQDN" => {}
            other => causes.push(Cause::not_supported("addressType", other, &["FQDN", "IPv4", "IPv6"])),
        }
        let endpoints = object.endpoints.as_deref().unwrap_or(&[]);
        if endpoints.len() > ENDPOINTS_MOST {
            causes.push(Cause::too_many("endpoints", endpoints.len(), ENDPOINTS_MOST));
        }
        for (index, endpoint) in endpoints.iter().enumerate() {
            let at = format!("endpoints[{index}]");
            if endpoint.addresses.is_empty() {
                causes.push(Cause::required(format!("{at}.addresses"), "must contain at least 1 address"));
            }
            for (index, address) in endpoint.addresses.iter().enumerate() {
                causes.extend(self::address(kind, address, &format!("{at}.addresses[{index}]")));
            }
            if let Some(name) = endpoint.hostname.as_deref() {
                causes.extend(invalid_each(&format!("{at}.hostname"), name, format::dns_label(name)));
            }
        }
        let mut names = HashSet::new();
        for (index, port) in object.ports.iter().flatten().enumerate() {
            let at = format!("ports[{index}]");
            let name = port.name.as_deref().unwrap_or("");
            if !name.is_empty() {
                causes.extend(invalid_each(&format!("{at}.name"), name, format::dns_label(name)));
            }
            if !names.insert(name) {
                causes.push(Cause::duplicate(format!("{at}.name"), name));
            }
            if let Some(number) = port.port {
                for why in format::port_number(number) {
                    causes.push(Cause::invalid(format!("{at}.port"), number, why));
                }
            }
            let protocol = port.protocol.as_deref().unwrap_or("");
            if !["TCP", "UDP", "SCTP"].contains(&protocol) {
                causes.push(Cause::not_supported(format!("{at}.protocol"), protocol, &["TCP", "UDP", "SCTP"]));
            }
        }
        causes
    }

    fn validate_update(
        new: &discovery::EndpointSlice,
        old: &discovery::EndpointSlice,
        _: Option<Subresource>,
    ) -> Vec<Cause> {
        immutable("addressType", &new.address_type, &old.address_type)
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let ports = object.list("ports").iter().map(|port| match (port.int("port"), port.text("name")) {
            (Some(number), _) => number.to_string(),
            (None, "") => "*".to_owned(),
            (None, name) => name.to_owned(),
        });
        let addresses = object.list("endpoints").iter().flat_map(|endpoint| endpoint.list("addresses"));
        let addresses = addresses.filter_map(Value::as_str).map(str::to_owned);
        vec![
            columns::name(object),
            object.text("addressType").into(),
            shown(ports.collect()).into(),
            shown(addresses.collect()).into(),
            columns::age(object, now),
        ]
    }
}

fn address(kind: &str, address: &str, path: &str) -> Vec<Cause> {
    let fits = match kind {
        "IPv4" => address.parse::<std::net::Ipv4Addr>().is_ok(),
        "IPv6" => address.parse::<std::net::Ipv6Addr>().is_ok(),
        "FQDN" => return invalid_each(path, address, format::dns_subdomain(address)),
        _ => true,
    };
    if fits { Vec::new() } else { vec![Cause::invalid(path, address, format!("must be a valid {kind} address"))] }
}

fn shown(mut all: Vec<String>) -> String {
    if all.is_empty() {
        return "<unset>".to_owned();
    }
    let hidden = all.len().saturating_sub(SHOWN_MOST);
    all.truncate(SHOWN_MOST);
    let listed = all.join(",");
    if hidden == 0 { listed } else { format!("{listed} + {hidden} more...") }
}
