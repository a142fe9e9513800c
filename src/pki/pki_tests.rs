#![allow(clippy::unwrap_used)]

use super::*;
use raftsman_api::config::Role;
use std::os::unix::fs::PermissionsExt;
use x509_parser::prelude::*;

fn profile(roles: &[Role]) -> HostProfile {
    HostProfile {
        name: "m1".to_owned(),
        roles: roles.to_vec(),
        addresses: vec!["10.89.0.11".parse().unwrap()],
        kubernetes: Some("10.96.0.1".parse().unwrap()),
        domain: "cluster.local".to_owned(),
        extra: vec!["api.example.org".to_owned(), "10.89.0.11".to_owned()],
    }
}

#[test]
fn a_masters_certificate_names_what_clients_dial() {
    let authority = Authority::generate("local").unwrap();
    let issued = authority.issue_host(&profile(&[Role::Master])).unwrap();
    let (_, pem) = parse_x509_pem(issued.certificate.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let mut names: Vec<String> = Vec::new();
    for name in &certificate.subject_alternative_name().unwrap().unwrap().value.general_names {
        match name {
            GeneralName::DNSName(dns) => names.push((*dns).to_owned()),
            GeneralName::IPAddress(ip) => names.push(ip.iter().map(u8::to_string).collect::<Vec<_>>().join(".")),
            other => unreachable!("{other:?}"),
        }
    }
    names.sort();
    let mut wanted = vec![
        "10.89.0.11",
        "10.96.0.1",
        "127.0.0.1",
        "api.example.org",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "m1",
    ];
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    assert_eq!(certificate.subject().to_string(), "O=raftsman:masters, CN=raftsman:master:m1");
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && usage.client_auth);

    let (_, ca) = parse_x509_pem(authority.certificate().as_bytes()).unwrap();
    let ca = ca.parse_x509().unwrap();
    assert!(ca.is_ca());
    assert_eq!(certificate.issuer(), ca.subject());
    let years = (ca.validity().not_after.timestamp() - ca.validity().not_before.timestamp()) / (365 * 24 * 3600);
    assert_eq!(years, 10);
}

#[test]
fn a_host_that_is_both_has_two_organisations_and_the_nodes_name() {
    let authority = Authority::generate("local").unwrap();
    let issued = authority.issue_host(&profile(&[Role::Master, Role::Node])).unwrap();
    let (_, pem) = parse_x509_pem(issued.certificate.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let organisations: Vec<&str> = certificate.subject().iter_organization().map(|o| o.as_str().unwrap()).collect();
    assert_eq!(organisations, ["raftsman:masters", "system:nodes"]);
    assert_eq!(certificate.subject().iter_common_name().next().unwrap().as_str().unwrap(), "system:node:m1");
}

#[test]
fn a_node_gets_no_key_that_signs_and_keys_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(&dir.path().join("ca"), "local").unwrap();
    let again = Authority::open(&dir.path().join("ca"), "local").unwrap();
    assert_eq!(authority.certificate(), again.certificate());
    authority.write_host(dir.path(), &profile(&[Role::Node])).unwrap();
    assert!(!dir.path().join("ca.key").exists() && !dir.path().join("sa.key").exists());
    for key in ["host.key", "ca/ca.key", "ca/sa.key"] {
        let mode = std::fs::metadata(dir.path().join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[test]
fn a_host_gets_a_certificate_for_its_own_key_and_no_more_than_its_due() {
    let authority = Authority::generate("local").unwrap();
    let host = HostKey::generate("m4").unwrap();
    let certificate = authority.sign_host(&host.request, &profile(&[Role::Master])).unwrap();
    let (_, pem) = parse_x509_pem(certificate.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    assert_eq!(certificate.subject().to_string(), "O=raftsman:masters, CN=raftsman:master:m1");
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && usage.client_auth && !certificate.is_ca());
    let again = HostKey::with_key("m4", &host.key).unwrap();
    assert_eq!(key_of_request(&host.request).unwrap(), key_of_request(&again.request).unwrap());
    assert_ne!(
        key_of_request(&host.request).unwrap(),
        key_of_request(&HostKey::generate("m4").unwrap().request).unwrap()
    );
}

#[test]
fn a_request_whose_signature_is_another_keys_is_refused() {
    let authority = Authority::generate("local").unwrap();
    let host = HostKey::generate("m4").unwrap();
    let (_, pem) = parse_x509_pem(host.request.as_bytes()).unwrap();
    let mut der = pem.contents.clone();
    let last = der.len() - 1;
    der[last] ^= 1;
    let text = pem_text(&der);
    assert!(authority.sign_host(&text, &profile(&[Role::Master])).is_err());
    assert!(key_of_request("nonsense").is_err());
}

fn pem_text(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE REQUEST-----\n");
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in der.chunks(3) {
        let mut bytes = [0u8; 3];
        bytes[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for at in 0..4 {
            let six = (bits >> (18 - 6 * at)) & 63;
            text.push(if at <= chunk.len() { alphabet[six as usize] as char } else { '=' });
        }
    }
    text + "\n-----END CERTIFICATE REQUEST-----\n"
}

#[test]
fn an_authority_is_known_by_its_key() {
    let (one, other) = (Authority::generate("a").unwrap(), Authority::generate("a").unwrap());
    let pinned = pin(one.certificate()).unwrap();
    assert_eq!(pinned.len(), 64);
    assert_ne!(pinned, pin(other.certificate()).unwrap());
    let left = days_left(one.certificate(), jiff::Timestamp::now().as_second()).unwrap();
    assert!((3648..=3650).contains(&left), "{left}");
}
