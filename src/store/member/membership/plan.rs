//! What a change of the members takes, step by step; or why it must not be. Pure.

use crate::border::{Change, MOST_VOTERS};
use crate::member::membership::record::{Record, Records, Wants};
use crate::raft::types::Member;
use std::collections::{BTreeMap, BTreeSet};

/// A learner that lags by no more entries may vote: the rest takes less than an election.
pub(crate) const NEAR: u64 = 1024;

/// One member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) member: Member,
    /// It answers the leader's heartbeats.
    pub(crate) answers: bool,
    /// Entries that it does not have yet; `None`: not known.
    pub(crate) lag: Option<u64>,
}

/// Everything that a plan depends on. The membership is the newest in the leader's log, and not a joint one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roster {
    pub(crate) leader: u64,
    pub(crate) voters: BTreeSet<u64>,
    pub(crate) members: BTreeMap<u64, Seen>,
    pub(crate) records: Records,
}

/// One step. Each is one entry in the log, but for [`Step::Vote`], which is a joint one and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Keep a record.
    Write(Record),
    /// Take in a learner.
    Learn(u64, Member),
    /// Change who votes. Voters that go either learn (`keep`) or are members no more.
    Vote { come: BTreeSet<u64>, go: BTreeSet<u64>, keep: bool },
    /// One that is to be removed takes no more writes from clients, and learns what became of those that it has taken.
    Drain(u64),
    /// A learner is a member no more.
    Forget(u64),
    /// Another name or address. With `ask`, the member has to answer there first.
    Move { id: u64, to: Member, ask: bool },
    /// The leadership goes to this voter; the rest is the next leader's.
    HandOver(u64),
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It must not be.
    Refused(String),
    /// There is no such member.
    Unknown(String),
    /// When the learner has caught up.
    Behind(String),
}

/// What a change takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The member that it is about.
    pub(crate) member: u64,
    /// None: it is so already.
    pub(crate) steps: Vec<Step>,
    /// What a person should think of afterwards.
    pub(crate) advice: String,
}

type Planned = Result<Plan, Refusal>;

/// Plans a change.
///
/// # Errors
/// Why it must not be, with the members that it is about.
pub(crate) fn plan(roster: &Roster, change: &Change) -> Planned {
    match change {
        Change::Add { name, address, voter, replaces, key } => roster.add(name, address, *voter, *replaces, key),
        Change::Promote { member, force } => roster.promote(*member, *force),
        Change::Demote { member } => roster.demote(*member),
        Change::Remove { member } => roster.remove(*member),
        Change::Replace { member, with } => roster.replace(*member, *with),
        Change::Update { member, name, address, force } => {
            roster.update(*member, name.as_deref(), address.as_deref(), *force)
        }
        Change::Transfer { to } => roster.transfer(*to),
    }
}

/// The next thing that a leader has to do by itself: of what another one began, or for a learner that has caught up. A
/// change of which nothing had reached the log is forgotten. What comes after is planned on what this leaves.
pub(crate) fn settle(roster: &Roster) -> Vec<Step> {
    for (record, _) in roster.records.values().filter(|(record, _)| roster.members.contains_key(&record.id)) {
        let votes = roster.voters.contains(&record.id);
        match record.wants {
            Wants::Gone if votes => return vec![Step::Write(Record { wants: Wants::Voter, ..record.clone() })],
            Wants::Gone => return roster.drained(record.id).chain([Step::Forget(record.id)]).collect(),
            Wants::Voter if !votes => {
                let planned = match record.replaces.filter(|old| roster.members.contains_key(old)) {
                    Some(old) => roster.replace(old, record.id),
                    None => roster.promote(record.id, false),
                };
                if let Ok(plan) = planned {
                    return plan.steps;
                }
            }
            Wants::Voter | Wants::Learner => {}
        }
    }
    Vec::new()
}

/// A learner is to vote that does not yet.
pub(crate) fn is_pending(roster: &Roster) -> bool {
    let pending = |record: &Record| record.wants == Wants::Voter && !roster.voters.contains(&record.id);
    roster.records.values().any(|(record, _)| roster.members.contains_key(&record.id) && pending(record))
}

fn refused<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Refused(why.into()))
}

