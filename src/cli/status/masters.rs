//! The masters, as they say themselves. One table for a cluster anywhere and for one on this machine, whose hosts have
//! processes, too.

use crate::connect::Cluster;
use crate::masters::Seen;
use crate::members::{PATH, Row, rows};
use crate::output::columns;
use serde_json::Value;

/// A certificate that ends sooner (days) is spoken of.
const SOON: i64 = 30;
/// Where a master says what it knows.
const STATUS: &str = "/raftsman/v1/status";

/// The masters together: who leads, and what they agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Masters {
    /// Member id of the leader.
    pub leader: Option<u64>,
    /// The newest term.
    pub term: u64,
    /// What all members' programs can do.
    pub level: Option<u64>,
    /// Each.
    pub lines: Vec<Line>,
}

/// One master.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// What the masters say of it.
    pub row: Row,
    /// Its process on this machine, where that is known.
    pub process: Option<String>,
    /// Whether it takes requests, where it was asked by itself; else `row` tells.
    pub ready: Option<String>,
}

impl Masters {
    /// Asks a master that answers.
    ///
    /// # Errors
    /// None does.
    pub async fn ask(api: &Cluster) -> Result<Self, crate::connect::Failure> {
        let (members, status) = futures::join!(api.read(PATH), api.read(STATUS));
        // Without its level the rest is told all the same.
        Ok(Self::of(&members?, &status.unwrap_or_default()))
    }

    fn of(members: &Value, status: &Value) -> Self {
        Self {
            leader: members["leader"].as_u64(),
            term: members["term"].as_u64().unwrap_or_default(),
            level: status["clusterLevel"].as_u64(),
            lines: rows(members).into_iter().map(|row| Line { row, ..Line::default() }).collect(),
        }
    }

    /// The line of a master by its name; a new one for what no master knows of.
    pub fn line(&mut self, name: &str) -> &mut Line {
        let at = match self.lines.iter().position(|line| line.row.name == name) {
            Some(at) => at,
            None => {
                self.lines.push(Line { row: Row { name: name.to_owned(), ..Row::default() }, ..Line::default() });
                self.lines.len() - 1
            }
        };
        &mut self.lines[at]
    }

    /// A leader is known and every master is ready.
    pub fn are_well(&self) -> bool {
        self.leading().is_some() && self.lines.iter().all(Line::is_ready)
    }

    fn leading(&self) -> Option<&Row> {
        self.lines.iter().map(|line| &line.row).find(|row| Some(row.id) == self.leader)
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let level = self.level.map(|level| format!(", cluster level {level}")).unwrap_or_default();
        let mut text = match self.leading() {
            Some(leader) => format!("Leader: {}, term {}{level}\n\n", leader.name, self.term),
            None => {
                "Leader: none. Do more than half of the masters that vote run and reach one another?\n\n".to_owned()
            }
        };
        let processes = self.lines.iter().any(|line| line.process.is_some());
        let head = ["READY", "ROLE", "LAG", "APPLIED", "REVISION", "VERSION", "CERTIFICATE", "DISK FREE"];
        let front = ["MASTER", "ADDRESS"].into_iter().chain(processes.then_some("PROCESS"));
        let mut all: Vec<Vec<String>> = vec![front.chain(head).map(str::to_owned).collect()];
        all.extend(self.lines.iter().map(|line| line.cells(processes)));
        text.push_str(&columns(&all));
        for Line { row, .. } in &self.lines {
            if let Some(why) = row.error.as_ref().or(row.reason.as_ref().filter(|why| !why.is_empty())) {
                text.push_str(&format!("{}: {why}\n", row.name));
            }
            text.push_str(&ending(&row.name, row.certificate_days));
            text.push_str(&self.holding(row));
        }
        text
    }

    /// A line about who keeps the cluster's level down while others have more.
    fn holding(&self, row: &Row) -> String {
        let name = &row.name;
        let highest = self.lines.iter().filter_map(|line| line.row.level).max().unwrap_or_default();
        match (row.level, self.level) {
            (Some(level), _) if level < highest => format!(
                "{name}: the cluster stays at level {level} while its program has no more, or is held there (`levelAtMost`, \
                 --level-at-most or RAFTSMAN_LEVEL_AT_MOST); others have {highest}\n"
            ),
            // Without a role it is none of those that the masters wait for.
            (None, Some(level)) if level < u64::from(highest) && !row.role.is_empty() => format!(
                "{name}: the cluster stays at level {level} until it has said what its program can do; others have \
                 {highest}. Start it, or `raftsman members remove {name}`\n"
            ),
            _ => String::new(),
        }
    }
}

/// The cell of a certificate.
pub(super) fn days(left: Option<i64>) -> String {
    left.map_or_else(|| "-".to_owned(), |days| format!("{days} days"))
}

/// A line about a certificate that ends soon.
pub(super) fn ending(host: &str, left: Option<i64>) -> String {
    match left.filter(|days| *days < SOON) {
        None => String::new(),
        Some(days) if days < 0 => format!("{host}: its certificate has ended; `raftsman pki issue` makes a new one\n"),
        Some(days) => {
            format!("{host}: its certificate ends in {days} days; `raftsman pki issue` makes a new one\n")
        }
    }
}

impl Line {
    /// Takes what the master said when it was asked by itself: it is newer than what the others know of it.
    pub fn saw(&mut self, seen: &Seen) {
        self.ready = Some(seen.readiness());
        self.row.ready = Some(seen.is_ready());
        self.row.applied = seen.applied().or(self.row.applied);
        self.row.revision = seen.revision().or(self.row.revision);
        // Why nobody could ask it is in the cell.
        self.row.error = None;
    }

