//! The steps, in order. Each begins where the last ended, and leaves nothing behind but what the next needs.

mod backup;
mod bad_input;
mod cli;
mod control;
mod diary;
mod expired;
mod failover;
mod fencing;
mod history;
mod job;
mod keeper;
mod learners;
mod local;
mod machine;
mod masters;
mod members;
mod network;
mod node;
mod node_loss;
mod poller;
mod raw;
mod registry;
mod sample;
mod scheduling;
mod stateful_set;
mod storage;
mod upgrade;
mod vip;
mod watching;

use crate::cluster::Cluster;
use crate::figures::Figures;
use anyhow::Result;

/// A step.
pub type Step = fn(&Cluster, &mut Figures) -> Result<()>;

/// The image of the small pods: built from Debian's busybox.
pub(crate) const BUSYBOX: &str = "raftsman.local/busybox:1";

/// Steps that one cluster takes one after the other, beside other lanes on clusters of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// What a cluster does whose hosts live.
    Life,
    /// Masters die.
    Deaths,
    /// Nodes and pods die, and masters while something is waited for.
    Losses,
    /// Nodes are cut off for longer than their pods may run; everything is lost and comes back.
    Fencing,
}

impl Lane {
    /// As the command line names it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "life" => Some(Self::Life),
            "deaths" => Some(Self::Deaths),
            "losses" => Some(Self::Losses),
            "fence" => Some(Self::Fencing),
            _ => None,
        }
    }

    /// Its steps with their names.
    pub fn steps(self) -> Vec<(&'static str, Step)> {
        match self {
            Self::Life => life(),
            Self::Deaths => deaths(),
            Self::Losses => losses(),
            Self::Fencing => fencing(),
        }
    }
}

/// All steps with their names.
pub fn all() -> Vec<(&'static str, Step)> {
    [Lane::Life, Lane::Deaths, Lane::Losses, Lane::Fencing].into_iter().flat_map(Lane::steps).collect()
}

fn life() -> Vec<(&'static str, Step)> {
    vec![
        ("masters: every kind through every master", masters::kinds),
        ("masters: every kind by every verb through every master", masters::table),
        ("masters: edit, patches, watch", masters::changes),
        ("history: below its floor there is 410, and a way on", expired::below_the_floor),
        ("masters: a broken manifest is refused whole", bad_input::manifests),
        ("node: a pod runs, logs, exec, describe", node::a_pod),
        ("node: exit codes, restarts, limits, volumes", node::lives),
        ("node: an image that is not there", bad_input::images),
        ("node: the agent is killed and no container notices", node::agent_killed),
        ("control: deployments roll out and back", control::deployment),
        ("control: replicas, adoption, collection of garbage", control::replicas),
        ("control: a pod that fits nowhere says why", scheduling::unschedulable),
        ("control: replicas are spread over the nodes", scheduling::spread),
        ("statefulset: names, order, updates", stateful_set::life),
        ("storage: claims, volumes, directories", storage::claims),
        ("job: completions, indexes, limits, policies", job::life),
        ("network: services, DNS, hairpin, node ports", network::services),
        ("network: check says what works", network::check),
        ("cli: our own verbs", cli::verbs),
        ("sample: two tiers answer through every node", sample::answers),
    ]
}

fn deaths() -> Vec<(&'static str, Step)> {
    vec![
        ("members: leadership goes where it is sent", members::transfer),
        ("members: masters join, are replaced, and go", members::come_and_go),
        ("members: one that only learns serves, votes, and goes", learners::life),
        ("history: lists and watches go on at another master", history::goes_on),
        ("failover: masters are killed", failover::masters),
        ("rolling: all masters start again and no request fails", vip::rolling),
        ("upgrade: another program on every master, and no request fails", upgrade::all_masters),
        ("local: status, kubeconfig, and up heals what is down", local::life),
        ("local: a machine that will not do is told so in one line", local::bad_machines),
    ]
}

fn losses() -> Vec<(&'static str, Step)> {
    vec![
        ("job: a leader and a pod are killed", job::disturbed),
        ("cli: watches and logs outlive a master", cli::outlives),
        ("vip: the address goes where the leadership goes", vip::moves),
        ("statefulset: a lost node keeps its identity", stateful_set::lost_node),
        ("node loss: pods move, the Service forgets the dead", node_loss::moves),
        ("node loss: a node is deleted, and comes back", node_loss::deleted),
    ]
}

fn fencing() -> Vec<(&'static str, Step)> {
    vec![
        ("fencing: a node is cut off, and nothing runs twice", fencing::cut_off),
        ("fencing: a member of a StatefulSet is given away", fencing::member_given_away),
        ("fencing: all masters are down, and nothing is restarted or moved", fencing::no_masters),
        ("fencing: an overloaded node is not declared dead", fencing::overloaded),
        ("fencing: a power cut of everything", fencing::power_cut),
        ("backup: a new cluster from a file", backup::restored),
        ("backup: a lost quorum is recovered from one master", backup::recovered),
    ]
}

/// A pod that sleeps, or runs what `command` says, as a manifest.
pub(crate) fn pod(name: &str, command: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","labels":{{"app":"{name}"}}}},"spec":{{"terminationGracePeriodSeconds":1,"containers":[{{"name":"main","image":"{BUSYBOX}","command":["sh","-c",{command:?}]}}]}}}}"#
    )
}