impl Roster {
    fn seen(&self, id: u64) -> Result<&Seen, Refusal> {
        self.members.get(&id).ok_or_else(|| {
            let gone = self.records.get(&id).is_some_and(|(record, _)| record.wants == Wants::Gone);
            Refusal::Unknown(if gone { format!("master {id} was removed") } else { format!("there is no master {id}") })
        })
    }

    fn name(&self, id: u64) -> String {
        self.members.get(&id).map_or_else(|| format!("master {id}"), |seen| seen.member.name.clone())
    }

    fn names(&self, ids: impl IntoIterator<Item = u64>) -> String {
        ids.into_iter().map(|id| self.name(id)).collect::<Vec<_>>().join(", ")
    }

    fn answers(&self, id: u64) -> bool {
        id == self.leader || self.members.get(&id).is_some_and(|seen| seen.answers)
    }

    /// Its record, made from what the membership says when it is of the first cluster.
    fn record(&self, id: u64, wants: Wants) -> Result<Record, Refusal> {
        if let Some((record, _)) = self.records.get(&id) {
            return Ok(Record { wants, ..record.clone() });
        }
        let Member { name, address } = self.seen(id)?.member.clone();
        Ok(Record { id, name, address, wants, replaces: None, key: String::new() })
    }

    /// A step that keeps the record, unless it says so already.
    fn keep(&self, id: u64, wants: Wants) -> Result<Option<Step>, Refusal> {
        let record = self.record(id, wants)?;
        let same = self.records.get(&id).is_some_and(|(known, _)| *known == record);
        Ok((!same).then_some(Step::Write(record)))
    }

    /// Before a member goes, if it is there to be asked and near enough to hear soon of what it waits for.
    fn drained(&self, id: u64) -> impl Iterator<Item = Step> {
        let near = self.members.get(&id).and_then(|seen| seen.lag).is_some_and(|lag| lag <= NEAR);
        (near && self.answers(id)).then_some(Step::Drain(id)).into_iter()
    }

    /// These voters would go on by themselves: more than half of them answer.
    fn holds(&self, voters: &BTreeSet<u64>, what: &str) -> Result<(), Refusal> {
        let silent: Vec<u64> = voters.iter().copied().filter(|id| !self.answers(*id)).collect();
        let answering = voters.len() - silent.len();
        let needed = voters.len() / 2 + 1;
        if voters.is_empty() {
            return refused(format!("{what} would leave no voter"));
        }
        if answering < needed {
            return refused(format!(
                "{what} would cost the cluster its quorum: of {} voters {needed} are needed and {answering} would \
                 answer ({} does not); start or remove that one first",
                voters.len(),
                self.names(silent)
            ));
        }
        Ok(())
    }

    /// The voter that is nearest and answers.
    pub(crate) fn heir(&self, but: u64) -> Option<u64> {
        let others = self.voters.iter().copied().filter(|id| *id != but && self.answers(*id));
        others.min_by_key(|id| (self.members.get(id).and_then(|seen| seen.lag).unwrap_or(u64::MAX), *id))
    }

    /// Hands over first when it is the leader that goes.
    fn unless_leader(&self, id: u64, what: &str, steps: Vec<Step>) -> Result<Vec<Step>, Refusal> {
        if id != self.leader {
            return Ok(steps);
        }
        match self.heir(id) {
            Some(heir) => Ok(vec![Step::HandOver(heir)]),
            None => refused(format!("{what}: it leads, and no other voter answers that could take over")),
        }
    }

    fn advice(&self, voters: usize) -> String {
        match voters {
            1 => "one voter is left: the cluster does not survive its loss".to_owned(),
            even if even % 2 == 0 => format!(
                "{even} voters survive the loss of {} as {} do; an odd number is better",
                even.saturating_sub(1) / 2,
                even - 1
            ),
            _ => String::new(),
        }
    }

