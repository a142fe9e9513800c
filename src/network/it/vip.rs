//! The control plane's virtual address on a real link.

use crate::lab::{Lab, OUTSIDE};
use futures::TryStreamExt;
use raftsman_network::LinkAddress;
use raftsman_network::border::{NetworkError, VirtualAddress};
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::LinkAttribute;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 10);
const LIFETIME: Duration = Duration::from_secs(2);
/// The kernel looks at lifetimes in whole seconds, and this machine may be busy.
const SLACK: Duration = Duration::from_millis(2500);

static SENT: Mutex<Vec<(u32, Vec<u8>)>> = Mutex::new(Vec::new());

fn send(link: u32, frame: &[u8]) -> std::io::Result<()> {
    SENT.lock().unwrap().push((link, frame.to_vec()));
    Ok(())
}

/// The index of the link that carries the address.
async fn carrier(handle: &rtnetlink::Handle) -> Option<u32> {
    let all: Vec<_> = handle.address().get().execute().try_collect().await.unwrap();
    let ours =
        |attribute: &AddressAttribute| matches!(attribute, AddressAttribute::Local(IpAddr::V4(ip)) if *ip == VIP);
    all.iter().find(|message| message.attributes.iter().any(ours)).map(|message| message.header.index)
}

async fn mac(handle: &rtnetlink::Handle, link: u32) -> Vec<u8> {
    let found = handle.link().get().match_index(link).execute().try_next().await.unwrap().unwrap();
    let mac = found.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(mac) => Some(mac.clone()),
        _ => None,
    });
    mac.unwrap()
}

async fn story() {
    let (connection, handle, _) = rtnetlink::new_connection().unwrap();
    tokio::spawn(connection);
    let vip = LinkAddress::new(VIP.into(), OUTSIDE.into(), send).await.unwrap();
    assert_eq!(carrier(&handle).await, None, "nothing is changed yet");
    vip.hold(LIFETIME).await.unwrap();
    let link = carrier(&handle).await.expect("the address is held");
    // Renewed, it outlives its first lifetime.
    let mut held = Instant::now();
    for _ in 0..3 {
        tokio::time::sleep(LIFETIME / 2).await;
        held = Instant::now();
        vip.hold(LIFETIME).await.unwrap();
        assert_eq!(carrier(&handle).await, Some(link));
    }
    // Not renewed, it vanishes by itself, and not before its time.
    while carrier(&handle).await.is_some() {
        assert!(held.elapsed() < LIFETIME + SLACK, "the address stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(held.elapsed() + Duration::from_millis(100) >= LIFETIME, "it went after {:?}", held.elapsed());
    // Announced with the link's own hardware address, and released at once.
    vip.hold(LIFETIME * 30).await.unwrap();
    vip.announce().await.unwrap();
    let sent = std::mem::take(&mut *SENT.lock().unwrap());
    let [(at, frame)] = sent.as_slice() else { panic!("{sent:?}") };
    let mac = mac(&handle, link).await;
    assert_eq!((*at, &frame[..6], &frame[6..12]), (link, &[0xff; 6][..], &mac[..]));
    assert_eq!((&frame[28..32], &frame[38..42]), (&VIP.octets()[..], &VIP.octets()[..]));
    vip.release().await.unwrap();
    assert_eq!(carrier(&handle).await, None);
    vip.release().await.unwrap();
    vip.hold(LIFETIME).await.unwrap();
    assert_eq!(carrier(&handle).await, Some(link), "it comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_lasts_while_it_is_renewed() {
    let lab = Lab::new(0).await;
    lab.outside.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(story());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_carried_is_refused_with_a_reason() {
    let v6: IpAddr = "fd00::1".parse().unwrap();
    for (address, beside, what) in
        [(v6, OUTSIDE.into(), "the address fd00::1"), (VIP.into(), v6, "host's address fd00::1")]
    {
        match LinkAddress::new(address, beside, send).await.map(|_| ()) {
            Err(NetworkError::Invalid(text)) => assert!(text.contains(what) && text.contains("IPv4 only"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    let lab = Lab::new(0).await;
    let error = lab.outside.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let nowhere = LinkAddress::new(VIP.into(), "192.0.2.9".parse().unwrap(), send).await.unwrap();
            nowhere.hold(LIFETIME).await.unwrap_err().to_string()
        })
    });
    assert!(error.contains("no interface has this host's address 192.0.2.9"), "{error}");
}