    fn is_ready(&self) -> bool {
        self.row.ready == Some(true)
    }

    fn cells(&self, processes: bool) -> Vec<String> {
        let row = &self.row;
        let some = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let text = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let ready = match (&self.ready, row.ready) {
            (Some(said), _) => said.as_str(),
            (None, Some(true)) => "yes",
            (None, Some(false)) => "no",
            (None, None) => "no answer",
        };
        let disk = match (row.disk_free, row.disk_total) {
            (Some(free), Some(total)) if total > 0 => {
                format!("{:.1} GB ({}%)", free as f64 / 1e9, free.saturating_mul(100) / total)
            }
            _ => "-".to_owned(),
        };
        let front = [row.name.clone(), text(&row.address)].into_iter();
        let process = processes.then(|| text(self.process.as_deref().unwrap_or_default()));
        let rest = [
            ready.to_owned(),
            text(&row.role),
            some(row.lag),
            some(row.applied),
            some(row.revision),
            row.version.as_ref().map_or_else(|| "-".to_owned(), |version| format!("v{version}")),
            days(row.certificate_days),
            disk,
        ];
        front.chain(process).chain(rest).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::masters::tests::{seen, silent};
    use serde_json::json;

    fn masters() -> Masters {
        let members = json!({ "leader": 1, "term": 7, "members": [
            { "id": 1, "name": "m1", "address": "10.0.0.1:6444", "role": "leader", "voter": true, "lag": 0, "ready": true,
              "version": "0.1.0", "applied": 90, "revision": 40, "certificateDays": 12, "diskFree": 5_000_000_000u64,
              "diskTotal": 10_000_000_000u64 },
            { "id": 2, "name": "m2", "address": "10.0.0.2:6444", "role": "voter", "voter": true,
              "error": "no answer within 1 s" },
        ]});
        Masters::of(&members, &json!({ "clusterLevel": 3 }))
    }

    #[test]
    fn what_is_wrong_is_said_below_the_table() {
        let golden = "\
Leader: m1, term 7, cluster level 3

MASTER   ADDRESS         READY       ROLE     LAG   APPLIED   REVISION   VERSION   CERTIFICATE   DISK FREE
m1       10.0.0.1:6444   yes         leader   0     90        40         v0.1.0    12 days       5.0 GB (50%)
m2       10.0.0.2:6444   no answer   voter    -     -         -          -         -             -
m1: its certificate ends in 12 days; `raftsman pki issue` makes a new one
m2: no answer within 1 s
";
        assert_eq!(masters().text(), golden);
        assert!(!masters().are_well());
        let none = Masters::of(&json!({ "members": [] }), &Value::Null);
        assert!(none.text().starts_with("Leader: none") && !none.are_well());
    }

    #[test]
    fn who_keeps_the_cluster_back_is_named() {
        let mut masters = masters();
        let held = |masters: &Masters| masters.text().lines().filter(|line| line.contains("stays")).count();
        masters.lines[0].row.level = Some(2);
        assert_eq!(held(&masters), 0);
        masters.lines[1].row.level = Some(1);
        assert!(masters.text().contains("m2: the cluster stays at level 1 while") && held(&masters) == 1);
        // The program may have more: the text names every way to hold it.
        for hold in ["`levelAtMost`", "--level-at-most", "RAFTSMAN_LEVEL_AT_MOST"] {
            assert!(masters.text().contains(hold), "{hold}");
        }
        masters.lines[1].row.level = Some(2);
        assert_eq!(held(&masters), 0);
    }

    #[test]
    fn who_has_said_nothing_keeps_the_cluster_back_too() {
        let mut masters = masters();
        let held = |masters: &Masters| masters.text().lines().filter(|line| line.contains("stays")).count();
        masters.lines[0].row.level = Some(2);
        masters.level = Some(1);
        let said = "m2: the cluster stays at level 1 until it has said what its program can do; others have 2. Start it, or \
                    `raftsman members remove m2`\n";
        assert!(masters.text().ends_with(said) && held(&masters) == 1, "{}", masters.text());
        masters.line("m3").process = Some("pid 9".to_owned());
        assert_eq!(held(&masters), 1, "m3 is no member yet");
        masters.level = Some(2);
        assert_eq!(held(&masters), 0, "the others have no more than the cluster");
        masters.level = None;
        assert_eq!(held(&masters), 0, "the cluster's level is not known");
    }

    #[test]
    fn hosts_of_this_machine_have_processes_and_are_asked_by_themselves() {
        let mut masters = masters();
        masters.line("m1").process = Some("pid 7".to_owned());
        masters.line("m1").saw(&seen(1, 7, Some(1)));
        masters.line("m2").process = Some("down".to_owned());
        masters.line("m2").saw(&silent());
        masters.line("m3").process = Some("pid 9".to_owned());
        let golden = "\
Leader: m1, term 7, cluster level 3

MASTER   ADDRESS         PROCESS   READY       ROLE     LAG   APPLIED   REVISION   VERSION   CERTIFICATE   DISK FREE
m1       10.0.0.1:6444   pid 7     yes         leader   0     90        40         v0.1.0    12 days       5.0 GB (50%)
m2       10.0.0.2:6444   down      refused     voter    -     -         -          -         -             -
m3       -               pid 9     no answer   -        -     -         -          -         -             -
m1: its certificate ends in 12 days; `raftsman pki issue` makes a new one
";
        assert_eq!(masters.text(), golden);
        assert!(!masters.are_well());
    }
}