    fn add(&self, name: &str, address: &str, voter: bool, replaces: Option<u64>, key: &str) -> Planned {
        if name.is_empty() || address.is_empty() {
            return refused("a master needs a name and an address");
        }
        // The same host asks again.
        for (id, seen) in &self.members {
            let same_host = self.records.get(id).is_some_and(|(record, _)| !key.is_empty() && record.key == key);
            if seen.member.name == name && seen.member.address == address && same_host {
                return Ok(Plan { member: *id, steps: Vec::new(), advice: String::new() });
            }
        }
        if let Some(old) = replaces {
            self.seen(old)?;
        }
        for (id, seen) in self.members.iter().filter(|(id, _)| Some(**id) != replaces) {
            if seen.member.name == name {
                return refused(format!(
                    "there is a master {name:?} (id {id}) already; remove or replace it, or take another name"
                ));
            }
            if seen.member.address == address {
                return refused(format!("{address} is the address of master {:?} (id {id})", seen.member.name));
            }
        }
        if voter && replaces.is_none_or(|old| !self.voters.contains(&old)) && self.voters.len() >= MOST_VOTERS {
            return refused(format!(
                "there are {} voters, and {MOST_VOTERS} are the most; add it as a learner",
                self.voters.len()
            ));
        }
        let id = self.records.keys().chain(self.members.keys()).max().map_or(1, |most| most + 1);
        let wants = if voter { Wants::Voter } else { Wants::Learner };
        let (name, address) = (name.to_owned(), address.to_owned());
        let member = Member { name: name.clone(), address: address.clone() };
        let record = Record { id, name, address, wants, replaces, key: key.to_owned() };
        Ok(Plan { member: id, steps: vec![Step::Write(record), Step::Learn(id, member)], advice: String::new() })
    }

    /// The learner is near enough to vote.
    fn is_near(&self, id: u64) -> Result<(), Refusal> {
        let seen = self.seen(id)?;
        let name = &seen.member.name;
        if !seen.answers {
            return Err(Refusal::Behind(format!("{name} does not answer the leader; is it running?")));
        }
        match seen.lag {
            Some(lag) if lag <= NEAR => Ok(()),
            Some(lag) => Err(Refusal::Behind(format!("{name} catches up: it lacks {lag} entries"))),
            None => Err(Refusal::Behind(format!("{name} catches up: how far it is is not known yet"))),
        }
    }

    fn promote(&self, id: u64, force: bool) -> Planned {
        let name = self.seen(id)?.member.name.clone();
        if self.voters.contains(&id) {
            return Ok(Plan { member: id, steps: Vec::new(), advice: String::new() });
        }
        if self.voters.len() >= MOST_VOTERS {
            return refused(format!(
                "there are {} voters, and {MOST_VOTERS} are the most; demote or remove one first",
                self.voters.len()
            ));
        }
        if !force {
            self.is_near(id)?;
        }
        let mut voters = self.voters.clone();
        voters.insert(id);
        self.holds(&self.voters, &format!("promoting {name}"))?;
        self.holds(&voters, &format!("promoting {name}"))?;
        let mut steps: Vec<Step> = self.keep(id, Wants::Voter)?.into_iter().collect();
        steps.push(Step::Vote { come: BTreeSet::from([id]), go: BTreeSet::new(), keep: true });
        Ok(Plan { member: id, steps, advice: self.advice(voters.len()) })
    }

    fn demote(&self, id: u64) -> Planned {
        let what = format!("demoting {}", self.seen(id)?.member.name);
        let mut steps: Vec<Step> = self.keep(id, Wants::Learner)?.into_iter().collect();
        if !self.voters.contains(&id) {
            return Ok(Plan { member: id, steps, advice: String::new() });
        }
        let mut voters = self.voters.clone();
        voters.remove(&id);
        self.holds(&voters, &what)?;
        self.holds(&self.voters, &what)?;
        steps.push(Step::Vote { come: BTreeSet::new(), go: BTreeSet::from([id]), keep: true });
        Ok(Plan { member: id, steps: self.unless_leader(id, &what, steps)?, advice: self.advice(voters.len()) })
    }

    fn remove(&self, id: u64) -> Planned {
        let gone = self.records.get(&id).is_some_and(|(record, _)| record.wants == Wants::Gone);
        if gone && !self.members.contains_key(&id) {
            return Ok(Plan { member: id, steps: Vec::new(), advice: String::new() });
        }
        let what = format!("removing {}", self.seen(id)?.member.name);
        let mut steps: Vec<Step> = self.keep(id, Wants::Gone)?.into_iter().chain(self.drained(id)).collect();
        if !self.voters.contains(&id) {
            steps.push(Step::Forget(id));
            return Ok(Plan { member: id, steps, advice: String::new() });
        }
        let mut voters = self.voters.clone();
        voters.remove(&id);
        self.holds(&voters, &what)?;
        self.holds(&self.voters, &what)?;
        steps.push(Step::Vote { come: BTreeSet::new(), go: BTreeSet::from([id]), keep: false });
        Ok(Plan { member: id, steps: self.unless_leader(id, &what, steps)?, advice: self.advice(voters.len()) })
    }

