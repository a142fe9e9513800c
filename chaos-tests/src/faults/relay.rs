//! Frames from one interface to another, some time later. The kernel's netem does this better, where it is to be had.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvfrom, send, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The largest frame of a link without offloads, and more.
const FRAME: usize = 65_536;
/// linux/if_packet.h: a frame that we have sent ourselves.
const OUTGOING: u8 = 4;

/// Both directions between two interfaces.
pub(super) struct Relay {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A socket that hears and sends every frame of an interface.
fn port(name: &str) -> Result<OwnedFd> {
    let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
        .context("packet socket")?;
    let mut all = nix::ifaddrs::getifaddrs().context("interfaces")?;
    let address: LinkAddr = all
        .find_map(|entry| entry.address.filter(|_| entry.interface_name == name)?.as_link_addr().copied())
        .with_context(|| format!("interface {name}"))?;
    bind(fd.as_raw_fd(), &address).with_context(|| format!("listen on {name}"))?;
    // So that it sees that it is over.
    setsockopt(&fd, ReceiveTimeout, &TimeVal::milliseconds(100)).context("timeout")?;
    Ok(fd)
}

type Late = (Instant, Vec<u8>);

fn hear(fd: &OwnedFd, queue: &Sender<Late>, delay: Duration, over: &AtomicBool) {
    let mut buffer = vec![0; FRAME];
    let begun = Instant::now();
    while !over.load(Ordering::Relaxed) {
        match recvfrom::<LinkAddr>(fd.as_raw_fd(), &mut buffer) {
            Ok((_, Some(from))) if from.pkttype() == OUTGOING => {}
            Ok((length, _)) => {
                // It varies slowly, so that frames keep their order.
                let wave = 0.8 + 0.2 * (begun.elapsed().as_secs_f64() / 2.0).sin();
                let frame = buffer.get(..length).unwrap_or_default().to_vec();
                if queue.send((Instant::now() + delay.mul_f64(wave), frame)).is_err() {
                    return;
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // The interface is down or gone: nothing more to hear for now.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn say(fd: &OwnedFd, queue: &Receiver<Late>) {
    while let Ok((due, frame)) = queue.recv() {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // A frame that cannot be sent is lost, as on any wire.
        let _ = send(fd.as_raw_fd(), &frame, MsgFlags::empty());
    }
}

impl Relay {
    pub(super) fn between(one: &str, other: &str, delay: Duration) -> Result<Self> {
        let ports = [Arc::new(port(one)?), Arc::new(port(other)?)];
        let over = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (from, to) in [(0, 1), (1, 0)] {
            let (sender, receiver) = channel();
            let (ear, mouth, ended) = (Arc::clone(&ports[from]), Arc::clone(&ports[to]), Arc::clone(&over));
            threads.push(std::thread::spawn(move || hear(&ear, &sender, delay, &ended)));
            threads.push(std::thread::spawn(move || say(&mouth, &receiver)));
        }
        Ok(Self { over, threads })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It ends by itself.
            let _ = thread.join();
        }
    }
}
