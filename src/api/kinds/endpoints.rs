//! `v1 Endpoints`.

use crate::cause::invalid_each;
use crate::format;
use crate::kind::{Column, Kind, KindInfo};
use crate::kinds::columns::{self, AGE, NAME, text};
use crate::status::Cause;
use crate::value::{At, list_mut, set_default};
use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

const SHOWN_MOST: usize = 3;

/// Endpoints.
pub struct Endpoints;

impl Kind for Endpoints {
    type Object = core::Endpoints;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "Endpoints",
        plural: "endpoints",
        singular: "endpoints",
        short_names: &["ep"],
        categories: &[],
        namespaced: true,
        subresources: &[],
        counts_generations: false,
    };

    const CREATES_ON_UPDATE: bool = true;

    const COLUMNS: &'static [Column] =
        &[NAME, text("Endpoints", "The set of all endpoints is the union of all subsets."), AGE];

    fn default(object: &mut Value) {
        for subset in list_mut(object, "subsets") {
            for port in list_mut(subset, "ports") {
                set_default(port, "protocol", "TCP");
            }
        }
    }

    fn validate(object: &core::Endpoints) -> Vec<Cause> {
        let mut causes = Vec::new();
        for (index, subset) in object.subsets.iter().flatten().enumerate() {
            let at = format!("subsets[{index}]");
            let (ready, waiting) = (&subset.addresses, &subset.not_ready_addresses);
            if ready.as_ref().is_none_or(Vec::is_empty) && waiting.as_ref().is_none_or(Vec::is_empty) {
                causes.push(Cause::required(&at, "must specify `addresses` or `notReadyAddresses`"));
            }
            for (list, field) in [(ready, "addresses"), (waiting, "notReadyAddresses")] {
                for (index, address) in list.iter().flatten().enumerate() {
                    causes.extend(validate_address(address, &format!("{at}.{field}[{index}]")));
                }
            }
            let ports = subset.ports.as_deref().unwrap_or(&[]);
            for (index, port) in ports.iter().enumerate() {
                let at = format!("{at}.ports[{index}]");
                let name = port.name.as_deref().unwrap_or("");
                if !name.is_empty() {
                    causes.extend(invalid_each(&format!("{at}.name"), name, format::dns_label(name)));
                } else if ports.len() > 1 {
                    causes.push(Cause::required(format!("{at}.name"), ""));
                }
                for why in format::port_number(port.port) {
                    causes.push(Cause::invalid(format!("{at}.port"), port.port, why));
                }
                let protocol = port.protocol.as_deref().unwrap_or("");
                if !["TCP", "UDP", "SCTP"].contains(&protocol) {
                    causes.push(Cause::not_supported(format!("{at}.protocol"), protocol, &["TCP", "UDP", "SCTP"]));
                }
            }
        }
        causes
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        vec![columns::name(object), shown(object).into(), columns::age(object, now)]
    }
}

fn validate_address(address: &core::EndpointAddress, path: &str) -> Vec<Cause> {
    let at = format!("{path}.ip");
    let mut causes = invalid_each(&at, &address.ip, format::ip(&address.ip));
    if let Ok(ip) = address.ip.parse::<std::net::IpAddr>() {
        let link_local = matches!(ip, std::net::IpAddr::V4(ip) if ip.is_link_local());
        for (bad, why) in [
            (ip.is_unspecified(), "may not be unspecified (0.0.0.0 or ::)"),
            (ip.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
            (link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ] {
            if bad {
                causes.push(Cause::invalid(&at, address.ip.as_str(), why));
            }
        }
    }
    if let Some(name) = address.hostname.as_deref().filter(|name| !name.is_empty()) {
        causes.extend(invalid_each(&format!("{path}.hostname"), name, format::dns_label(name)));
    }
    causes
}

/// Ready addresses with ports, three at most.
fn shown(object: &Value) -> String {
    let subsets = object.list("subsets");
    if subsets.is_empty() {
        return columns::NONE.to_owned();
    }
    let mut all = Vec::new();
    for subset in subsets {
        let addresses: Vec<&str> = subset.list("addresses").iter().map(|address| address.text("ip")).collect();
        let ports = subset.list("ports");
        if ports.is_empty() {
            all.extend(addresses.iter().map(|ip| (*ip).to_owned()));
        }
        for port in ports {
            let port = port.int("port").unwrap_or(0);
            all.extend(
                addresses.iter().map(
                    |ip| {
                        if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
                    },
                ),
            );
        }
    }
    let hidden = all.len().saturating_sub(SHOWN_MOST);
    all.truncate(SHOWN_MOST);
    let listed = all.join(",");
    if hidden == 0 { listed } else { format!("{listed} + {hidden} more...") }
}