    fn replace(&self, old: u64, new: u64) -> Planned {
        let gone = self.records.get(&old).is_some_and(|(record, _)| record.wants == Wants::Gone);
        if gone && self.voters.contains(&new) && !self.voters.contains(&old) {
            // Done, but perhaps for the last step.
            let steps = if self.members.contains_key(&old) { vec![Step::Forget(old)] } else { Vec::new() };
            return Ok(Plan { member: new, steps, advice: String::new() });
        }
        let what = format!("replacing {} by {}", self.seen(old)?.member.name, self.seen(new)?.member.name);
        if old == new {
            return refused(format!("{what}: name two masters"));
        }
        if self.voters.contains(&new) {
            return refused(format!("{what}: the new one votes already; remove the old one"));
        }
        self.is_near(new)?;
        // The next leader has to know whose place it is.
        let record = Record { replaces: Some(old), ..self.record(new, Wants::Voter)? };
        let known = self.records.get(&new).is_some_and(|(known, _)| *known == record);
        let mut steps = if known { Vec::new() } else { vec![Step::Write(record)] };
        let mut voters = self.voters.clone();
        let voted = voters.remove(&old);
        if !voted && voters.len() >= MOST_VOTERS {
            return refused(format!("there are {} voters, and {MOST_VOTERS} are the most", self.voters.len()));
        }
        voters.insert(new);
        self.holds(&voters, &what)?;
        self.holds(&self.voters, &what)?;
        steps.extend(self.keep(old, Wants::Gone)?.into_iter().chain(self.drained(old)));
        let go = if voted { BTreeSet::from([old]) } else { BTreeSet::new() };
        steps.push(Step::Vote { come: BTreeSet::from([new]), go, keep: false });
        if !voted {
            steps.push(Step::Forget(old));
        }
        Ok(Plan { member: new, steps: self.unless_leader(old, &what, steps)?, advice: self.advice(voters.len()) })
    }

    fn update(&self, id: u64, name: Option<&str>, address: Option<&str>, force: bool) -> Planned {
        let now = &self.seen(id)?.member;
        let to =
            Member { name: name.unwrap_or(&now.name).to_owned(), address: address.unwrap_or(&now.address).to_owned() };
        if to.name.is_empty() || to.address.is_empty() {
            return refused("a master needs a name and an address");
        }
        let mut others = self.members.iter().filter(|(other, _)| **other != id);
        if let Some((other, _)) =
            others.find(|(_, seen)| seen.member.name == to.name || seen.member.address == to.address)
        {
            return refused(format!("master {:?} (id {other}) has that name or address", self.name(*other)));
        }
        if to == *now {
            return Ok(Plan { member: id, steps: Vec::new(), advice: String::new() });
        }
        let record = self.record(id, if self.voters.contains(&id) { Wants::Voter } else { Wants::Learner })?;
        let wants = self.records.get(&id).map_or(record.wants, |(record, _)| record.wants);
        let record = Record { name: to.name.clone(), address: to.address.clone(), wants, ..record };
        // The leader reaches itself wherever it is.
        let ask = !force && id != self.leader;
        Ok(Plan { member: id, steps: vec![Step::Write(record), Step::Move { id, to, ask }], advice: String::new() })
    }

    fn transfer(&self, to: Option<u64>) -> Planned {
        let heir = match to {
            Some(to) => {
                let name = self.seen(to)?.member.name.clone();
                if to == self.leader {
                    return Ok(Plan { member: to, steps: Vec::new(), advice: String::new() });
                }
                if !self.voters.contains(&to) {
                    return refused(format!("{name} does not vote; `raftsman members promote {name}` first"));
                }
                if !self.answers(to) {
                    return refused(format!("{name} does not answer the leader; is it running?"));
                }
                to
            }
            None => match self.heir(self.leader) {
                Some(heir) => heir,
                None => return refused("no other voter answers that could take over"),
            },
        };
        Ok(Plan { member: heir, steps: vec![Step::HandOver(heir)], advice: String::new() })
    }
}
