//! How a member whose log is empty begins.
//!
//! It asks all other masters that it knows of what they know, and goes on asking until it may decide. It knows of those in
//! its configuration, of those that it once wrote down outside of its data directory ([`crate::register`]), and of those in
//! the newest membership that it is told of.
//!
//! - **Nobody has a log, and everybody answered**: the cluster is new. The first of the configured members initializes it,
//!   with all of them and with a lineage of its own drawing ([`crate::lineage`]), so that what is formed twice by whatever
//!   mistake never mixes. The others join in. A member that joined a cluster later never forms one: its list is another one.
//!   Nor does one that has written down that its cluster was formed: those who hold the data are silent, or it is lost.
//! - **Somebody has only the first entry, nobody more, and everybody answered**: the cluster is being formed right now; the
//!   member joins in. A silent one might have more.
//! - **Somebody has more**: a cluster exists, and this member is new in it or has lost its disk. Its vote and its entries
//!   may have counted. So it waits until so many voters that have their data have answered that every majority has another
//!   member among them, takes over the newest vote it hears (no deposed leader can then count on it), and neither votes nor
//!   stands for election until it has caught up with a leader by a linearizable read. Entries that were committed with its
//!   help are safe: whoever else holds them is needed for any majority meanwhile.
//!
//! Which voters those are, the newest membership says that anybody who answered has in its log; of a joint one both halves.
//! That is enough: a later membership would have been committed by a majority of this one, and one of that majority has
//! answered, so it would have been heard of.

use crate::border::StoreError;
use crate::config::StoreConfig;
use crate::lineage;
use crate::peers::{Identity, PeerError, Transport};
use crate::raft::types::{Member, Membership, Vote};
use crate::register::Kept;
use crate::rt;
use futures::future::join_all;
use openraft::vote::RaftLeaderId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What an empty member is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// Initialize the cluster.
    Initialize,
    /// Take part as a voter at once, with this vote.
    Join(Option<Vote>),
    /// Catch up before voting, with this vote.
    Rejoin(Option<Vote>),
    /// It was removed.
    Removed(String),
}

/// The answers of the others, by member id (`None`: no answer).
pub(crate) type Answers = BTreeMap<u64, Option<Identity>>;

/// The newest membership that anybody has.
fn newest(answers: &Answers) -> Option<&Membership> {
    let all = answers.values().flatten().filter_map(|known| known.members.as_deref());
    all.filter(|members| members.log_id().is_some()).max_by_key(|members| *members.log_id())
}

/// What a member with an empty disk knows of its cluster before it asks.
pub(crate) struct Known {
    /// The masters in its configuration, but for itself.
    configured: BTreeMap<u64, Member>,
    /// They are those that form the cluster at its first start.
    founds: bool,
    /// What it has written down, and where.
    kept: Option<(Kept, String)>,
}

impl Known {
    /// Reads it.
    ///
    /// # Errors
    /// What was written down cannot be read.
    pub(crate) async fn read(config: &StoreConfig) -> Result<Self, StoreError> {
        let configured = config.members.iter().filter(|member| member.id != config.member);
        let configured = configured.map(|other| (other.id, other.into())).collect();
        let kept = match config.register.clone() {
            None => None,
            Some(register) => {
                let (cluster, file) = (config.cluster_id.clone(), register.file());
                let read = rt::blocking(move || register.read(&cluster)).await.and_then(|read| read);
                read.map_err(|error| StoreError::Storage(error.to_string()))?.map(|kept| (kept, file))
            }
        };
        Ok(Self { configured, founds: !config.joined, kept })
    }

    /// Whom it asks, whatever it hears.
    fn others(&self, me: u64) -> BTreeMap<u64, Member> {
        let mut others = self.configured.clone();
        // What was written down is newer.
        others.extend(self.kept.iter().flat_map(|(kept, _)| kept.members()));
        others.remove(&me);
        others
    }

    /// Whether it may form the cluster; `Err` says why not.
    fn may_form(&self) -> Result<(), String> {
        match &self.kept {
            Some((_, file)) => Err(format!(
                "this cluster was formed before, says {file}, and no master that answers has its data: start those that \
                 have it, or restore a backup; to begin with nothing, remove that file on every master"
            )),
            None if self.founds => Ok(()),
            None => Err("the other masters have no data: this one joined their cluster and cannot form it".into()),
        }
    }

    /// Forgets what was written down if somebody has data of another lineage: the cluster was restored or recovered since.
    /// True: it did, and others are to be asked.
    fn catch_up(&mut self, answers: &Answers) -> bool {
        let Some((kept, _)) = &self.kept else { return false };
        let holding = |known: &&Identity| known.last_log.is_some();
        let over = answers.values().flatten().filter(holding).any(|known| known.lineage != kept.lineage);
        if over {
            self.kept = None;
        }
        over
    }
}

