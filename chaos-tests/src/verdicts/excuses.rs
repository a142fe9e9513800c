//! Which fault excuses a failed request, and for how long.

use crate::record::{Record, Request, Span, Stream};
use std::collections::BTreeSet;
use std::time::Duration;

/// After a fault's beginning and end, until masters that were not hit must answer again.
pub const SETTLE_API: Duration = Duration::from_secs(5);
/// Likewise pods on nodes that were not hit: a lost node is judged after some seconds, then left out of every Service.
pub const SETTLE_PODS: Duration = Duration::from_secs(15);

/// The faults of a run, with the time that each excuses.
pub struct Excuses<'a> {
    spans: &'a [Span],
    masters: usize,
}

fn over(span: &Span) -> Duration {
    span.until.unwrap_or(Duration::MAX)
}

fn within(at: Duration, until: Duration, from: Duration, to: Duration) -> bool {
    from <= until && at <= to
}

impl<'a> Excuses<'a> {
    /// Of a run.
    pub fn of(record: &'a Record) -> Self {
        Self { spans: &record.spans, masters: record.masters }
    }

    /// The fault that excuses a failed request.
    pub fn excuse(&self, request: &Request) -> Option<&'a Span> {
        let (at, until) = (request.at, request.ended());
        if request.stream.is_api() {
            return self.api(&request.through, at, until);
        }
        let names = || self.names(&request.through, at, until).filter(|_| request.stream == Stream::Dns);
        self.pods(&request.through, at, until).or_else(names)
    }

    /// The node's agent, which resolves names, was away.
    fn names(&self, through: &str, at: Duration, until: Duration) -> Option<&'a Span> {
        let away = |span: &&Span| within(at, until, span.begun, over(span).saturating_add(SETTLE_API));
        self.spans.iter().filter(away).find(|span| span.touch.names && span.touch.hosts.contains(through))
    }

    fn api(&self, through: &str, at: Duration, until: Duration) -> Option<&'a Span> {
        let direct = self.spans.iter().find(|span| {
            let hit = span.touch.hosts.contains(through);
            let moment = |from: Duration| within(at, until, from, from.saturating_add(SETTLE_API));
            (hit && within(at, until, span.begun, over(span).saturating_add(SETTLE_API)))
                || (span.touch.api && (within(at, until, span.begun, span.from + SETTLE_API) || moment(over(span))))
        });
        direct.or_else(|| self.without_majority(at, until))
    }

    /// So many masters were hit at once that no majority was left; one of the faults that did it.
    fn without_majority(&self, at: Duration, until: Duration) -> Option<&'a Span> {
        let active =
            |span: &&Span| span.touch.api && within(at, until, span.begun, over(span).saturating_add(SETTLE_API));
        let hosts = self.spans.iter().filter(active).flat_map(|span| &span.touch.hosts);
        let hit: BTreeSet<&String> = hosts.filter(|host| host.starts_with('m')).collect();
        if hit.len() * 2 >= self.masters.max(1) { self.spans.iter().find(active) } else { None }
    }

    fn pods(&self, through: &str, at: Duration, until: Duration) -> Option<&'a Span> {
        self.spans.iter().find(|span| {
            let hit = span.touch.hosts.contains(through) && span.touch.pods;
            let end = over(span);
            (hit && within(at, until, span.begun, end.saturating_add(SETTLE_PODS)))
                || (span.touch.pods
                    && (within(at, until, span.begun, self.judged(span, span.from))
                        || within(at, until, end, self.judged(span, end))))
        })
    }

    /// When the masters have drawn the consequences of what began then: later, if they were disturbed meanwhile.
    fn judged(&self, own: &Span, from: Duration) -> Duration {
        let mut end = from.saturating_add(SETTLE_PODS);
        // Each disturbance begins a new grace; those that begin within it prolong it once more.
        for span in self.spans.iter().filter(|span| span.touch.api && !std::ptr::eq(*span, own)) {
            for moment in [span.from, over(span)] {
                if from <= moment && moment <= end {
                    end = moment.saturating_add(SETTLE_PODS);
                }
            }
        }
        end
    }

    /// A fault that may have taken pods away at that moment.
    pub fn pods_disturbed(&self, at: Duration) -> Option<&'a Span> {
        let disturbs =
            |span: &&Span| span.touch.pods && within(at, at, span.begun, over(span).saturating_add(SETTLE_PODS));
        self.spans.iter().find(disturbs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Touch;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn span(host: &str, from: u64, until: u64) -> Span {
        let (api, pods) = (host.starts_with('m'), host.starts_with('n'));
        let touch = Touch { hosts: [host.to_owned()].into(), api, pods, names: false };
        let (begun, from) = (seconds(from), seconds(from));
        Span { begun, from, until: Some(seconds(until)), touch, what: host.to_owned(), ..Span::default() }
    }

    fn excused(spans: Vec<Span>, stream: Stream, through: &str, at: u64) -> Option<String> {
        let record = Record { spans, masters: 3, ..Record::default() };
        let error = Some("no".to_owned());
        let request = Request { stream, through: through.to_owned(), at: seconds(at), took: seconds(1), error };
        Excuses::of(&record).excuse(&request).map(|span| span.what.clone())
    }

    #[test]
    fn a_master_that_was_hit_may_fail_as_long_as_that_lasts_and_others_for_a_moment() {
        let at = |through, at| excused(vec![span("m1", 100, 140)], Stream::Write, through, at);
        assert_eq!(at("m1", 120).as_deref(), Some("m1"));
        assert_eq!(at("m2", 102).as_deref(), Some("m1"));
        assert_eq!(at("m2", 120), None, "long after the failover");
        assert_eq!(at("m2", 98), None, "before");
        assert_eq!(at("m2", 142).as_deref(), Some("m1"), "when it comes back");
        assert_eq!(at("m1", 160), None);
    }

    #[test]
    fn two_masters_of_three_excuse_the_third() {
        let two = vec![span("m1", 100, 140), span("m2", 110, 150)];
        assert!(excused(two.clone(), Stream::Write, "m3", 130).is_some());
        assert!(excused(two, Stream::Write, "m3", 170).is_none());
    }

    #[test]
    fn masters_excuse_no_pods_and_nodes_no_masters() {
        assert_eq!(excused(vec![span("m1", 100, 140)], Stream::NodePort, "n1", 110), None);
        assert_eq!(excused(vec![span("n1", 100, 140)], Stream::Read, "m1", 101), None);
    }

    #[test]
    fn an_agent_that_is_away_excuses_names_on_its_node_and_nothing_else() {
        let mut agent = span("n1", 100, 110);
        agent.touch = Touch { pods: false, names: true, ..agent.touch };
        let at = |stream, through, at| excused(vec![agent.clone()], stream, through, at).is_some();
        assert!(at(Stream::Dns, "n1", 105) && !at(Stream::Dns, "n2", 105) && !at(Stream::Dns, "n1", 120));
        assert!(!at(Stream::ClusterIp, "n1", 105) && !at(Stream::NodePort, "n1", 105));
    }

    #[test]
    fn an_endpoint_must_be_withdrawn_in_time() {
        let lost = vec![span("n1", 100, 190)];
        assert!(excused(lost.clone(), Stream::ClusterIp, "n2", 110).is_some());
        assert!(excused(lost.clone(), Stream::ClusterIp, "n2", 125).is_none(), "it should have been");
        assert!(excused(lost.clone(), Stream::ClusterIp, "n1", 125).is_some(), "its own node");
        // A new leader gives every node a new grace.
        let more = [lost, vec![span("m1", 112, 150)]].concat();
        assert!(excused(more, Stream::ClusterIp, "n2", 125).is_some());
    }
}
