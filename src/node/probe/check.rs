//! Asks once.

use super::grpc;
use super::http::{Get, fetch, get};
use super::{Outcome, Target};
use bytes::Bytes;
use raftsman_runtime::border::{AttachIo, ExecRequest, Pods};
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;

const MOST_OUTPUT: usize = 10 * 1024;

/// One question to one container, without a time limit of its own.
pub async fn check(pods: &dyn Pods, uid: &str, container: &str, pod_ip: Option<IpAddr>, target: &Target) -> Outcome {
    match target {
        Target::Exec(command) => exec(pods, uid, container, command).await,
        Target::Tcp { host, port } => match address(host.as_deref(), pod_ip, *port).await {
            Ok(address) => match TcpStream::connect(address).await {
                Ok(_) => Outcome::Success,
                Err(error) => Outcome::Failure(format!("dial tcp {address}: connect: {error}")),
            },
            Err(error) => Outcome::Failure(error),
        },
        Target::Http { .. } => match http(pod_ip, target).await {
            Ok(question) => get(question).await,
            Err(error) => Outcome::Failure(error),
        },
        Target::Grpc { port, service } => match address(None, pod_ip, *port).await {
            Ok(address) => grpc::check(address, service).await,
            Err(error) => Outcome::Failure(error),
        },
    }
}

/// Does what a hook is to do. Unlike a probe it is content with any answer.
pub async fn tell(
    pods: &dyn Pods,
    uid: &str,
    container: &str,
    pod_ip: Option<IpAddr>,
    target: &Target,
) -> Result<(), String> {
    if let Target::Http { .. } = target {
        return fetch(http(pod_ip, target).await?).await.map(drop);
    }
    match check(pods, uid, container, pod_ip, target).await {
        Outcome::Success => Ok(()),
        Outcome::Failure(error) => Err(error),
    }
}

async fn http(pod_ip: Option<IpAddr>, target: &Target) -> Result<Get<'_>, String> {
    let Target::Http { host, port, path, https, headers } = target else {
        return Err("it is no HTTP request".to_owned());
    };
    let address = address(host.as_deref(), pod_ip, *port).await?;
    let host = host.as_ref().map_or_else(|| address.to_string(), |host| format!("{host}:{port}"));
    Ok(Get { address, host, path, https: *https, headers })
}

async fn address(host: Option<&str>, pod_ip: Option<IpAddr>, port: u16) -> Result<SocketAddr, String> {
    match (host, pod_ip) {
        (Some(host), _) => {
            let mut found = lookup_host((host, port)).await.map_err(|error| format!("lookup {host}: {error}"))?;
            found.next().ok_or_else(|| format!("lookup {host}: no such host"))
        }
        (None, Some(ip)) => Ok(SocketAddr::new(ip, port)),
        (None, None) => Err("the pod has no address yet".to_owned()),
    }
}

async fn exec(pods: &dyn Pods, uid: &str, container: &str, command: &[String]) -> Outcome {
    let (sender, mut output) = mpsc::channel::<Bytes>(16);
    let request = ExecRequest { container: container.to_owned(), command: command.to_vec(), tty: false };
    let io = AttachIo { stdin: None, stdout: Some(sender.clone()), stderr: Some(sender), resize: None };
    let collect = async move {
        let mut text = Vec::new();
        while let Some(bytes) = output.recv().await {
            let room = MOST_OUTPUT.saturating_sub(text.len());
            text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        String::from_utf8_lossy(&text).trim_end().to_owned()
    };
    let (code, text) = tokio::join!(pods.exec(uid, request, io), collect);
    match code {
        Ok(0) => Outcome::Success,
        Ok(code) if text.is_empty() => Outcome::Failure(format!("command exited with code {code}")),
        Ok(_) => Outcome::Failure(text),
        Err(error) => Outcome::Failure(error.to_string()),
    }
}