/// Decides for a member from the answers of the others and its own vote; `Err` says what is missing. `forms`: whether it may
/// form the cluster, or why not.
pub(crate) fn decide(
    me: u64,
    forms: &Result<(), String>,
    answers: &Answers,
    own: Option<Vote>,
) -> Result<Start, String> {
    let all = answers.values().all(Option::is_some);
    let answered = || answers.values().flatten();
    let votes = answered().filter_map(|known| known.vote).chain(own);
    let vote = votes.max_by_key(|vote| vote.leader_id.term()).map(uncommitted);
    match answered().filter_map(|known| known.last_log).max() {
        None if all || forms.is_err() => {
            forms.clone()?;
            match answers.keys().find(|id| **id < me) {
                None => Ok(Start::Initialize),
                Some(first) => Err(format!("master {first} is to form the cluster")),
            }
        }
        None => Err("a new cluster is formed when all its masters answer".into()),
        Some(0) if all && forms.is_ok() => Ok(Start::Join(vote)),
        Some(0) => Err("a cluster that is being formed is joined when all its masters answer".into()),
        Some(_) => {
            let Some(members) = newest(answers) else {
                return Err("the other masters are starting".into());
            };
            if members.get_node(&me).is_none() {
                return Err("this master is no member yet; `raftsman members add` makes it one".into());
            }
            for voters in members.get_joint_config() {
                // Of each majority at least one that remembers; one that is empty too remembers nothing.
                let needed = voters.len() - (voters.len() / 2 + 1) + 1;
                let remembers =
                    |id: &&u64| answers.get(*id).and_then(Option::as_ref).is_some_and(|known| known.last_log.is_some());
                if voters.iter().filter(remembers).count() < needed {
                    return Err(format!(
                        "{needed} other masters that vote and have their data must answer before this one, whose disk is \
                         empty, takes part"
                    ));
                }
            }
            Ok(Start::Rejoin(vote))
        }
    }
}

/// The lineage of the data that there is; see [`crate::lineage`].
fn lineage_of(answers: &Answers) -> Result<u64, String> {
    let held = answers.values().flatten().filter(|known| known.last_log.is_some());
    let lineages: BTreeSet<u64> = held.map(|known| known.lineage).collect();
    match lineages.len() {
        0 | 1 => Ok(lineages.first().copied().unwrap_or(lineage::FIRST)),
        _ => Err("the cluster was restored or recovered, and some masters hold what was before: empty the data \
                  directories of all but those that are to go on"
            .into()),
    }
}

fn uncommitted(mut vote: Vote) -> Vote {
    vote.committed = false;
    vote
}

/// The lineage of a cluster that this member forms. An attempt before this one, of which nothing is left but that, may have
/// told it to others.
fn own_lineage(before: u64) -> u64 {
    if before == lineage::FIRST { lineage::draw() } else { before }
}

/// Asks until a decision is possible; it comes with the lineage of the data that this member will get. `own`: what its data
/// directory says of its lineage and its vote.
pub(crate) async fn gather(
    config: &StoreConfig,
    mut known: Known,
    transport: &dyn Transport,
    own: (u64, Option<Vote>),
) -> (Start, u64) {
    let mut said = String::new();
    let mut others = known.others(config.member);
    loop {
        let asked = others.iter().map(async |(id, node)| (*id, ask(transport, config.member, *id, node).await));
        let mut errors = Vec::new();
        let mut answers = Answers::new();
        for (id, answer) in join_all(asked).await {
            if let Err((_, PeerError::Removed(why))) = &answer {
                return (Start::Removed(why.clone()), lineage::FIRST);
            }
            errors.extend(answer.as_ref().err().map(|(name, error)| format!("{name}: {error}")));
            answers.insert(id, answer.ok());
        }
        let present = newest(&answers).into_iter().flat_map(|members| members.nodes());
        let mut more = false;
        for (id, node) in present.filter(|(id, _)| **id != config.member) {
            more |= others.insert(*id, node.clone()).is_none_or(|before| before != *node);
        }
        if more {
            continue;
        }
        if known.catch_up(&answers) {
            others = known.others(config.member);
            continue;
        }
        let lineage = lineage_of(&answers);
        let start = lineage.clone().and_then(|_| decide(config.member, &known.may_form(), &answers, own.1));
        match start.and_then(|start| Ok((start, lineage?))) {
            Ok((Start::Initialize, _)) => return (Start::Initialize, own_lineage(own.0)),
            Ok(begin) => return begin,
            Err(missing) => {
                let now = format!("{missing}; {}", errors.join("; "));
                if now != said {
                    tracing::info!("waiting: {now}");
                    said = now;
                }
            }
        }
        rt::sleep(Duration::from_millis(100)).await;
    }
}

