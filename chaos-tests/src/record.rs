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
    /// A command of our own CLI, which knows all masters.
    Cli,
    /// A write through the virtual address, most on a connection of its own.
    Vip,
}

impl Stream {
    /// All.
    pub const ALL: [Self; 8] =
        [Self::Write, Self::Read, Self::Vip, Self::NodePort, Self::ClusterIp, Self::Dns, Self::Kubectl, Self::Cli];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "writes",
            Self::Read => "reads",
            Self::NodePort => "HTTP by NodePort",
            Self::ClusterIp => "HTTP by ClusterIP",
            Self::Dns => "HTTP by DNS name",
            Self::Kubectl => "kubectl",
            Self::Cli => "our CLI",
            Self::Vip => "writes by virtual address",
        }
    }

    /// Whoever leads answers it, and nobody else.
    pub fn is_virtual(self) -> bool {
        matches!(self, Self::Kubectl | Self::Vip)
    }

    /// Pods ask.
    pub fn is_from_pods(self) -> bool {
        matches!(self, Self::ClusterIp | Self::Dns)
    }

    /// It needs masters; the others need nodes and pods.
    pub fn is_api(self) -> bool {
        matches!(self, Self::Write | Self::Read | Self::Kubectl | Self::Cli | Self::Vip)
    }
}

/// One request and its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Of which kind.
    pub stream: Stream,
    /// Through which host; empty: through whichever answers.
    pub through: String,
    /// The client that sent it on the connection that it keeps; `None`: on a new one, or it was never sent.
    pub keeps: Option<u64>,
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
    /// Nodes among these hosts may say nothing to the masters, which then take them for lost.
    pub silent: bool,
    /// These hosts work on, slowly: a leader among them stays in office, and others wait for it.
    pub slow: bool,
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
    /// Whom it hits says nothing more to any other host, from its beginning on.
    pub silences: bool,
    /// When it began to be done.
    pub begun: Duration,
    /// When it was done.
    pub from: Duration,
    /// When it was healed; `None`: it could not be injected, or was not healed.
    pub until: Option<Duration>,
    /// When the hosts that it hit were at work again after that, as far as that was waited for.
    pub ready: Option<Duration>,
    /// What it may disturb.
    pub touch: Touch,
    /// The hosts that it was done to.
    pub hit: BTreeSet<String>,
    /// Why it could not be injected or healed.
    pub error: Option<String>,
    /// Why there was nothing to hit: it was not done at all.
    pub skipped: Option<String>,
}

impl Span {
    /// When its hosts were at work again; never, if it was not healed.
    pub fn over(&self) -> Duration {
        self.until.map_or(Duration::MAX, |until| self.ready.map_or(until, |ready| ready.max(until)))
    }
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodChange {
    /// When we heard of it.
    pub at: Duration,
    /// The change's revision.
    pub revision: u64,
    /// Its name.
    pub name: String,
    /// Which of those that had this name.
    pub uid: String,
    /// Its label `app`.
    pub app: String,
    /// Its node.
    pub node: String,
    /// How often its containers were restarted.
    pub restarts: u64,
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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobEnd {
    /// Its name.
    pub name: String,
    /// So many runs were asked for.
    pub completions: u32,
    /// Each run has an index.
    pub indexed: bool,
    /// It is complete.
    pub complete: bool,
    /// Counted runs.
    pub succeeded: u32,
    /// Counted indexes, as the status has them.
    pub indexes: String,
    /// Runs not counted yet.
    pub uncounted: bool,
    /// What the pods of each index wrote down at their ends; without indexes all are the first's.
    pub ran: BTreeMap<u32, Vec<Line>>,
}

/// Something new that was asked for when a leader was hit: a ReplicaSet of one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Which of the record's faults hit the leader.
    pub fault: usize,
    /// When it was asked for.
    pub at: Duration,
    /// When it was acknowledged.
    pub acknowledged: Option<Duration>,
    /// When the pod was seen to have a node.
    pub bound: Option<Duration>,
}

/// What a command of our CLI that goes on and on has printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// The command.
    pub what: String,
    /// Whom it needs beside the masters; empty: nobody.
    pub host: String,
    /// What it told, in order.
    pub told: Vec<Told>,
    /// When it ended by itself, and why.
    pub ended: Option<(Duration, String)>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A change of a register.
    Change {
        /// At which revision.
        revision: u64,
        /// Which register.
        key: String,
        /// What it holds.
        value: u64,
    },
    /// A counted line of a log.
    Line {
        /// Of which life of the container.
        life: String,
        /// Which.
        number: u64,
    },
    /// Something else.
    Odd(String),
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
    /// New things asked for when leaders were hit.
    pub beats: Vec<Beat>,
    /// Commands that go on.
    pub followed: Vec<Followed>,
    /// Of those names, which a volume of a node's own holds there.
    pub tied: BTreeSet<String>,
    /// Identities must have moved by the end.
    pub must_move: bool,
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
