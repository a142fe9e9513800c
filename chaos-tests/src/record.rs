//! What a run on real processes has seen, as plain data: what verdicts and the report are made of.

use crate::invariants::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// A write through one master.
    Write,
    /// A read through one master.
    Read,
    /// HTTP through a node's port.
    NodePort,
    /// HTTP from a pod by a Service's address.
    ClusterIp,
    /// HTTP from a pod by a Service's name.
    Dns,
    /// A user's command through the virtual address.
    Kubectl,
}

impl Stream {
    /// All.
    pub const ALL: [Self; 6] = [Self::Write, Self::Read, Self::NodePort, Self::ClusterIp, Self::Dns, Self::Kubectl];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "writes",
            Self::Read => "reads",
            Self::NodePort => "HTTP by NodePort",
            Self::ClusterIp => "HTTP by ClusterIP",
            Self::Dns => "HTTP by DNS name",
            Self::Kubectl => "kubectl",
        }
    }

    /// It needs masters; the others need nodes and pods.
    pub fn is_api(self) -> bool {
        matches!(self, Self::Write | Self::Read | Self::Kubectl)
    }
}

/// One request and its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Of which kind.
    pub stream: Stream,
    /// Through which host; empty: through whichever answers.
    pub through: String,
    /// When it began.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// Why it failed.
    pub error: Option<String>,
}

impl Request {
    /// When it ended.
    pub fn ended(&self) -> Duration {
        self.at + self.took
    }
}

/// What a fault may disturb.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touch {
    /// Requests through these, or from their pods, may fail as long as it lasts.
    pub hosts: BTreeSet<String>,
    /// Requests to masters may fail for a moment when it begins and when it ends.
    pub api: bool,
    /// So may requests to pods.
    pub pods: bool,
    /// These hosts' agents are away, and with them the resolvers of names on those nodes; nothing else of a node is.
    pub names: bool,
}

/// A fault as it was done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Span {
    /// The fault's word.
    pub kind: String,
    /// In words, with the hosts that were hit.
    pub what: String,
    /// It hit the leader of that moment.
    pub leader: bool,
    /// When it began to be done.
    pub begun: Duration,
    /// When it was done.
    pub from: Duration,
    /// When it was healed; `None`: it could not be injected, or was not healed.
    pub until: Option<Duration>,
    /// What it may disturb.
    pub touch: Touch,
    /// Why it could not be injected or healed.
    pub error: Option<String>,
}

/// Who led, as a master said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// When it was asked.
    pub at: Duration,
    /// Which master said so.
    pub says: String,
    /// Who leads.
    pub leader: Option<String>,
    /// In which term.
    pub term: u64,
}

/// A pod as a watch told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodChange {
    /// When we heard of it.
    pub at: Duration,
    /// The change's revision.
    pub revision: u64,
    /// Its name.
    pub name: String,
    /// Its label `app`.
    pub app: String,
    /// Its node.
    pub node: String,
    /// It is gone.
    pub gone: bool,
    /// It is to go.
    pub deleting: bool,
    /// It is ready.
    pub ready: bool,
    /// Succeeded or Failed.
    pub ended: bool,
}

/// What a Deployment was told to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// When.
    pub at: Duration,
    /// So many pods.
    pub replicas: u32,
    /// A new template is rolled out, from a state in which all pods were ready.
    pub rollout: bool,
    /// That was reached at this moment.
    pub reached: Option<Duration>,
}

/// A line that a pod has written to the shared place.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When (the machine's clock).
    pub at: Duration,
    /// On which node.
    pub node: String,
    /// Which life of a container.
    pub life: String,
    /// What.
    pub word: String,
}

/// A Job as it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobEnd {
    /// Its name.
    pub name: String,
    /// So many runs were asked for.
    pub completions: u32,
    /// It is complete.
    pub complete: bool,
    /// Counted runs.
    pub succeeded: u32,
    /// Counted indexes, as the status has them.
    pub indexes: String,
    /// Runs not counted yet.
    pub uncounted: bool,
    /// Indexes whose end the pods wrote down.
    pub ran: BTreeSet<u32>,
}

/// Something that must be so at the end, asked after everything was healed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What.
    pub what: String,
    /// When it was so, after healing; `None`: never, as long as was waited.
    pub after: Option<Duration>,
    /// What was still wrong.
    pub last: String,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Operations, changes, views, leaderships.
    pub events: Vec<Event>,
    /// Requests.
    pub requests: Vec<Request>,
    /// Faults.
    pub spans: Vec<Span>,
    /// Leadership.
    pub leads: Vec<Lead>,
    /// Pods.
    pub pods: Vec<PodChange>,
    /// The Deployment's targets.
    pub targets: Vec<Target>,
    /// What pods wrote, by file.
    pub diaries: BTreeMap<String, Vec<Line>>,
    /// Jobs.
    pub jobs: Vec<JobEnd>,
    /// Full service.
    pub service: Vec<Service>,
    /// When everything was healed.
    pub healed: Option<Duration>,
    /// How many masters there are.
    pub masters: usize,
    /// What went wrong with a workload itself: a run with such a thing proves nothing.
    pub broken: Vec<String>,
    /// Worth saying.
    pub notes: Vec<String>,
}