/// Asks one member; an error carries its name.
pub(crate) async fn ask(
    transport: &dyn Transport,
    me: u64,
    id: u64,
    node: &Member,
) -> Result<Identity, (String, PeerError)> {
    let asked = async { transport.peer(id, node)?.identity(me, Duration::from_secs(1)).await };
    asked.await.map_err(|error| (node.name.clone(), error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use openraft::Membership as Configuration;
    use std::sync::Arc;

    fn empty() -> Option<Identity> {
        Some(Identity { last_log: None, vote: None, members: None, lineage: lineage::FIRST })
    }

    /// A membership at a log index; `next`: on the way to these voters.
    fn members(index: u64, voters: &[u64], next: &[u64], learners: &[u64]) -> Arc<Membership> {
        let configs = [voters, next].into_iter().filter(|ids| !ids.is_empty());
        let configs: Vec<BTreeSet<u64>> = configs.map(|ids| ids.iter().copied().collect()).collect();
        let nodes: BTreeMap<u64, Member> =
            voters.iter().chain(next).chain(learners).map(|id| (*id, Member::default())).collect();
        let id = openraft::LogId::new_term_index(1, index);
        Arc::new(Membership::new(Some(id), Configuration::new(configs, nodes).unwrap()))
    }

    fn at(index: u64, term: u64, leader: u64, members: &Arc<Membership>) -> Option<Identity> {
        let vote = Some(Vote::new_committed(term, leader));
        Some(Identity { last_log: Some(index), vote, members: Some(members.clone()), lineage: lineage::FIRST })
    }

    #[test]
    fn data_of_two_lineages_is_nothing_to_begin_with() {
        let alone = members(7, &[2], &[], &[1, 3]);
        let of = |id: u64, lineage: u64| (id, at(9, 5, 1, &alone).map(|known| Identity { lineage, ..known }));
        assert_eq!(lineage_of(&answers([of(2, 77), (3, empty()), (4, None)])), Ok(77));
        assert!(lineage_of(&answers([of(2, 77), of(3, lineage::FIRST)])).unwrap_err().contains("empty the data"));
        assert_eq!(lineage_of(&answers([(2, empty()), (3, empty())])), Ok(lineage::FIRST));
        // A recovered cluster of one: it alone knows, and this one votes no more.
        assert!(decide(1, &Ok(()), &answers([of(2, 77), (3, None)]), None).is_ok());
    }

    fn answers(all: impl IntoIterator<Item = (u64, Option<Identity>)>) -> Answers {
        all.into_iter().collect()
    }

    #[test]
    fn a_cluster_is_initialized_only_when_all_others_are_empty() {
        let decide = |all: Answers| decide(1, &Ok(()), &all, None);
        assert_eq!(decide(answers([])), Ok(Start::Initialize));
        assert_eq!(decide(answers([(2, empty()), (3, empty())])), Ok(Start::Initialize));
        assert!(decide(answers([(2, empty()), (3, None)])).is_err());
        assert!(decide(answers([(2, None), (3, None)])).is_err());
        // Of several one does, so that there is one lineage.
        let second = super::decide(2, &Ok(()), &answers([(1, empty()), (3, empty())]), None);
        assert!(second.unwrap_err().contains("master 1 is to form"));
        assert!(own_lineage(lineage::FIRST) != lineage::FIRST && own_lineage(7) == 7);
        // One that joined later has another list than those that formed it.
        assert!(super::decide(1, &no(), &answers([(2, empty()), (3, empty())]), None).is_err());
    }

    fn no() -> Result<(), String> {
        Err("it may not".into())
    }

    /// A founder of masters 1 to 3 that has written down that these were members, with their lineage.
    fn founder(kept: Option<(&[u64], u64)>) -> Known {
        let of = |ids: &[u64]| ids.iter().map(|id| (*id, Member::default())).collect();
        let kept = kept.map(|(ids, lineage)| {
            let master = |id: &u64| crate::register::Master {
                id: *id,
                name: String::new(),
                address: String::new(),
                voter: true,
            };
            (Kept { cluster_id: "c".into(), lineage, masters: ids.iter().map(master).collect() }, "FILE".to_owned())
        });
        Known { configured: of(&[2, 3]), founds: true, kept }
    }

    #[test]
    fn what_was_written_down_is_asked_and_forbids_to_form_the_cluster_again() {
        assert_eq!(founder(None).may_form(), Ok(()));
        let mut known = founder(Some((&[1, 4, 5], 7)));
        assert!(known.others(1).keys().eq([2, 3, 4, 5].iter()));
        let nobody = answers([(2, empty()), (3, empty()), (4, empty()), (5, empty())]);
        assert!(!known.catch_up(&nobody));
        assert!(decide(1, &known.may_form(), &nobody, None).unwrap_err().contains("FILE"));
        // Alone it has nobody to ask, and forms nothing either.
        assert!(decide(1, &known.may_form(), &answers([]), None).unwrap_err().contains("restore a backup"));
        // The masters that were replaced are gone; those that came have the data.
        let now = members(9, &[1, 4, 5], &[], &[]);
        let of = |id: u64| (id, at(20, 5, 4, &now).map(|known| Identity { lineage: 7, ..known }));
        let all = answers([(2, None), (3, None), of(4), of(5)]);
        assert!(!known.catch_up(&all));
        assert_eq!(decide(1, &known.may_form(), &all, None), Ok(Start::Rejoin(Some(Vote::new(5, 4)))));
    }

    #[test]
    fn what_was_written_down_before_a_restore_counts_no_more() {
        let mut known = founder(Some((&[1, 2, 3, 4], 7)));
        let forming = Some(Identity { last_log: Some(0), vote: None, members: None, lineage: 8 });
        // The fourth is gone for good, and not in the restored cluster.
        assert!(known.catch_up(&answers([(2, forming.clone()), (3, empty()), (4, None)])));
        assert!(known.others(1).keys().eq([2, 3].iter()));
        let all = answers([(2, forming), (3, empty())]);
        assert!(!known.catch_up(&all));
        assert_eq!(decide(1, &known.may_form(), &all, None), Ok(Start::Join(None)));
    }

    #[test]
    fn a_cluster_that_exists_is_rejoined_with_the_newest_vote() {
        let three = members(0, &[1, 2, 3], &[], &[]);
        let all = answers([(2, at(9, 5, 1, &three)), (3, at(12, 6, 2, &three))]);
        assert_eq!(decide(1, &Ok(()), &all, None), Ok(Start::Rejoin(Some(Vote::new(6, 2)))));
        assert_eq!(decide(1, &Ok(()), &all, Some(Vote::new(7, 3))), Ok(Start::Rejoin(Some(Vote::new(7, 3)))));
    }

    #[test]
    fn a_wiped_member_waits_for_enough_voters_of_the_newest_membership() {
        let decide = |all: Answers| decide(1, &no(), &all, None).is_ok();
        let three = members(0, &[1, 2, 3], &[], &[]);
        let known = |at_three: &[u64]| {
            answers((2..=5).map(|id| (id, at_three.contains(&id).then(|| at(9, 5, 1, &three)).flatten())))
        };
        // Of three: both others, because either alone may know of the newest majority.
        assert!(!decide(known(&[2])));
        assert!(!decide(answers([(2, at(9, 5, 1, &three)), (3, empty())])));
        assert!(decide(known(&[2, 3])));
        // Five by now, as one of them knows: three of the four.
        let five = members(7, &[1, 2, 3, 4, 5], &[], &[]);
        assert!(!decide(answers([(2, at(9, 5, 1, &three)), (3, at(9, 5, 1, &five)), (4, None), (5, None)])));
        assert!(decide(answers([
            (2, at(9, 5, 1, &three)),
            (3, at(9, 5, 1, &five)),
            (4, at(9, 5, 1, &five)),
            (5, None)
        ])));
        // On the way from three to others: enough of both.
        let joint = members(8, &[1, 2, 3], &[1, 4, 5], &[]);
        assert!(!decide(answers([
            (2, at(9, 5, 1, &joint)),
            (3, at(9, 5, 1, &joint)),
            (4, at(9, 5, 1, &joint)),
            (5, None)
        ])));
        assert!(decide(answers((2..=5).map(|id| (id, at(9, 5, 1, &joint))))));
    }

    #[test]
    fn a_new_learner_catches_up_and_a_stranger_waits() {
        let learns = members(7, &[1, 2, 3], &[], &[4]);
        let all = answers((1..=3).map(|id| (id, at(9, 5, 1, &learns))));
        assert_eq!(decide(4, &no(), &all, None), Ok(Start::Rejoin(Some(Vote::new(5, 1)))));
        assert!(decide(5, &no(), &all, None).unwrap_err().contains("members add"));
        // Nor is one enough: it may not know what this one has become since.
        assert!(decide(4, &no(), &answers([(1, at(9, 5, 1, &learns)), (2, None), (3, None)]), None).is_err());
    }

    #[test]
    fn a_cluster_being_formed_is_joined_at_once() {
        let forming = Some(Identity { last_log: Some(0), vote: None, members: None, lineage: lineage::FIRST });
        assert_eq!(decide(1, &Ok(()), &answers([(2, forming.clone()), (3, empty())]), None), Ok(Start::Join(None)));
        // The silent one may be all that is left of a majority that this member was part of.
        assert!(decide(1, &Ok(()), &answers([(2, forming), (3, None)]), None).is_err());
    }
}
