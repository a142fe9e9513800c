//! What is to be reached, and whether it was.

use super::Compared;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// What a goal is about: ours divided by the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Figure {
    /// Operations per second: at least so much.
    PerSecond,
    /// The median latency: at most so much.
    P50,
}

/// A ratio to be reached, on the command line `write-64-leader=3` or `write-1-leader:p50=0.6`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Goal {
    /// The work's name.
    work: String,
    figure: Figure,
    ratio: f64,
}

/// The goals where none are given.
pub(crate) const GOALS: &str = "write-64-leader=3,write-256-leader=2.5,write-64-follower=2,write-1-leader:p50=0.6,read-64-leader=3,read-64-follower=3";

impl Goal {
    /// Of these works.
    pub(crate) fn work(&self) -> &str {
        &self.work
    }
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no goal such as write-64-leader=3 or write-1-leader:p50=0.6");
        let (name, ratio) = text.split_once('=').ok_or_else(wrong)?;
        let ratio = ratio.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio > 0.0).ok_or_else(wrong)?;
        let (work, figure) = match name.split_once(':') {
            None => (name, Figure::PerSecond),
            Some((work, "p50")) => (work, Figure::P50),
            Some(_) => return Err(wrong()),
        };
        Ok(Self { work: work.to_owned(), figure, ratio })
    }
}

/// A goal and what came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Judged {
    #[serde(flatten)]
    goal: Goal,
    /// `None`: it was not measured.
    measured: Option<f64>,
}

impl Judged {
    /// Each goal beside the ratio that it is about.
    pub(crate) fn all(goals: &[Goal], ratios: &[Compared]) -> Vec<Self> {
        let judge = |goal: &Goal| {
            let compared = ratios.iter().find(|row| row.work.name() == goal.work);
            let measured = compared.map(|row| match goal.figure {
                Figure::PerSecond => row.per_second,
                Figure::P50 => row.p50,
            });
            // 0 stands for what could not be divided.
            Self { goal: goal.clone(), measured: measured.filter(|ratio| *ratio > 0.0) }
        };
        goals.iter().map(judge).collect()
    }

    /// By how much of the goal it is met; negative: missed.
    fn margin(&self) -> Option<f64> {
        let share = self.measured? / self.goal.ratio - 1.0;
        Some(match self.goal.figure {
            Figure::PerSecond => share,
            Figure::P50 => -share,
        })
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (figure, bound) = match self.goal.figure {
            Figure::PerSecond => ("per second", "at least"),
            Figure::P50 => ("p50", "at most"),
        };
        write!(f, "goal {}: {figure} {bound} {} times etcd's: ", self.goal.work, self.goal.ratio)?;
        match (self.measured, self.margin()) {
            (Some(measured), Some(margin)) => {
                let verdict = if margin >= 0.0 { "met" } else { "MISSED" };
                write!(f, "{measured:.2}, {verdict} by {:.0} %", margin.abs() * 100.0)
            }
            _ => f.write_str("not measured"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::Work;

    fn goals(text: &str) -> Vec<Goal> {
        text.split(',').map(|goal| goal.parse().unwrap()).collect()
    }

    #[test]
    fn goals_are_judged_by_the_ratios_that_they_name() {
        let row = |clients: usize, per_second: f64, p50: f64| Compared {
            work: Work { operation: "write", clients, through: "leader" },
            per_second,
            p50,
            p99: 1.0,
            members_cpu: 1.0,
        };
        let ratios = [row(1, 2.0, 0.48), row(64, 2.7, 0.3), row(256, 2.5, 0.4)];
        let asked = goals(
            "write-64-leader=3,write-256-leader=2.5,write-1-leader:p50=0.6,write-64-leader:p50=0.2,read-64-leader=3",
        );
        let told: Vec<String> = Judged::all(&asked, &ratios).iter().map(ToString::to_string).collect();
        let ends =
            ["2.70, MISSED by 10 %", "2.50, met by 0 %", "0.48, met by 20 %", "0.30, MISSED by 50 %", "not measured"];
        assert_eq!(told.len(), ends.len());
        for (told, end) in told.iter().zip(ends) {
            assert!(told.ends_with(end), "{told}");
        }
        assert_eq!(told[2], "goal write-1-leader: p50 at most 0.6 times etcd's: 0.48, met by 20 %");
    }

    #[test]
    fn what_is_no_goal_is_refused() {
        assert_eq!(goals(GOALS).len(), 6);
        for text in ["", "write-64-leader", "write-64-leader=x", "write-64-leader=-1", "write-1-leader:p99=1"] {
            assert!(text.parse::<Goal>().is_err(), "{text}");
        }
    }
}
