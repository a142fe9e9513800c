//! Requests to one master, without moving on to another: what a test needs to know who said what.

use crate::cluster::Cluster;
use anyhow::{Result, ensure};
use futures::AsyncBufRead;
use futures::AsyncBufReadExt as _;
use futures::io::Lines;
use http::{Method, Request};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use raftsman_cli::connect::{Cluster as Connection, Unanswered};
use raftsman_cli::kubeconfig::{Access, Target};
use serde_json::Value;
use std::pin::Pin;
use std::time::Duration;

/// Longer than anything takes on a machine that has too much to do. How long nobody was answered is judged apart.
const PATIENCE: Duration = Duration::from_secs(8);

/// The masters.
#[derive(Clone)]
pub struct Api {
    connection: Connection,
    names: Vec<String>,
    /// To whoever has the virtual address.
    address: Config,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A master answered.
    Said(u16, Value),
    /// It was certainly not carried out: no connection was made.
    NotSent(String),
    /// Nobody knows.
    Lost(String),
}

/// Lines of a watch.
pub type WatchLines = Lines<Pin<Box<dyn AsyncBufRead + Send>>>;

impl Api {
    /// To a cluster's masters, by the admin's kubeconfig.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn open(cluster: &Cluster) -> Result<Self> {
        let kubeconfig = Some(cluster.dir().join("admin.kubeconfig"));
        let access = Access::find(&Target { kubeconfig, ..Target::default() }).await?;
        let connection = Connection::of(&access)?;
        let mut names = Vec::new();
        for server in connection.masters().servers() {
            let host = server.host().unwrap_or_default();
            let named = cluster.masters().into_iter().find(|name| cluster.address(name).is_ok_and(|ip| ip == host));
            names.extend(named.map(str::to_owned));
        }
        let host = access.config.cluster_url.host().unwrap_or_default();
        let of_a_master = |name: &&str| cluster.address(name).is_ok_and(|ip| ip == host);
        ensure!(!cluster.masters().iter().any(of_a_master), "the kubeconfig knows no virtual address");
        Ok(Self { connection, names, address: access.config })
    }

    /// A client of the virtual address, without a connection yet.
    ///
    /// # Errors
    /// The credentials do not serve.
    pub fn at_address(&self) -> Result<Client> {
        Ok(ClientBuilder::try_from(self.address.clone())?.build())
    }

    /// Their names, in the order of their numbers here.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Asks one.
    pub async fn ask(&self, at: usize, method: Method, path: &str, body: Option<&Value>) -> Answer {
        match self.connection.masters().client(at) {
            Some(client) => ask(client, method, path, body).await,
            None => Answer::NotSent("there is no such master".to_owned()),
        }
    }

    /// Reads from one; it must answer with success.
    ///
    /// # Errors
    /// It does not.
    pub async fn get(&self, at: usize, path: &str) -> Result<Value> {
        match self.ask(at, Method::GET, path, None).await {
            Answer::Said(200..=299, value) => Ok(value),
            other => anyhow::bail!("{path} of {}: {}", self.name(at), other.words()),
        }
    }

    /// Its name.
    pub fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("?", String::as_str)
    }

    /// Begins a watch at one.
    ///
    /// # Errors
    /// The code and what it said; 0 if nothing came back.
    pub async fn watch(&self, at: usize, path: &str) -> Result<WatchLines, (u16, String)> {
        let begun = async {
            let odd = |why: String| (0, why);
            let client = self.connection.masters().client(at).ok_or_else(|| odd("no such master".to_owned()))?;
            let request = Request::get(path).body(Vec::new()).map_err(|error| odd(error.to_string()))?;
            match client.request_stream(request).await {
                Ok(read) => {
                    let read: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(read);
                    Ok(read.lines())
                }
                Err(kube::Error::Api(status)) => Err((status.code, status.message.clone())),
                Err(error) => Err(odd(Unanswered::of(&error).to_string())),
            }
        };
        tokio::time::timeout(PATIENCE, begun).await.unwrap_or_else(|_| Err((0, "no answer".to_owned())))
    }
}

/// Asks whomever a client is connected to.
pub async fn ask(client: &Client, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let sent = async {
        let mut request = Request::builder().method(&method).uri(path).header("accept", "application/json");
        if body.is_some() {
            let patch = method == Method::PATCH;
            let kind = if patch { "application/merge-patch+json" } else { "application/json" };
            request = request.header("content-type", kind);
        }
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let Ok(request) = request.body(Body::from(bytes)) else {
            return Answer::NotSent(format!("{path} is no path"));
        };
        let answer = match client.send(request).await {
            Ok(answer) => answer,
            Err(error) => {
                return match Unanswered::of(&error) {
                    // Nobody listened, so nobody read it.
                    why @ Unanswered::Refused => Answer::NotSent(why.to_string()),
                    why => Answer::Lost(why.to_string()),
                };
            }
        };
        let code = answer.status().as_u16();
        match answer.into_body().collect_bytes().await {
            Ok(bytes) => Answer::Said(code, serde_json::from_slice(&bytes).unwrap_or_else(|_| text(&bytes))),
            Err(error) => Answer::Lost(format!("the answer broke off: {error}")),
        }
    };
    let late = || Answer::Lost(format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, sent).await.unwrap_or_else(|_| late())
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

impl Answer {
    /// It went over a connection.
    pub fn sent(&self) -> bool {
        !matches!(self, Self::NotSent(_))
    }

    /// For people.
    pub fn words(&self) -> String {
        match self {
            Self::Said(code, value) => match value["message"].as_str().or(value.as_str()) {
                Some(message) => format!("{code}: {message}"),
                None => code.to_string(),
            },
            Self::NotSent(why) | Self::Lost(why) => why.clone(),
        }
    }
}
