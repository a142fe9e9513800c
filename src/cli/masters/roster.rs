//! Which server is which master: every member at one place of the connection.

use crate::masters::Seen;
use crate::members::Row;
use anyhow::bail;

/// A master, and where the connection has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its place among the servers.
    pub at: usize,
    /// Who it must be; `None`: that is known by other means.
    pub member: Option<u64>,
    /// What it is called.
    pub name: String,
}

/// All masters that can be told something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Every voter, and the learners that are ready: each once.
    pub masters: Vec<Place>,
    /// Learners that are not: the cluster does without them.
    pub without: Vec<String>,
}

impl Roster {
    /// By what all servers say. `own` are the places of masters' own addresses: elsewhere (a virtual address) answers one
    /// of them, too, and soon another. Who is a member no more is left out.
    ///
    /// # Errors
    /// A voter is not reached.
    pub fn of(members: &[Row], seen: &[Seen], own: &[usize]) -> anyhow::Result<Self> {
        let mut roster = Self::default();
        let mut missing = Vec::new();
        for row in members {
            let answers = |at: &usize| seen.get(*at).is_some_and(|seen| seen.member() == Some(row.id));
            let at = own.iter().copied().find(answers).or_else(|| (0..seen.len()).find(answers));
            let who = || format!("{} ({})", row.name, row.address);
            match at {
                Some(at) if row.voter || seen[at].is_ready() => {
                    roster.masters.push(Place { at, member: Some(row.id), name: row.name.clone() });
                }
                None if row.voter => missing.push(who()),
                _ => roster.without.push(who()),
            }
        }
        if !missing.is_empty() {
            bail!(
                "not reached: {}; every master that votes must be well before any is started again: `raftsman status` \
                 shows them, and `raftsman members remove` takes out who is lost for good",
                missing.join(", ")
            );
        }
        if roster.masters.is_empty() {
            bail!("the masters do not say who they are: do more than half of them run and reach one another?");
        }
        Ok(roster)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::masters::seen::tests::{seen, silent};

    fn row(id: u64, voter: bool) -> Row {
        Row { id, name: format!("m{id}"), address: format!("10.0.0.{id}:6444"), voter, ..Row::default() }
    }

    fn places(roster: &Roster) -> Vec<(usize, Option<u64>)> {
        roster.masters.iter().map(|place| (place.at, place.member)).collect()
    }

    #[test]
    fn a_master_that_the_kubeconfig_does_not_name_is_one_too_and_a_removed_one_is_none() {
        // The kubeconfig has m1, m2, m3 and a virtual address; m3 was removed, m4 has joined and was learnt of.
        let voters = [row(1, true), row(2, true), row(4, true)];
        let all = [seen(1, 3, Some(2)), seen(2, 3, Some(2)), silent(), seen(2, 3, Some(2)), seen(4, 3, Some(2))];
        let roster = Roster::of(&voters, &all, &[0, 1, 4]).unwrap();
        assert_eq!(places(&roster), [(0, Some(1)), (1, Some(2)), (4, Some(4))]);
        let removed =
            [seen(1, 3, Some(2)), seen(2, 3, Some(2)), seen(3, 2, None), seen(2, 3, Some(2)), seen(4, 3, Some(2))];
        assert_eq!(Roster::of(&voters, &removed, &[0, 1, 4]).unwrap(), roster);
    }

    #[test]
    fn a_master_is_told_at_its_own_address_not_at_a_virtual_one() {
        let virtual_first = [seen(2, 3, Some(2)), seen(1, 3, Some(2)), seen(2, 3, Some(2))];
        let roster = Roster::of(&[row(1, true), row(2, true)], &virtual_first, &[1, 2]).unwrap();
        assert_eq!(places(&roster), [(1, Some(1)), (2, Some(2))]);
    }

    #[test]
    fn a_voter_that_is_not_reached_is_named_and_a_learner_is_left_out() {
        let all = [seen(1, 3, Some(1)), seen(2, 3, Some(1)), silent()];
        let error = Roster::of(&[row(1, true), row(2, true), row(4, true)], &all, &[0, 1, 2]).unwrap_err();
        assert!(error.to_string().starts_with("not reached: m4 (10.0.0.4:6444);"), "{error}");
        let roster = Roster::of(&[row(1, true), row(2, true), row(4, false)], &all, &[0, 1, 2]).unwrap();
        assert_eq!((roster.masters.len(), roster.without), (2, vec!["m4 (10.0.0.4:6444)".to_owned()]));
        assert!(Roster::of(&[], &all, &[0, 1, 2]).is_err());
    }
}
