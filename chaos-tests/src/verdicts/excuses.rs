//! Which fault excuses a failed request, and for how long.

use super::reigns::{Reign, reigns};
use crate::record::{Record, Request, Span, Stream};
use std::collections::BTreeSet;
use std::time::Duration;

/// After a fault's beginning and end, until masters that were not hit must answer again.
pub const SETTLE_API: Duration = Duration::from_secs(5);
/// Likewise pods on nodes that were not hit: a lost node is judged after some seconds, then left out of every Service.
pub const SETTLE_PODS: Duration = Duration::from_secs(15);

/// A node whose agent says nothing for longer may be taken for lost.
pub const SILENCE: Duration = Duration::from_secs(5);

/// The faults of a run, with the time that each excuses.
pub struct Excuses<'a> {
    spans: Vec<&'a Span>,
    masters: usize,
    reigns: Vec<Reign>,
}

fn over(span: &Span) -> Duration {
    span.over()
}

/// Pods may be taken away because of it.
pub fn moves_pods(span: &Span) -> bool {
    span.touch.pods || (span.touch.silent && over(span).saturating_sub(span.begun) >= SILENCE)
}

/// The host's disk may have lost, or not taken, what was written.
pub(super) fn breaks_disk(span: &Span, host: &str) -> bool {
    let breaks = span.kind == "power-cut" || span.kind.ends_with("-disk");
    breaks && span.skipped.is_none() && span.hit.contains(host)
}

fn within(at: Duration, until: Duration, from: Duration, to: Duration) -> bool {
    from <= until && at <= to
}

impl<'a> Excuses<'a> {
    /// Of a run.
    pub fn of(record: &'a Record) -> Self {
        let spans = record.spans.iter().filter(|span| span.skipped.is_none()).collect();
        Self { spans, masters: record.masters, reigns: reigns(record, Duration::MAX) }
    }

    /// The fault that excuses a failed request.
    pub fn excuse(&self, request: &Request) -> Option<&'a Span> {
        let (at, until) = (request.at, request.ended());
        if request.stream.is_api() {
            return self.api(request.stream, &request.through, at, until);
        }
        let through = &request.through;
        let names = || self.names(through, at, until).filter(|_| request.stream == Stream::Dns);
        let asker = || self.asker(through, at, until).filter(|_| request.stream.is_from_pods());
        self.pods(through, at, until).or_else(names).or_else(asker).or_else(|| self.unruled(through, at, until))
    }

    /// The pod that asks may have been hit itself.
    fn asker(&self, through: &str, at: Duration, until: Duration) -> Option<&'a Span> {
        let hit = |span: &Span| span.touch.pods && span.hit.contains(through);
        self.each().find(|span| hit(span) && within(at, until, span.begun, over(span).saturating_add(SETTLE_PODS)))
    }

    /// The node's agent, which follows what becomes of Services, was away so long that pods may have moved meanwhile.
    fn unruled(&self, through: &str, at: Duration, until: Duration) -> Option<&'a Span> {
        let hit = |span: &Span| span.touch.silent && moves_pods(span) && span.touch.hosts.contains(through);
        let from = |span: &Span| span.begun + SILENCE;
        self.each().find(|span| hit(span) && within(at, until, from(span), over(span).saturating_add(SETTLE_PODS)))
    }

    fn each(&self) -> impl Iterator<Item = &'a Span> + '_ {
        self.spans.iter().copied()
    }

    /// The node's agent, which resolves names, was away.
    fn names(&self, through: &str, at: Duration, until: Duration) -> Option<&'a Span> {
        let away = |span: &&Span| within(at, until, span.begun, over(span).saturating_add(SETTLE_API));
        self.each().filter(away).find(|span| span.touch.names && span.touch.hosts.contains(through))
    }

    fn api(&self, stream: Stream, through: &str, at: Duration, until: Duration) -> Option<&'a Span> {
        // Whoever leads answers at the virtual address, whatever becomes of the others. A member that comes and goes may
        // have come to lead.
        let concerns = |span: &Span| !stream.is_virtual() || span.touch.hosts.is_empty() || self.led(span);
        let direct = self.each().filter(|span| concerns(span)).find(|span| {
            let hit = span.touch.hosts.contains(through);
            let whole = within(at, until, span.begun, over(span).saturating_add(SETTLE_API));
            let moment = |from: Duration, to: Duration| within(at, until, from, to.saturating_add(SETTLE_API));
            // One that was started again may call for an election just before it says that it is ready.
            let ready = span.ready.map_or(Duration::MAX, |ready| ready.saturating_sub(SETTLE_API));
            let healed = span.until.unwrap_or(Duration::MAX);
            let moments =
                moment(span.begun, span.from) || moment(healed, healed) || moment(ready.max(healed), over(span));
            (hit && whole) || (span.touch.api && (moments || (span.touch.slow && self.led(span) && whole)))
        });
        direct.or_else(|| self.without_majority(at, until))
    }

    /// So many masters were hit at once that no majority was left; one of the faults that did it.
    pub(super) fn without_majority(&self, at: Duration, until: Duration) -> Option<&'a Span> {
        let active =
            |span: &&'a Span| span.touch.api && within(at, until, span.begun, over(span).saturating_add(SETTLE_API));
        let hosts = self.each().filter(active).flat_map(|span| &span.touch.hosts);
        let hit: BTreeSet<&String> = hosts.filter(|host| host.starts_with('m')).collect();
        if hit.len() * 2 >= self.masters.max(1) { self.each().find(active) } else { None }
    }

    /// One of the hosts that it hit led meanwhile.
    pub(super) fn led(&self, span: &Span) -> bool {
        let meanwhile = |reign: &&Reign| reign.from <= over(span) && span.begun <= reign.until;
        span.leader || self.reigns.iter().filter(meanwhile).any(|reign| span.touch.hosts.contains(&reign.leader))
    }

    fn pods(&self, through: &str, at: Duration, until: Duration) -> Option<&'a Span> {
        self.each().find(|span| {
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
        for span in self.each().filter(|span| span.touch.api && !std::ptr::eq(*span, own)) {
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
            |span: &&Span| moves_pods(span) && within(at, at, span.begun, over(span).saturating_add(SETTLE_PODS));
        self.each().find(disturbs)
    }

    /// A fault that may have taken a pod away from this node, or restarted it there, at that moment.
    pub(super) fn moved(&self, node: &str, at: Duration, late: impl Fn(&Span) -> Duration) -> Option<&'a Span> {
        let here = |span: &Span| span.hit.is_empty() || span.hit.contains(node);
        let end = |span: &Span| self.judged(span, over(span)).saturating_add(late(span));
        self.each().find(|span| moves_pods(span) && here(span) && within(at, at, span.begun, end(span)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Lead, Touch};

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn span(host: &str, from: u64, until: u64) -> Span {
        let (api, pods) = (host.starts_with('m'), host.starts_with('n'));
        let hit: BTreeSet<String> = [host.to_owned()].into();
        let touch = Touch { hosts: hit.clone(), api, pods, ..Touch::default() };
        let (begun, from) = (seconds(from), seconds(from));
        Span { begun, from, until: Some(seconds(until)), touch, hit, what: host.to_owned(), ..Span::default() }
    }

    fn excused(spans: Vec<Span>, stream: Stream, through: &str, at: u64) -> Option<String> {
        let lead = |at, leader: &str, term| Lead {
            at: seconds(at),
            says: "m3".to_owned(),
            leader: Some(leader.to_owned()),
            term,
        };
        let leads = vec![lead(0, "m1", 1), lead(200, "m2", 2)];
        let record = Record { spans, masters: 3, leads, ..Record::default() };
        let error = Some("no".to_owned());
        let (through, at, took) = (through.to_owned(), seconds(at), seconds(1));
        let request = Request { stream, through, keeps: None, at, took, error };
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
    fn a_host_that_was_started_again_is_excused_until_it_is_at_work() {
        let again = Span { ready: Some(seconds(155)), ..span("m1", 100, 140) };
        let at = |through, at| excused(vec![again.clone()], Stream::Write, through, at).is_some();
        assert!(at("m1", 150) && at("m1", 158) && !at("m1", 162));
        assert!(at("m2", 142) && !at("m2", 147) && at("m2", 153) && !at("m2", 161), "others for moments only");
        assert!(excused(vec![span("m1", 100, 140)], Stream::Write, "m1", 150).is_none());
    }

    #[test]
    fn a_slow_leader_excuses_others_as_long_as_it_is_slow_and_a_slow_follower_does_not() {
        let slow = |host, from, until| {
            let mut span = span(host, from, until);
            span.touch.slow = true;
            vec![span]
        };
        assert!(excused(slow("m1", 100, 140), Stream::Write, "m2", 120).is_some());
        assert!(excused(slow("m3", 100, 140), Stream::Write, "m2", 120).is_none());
        assert!(excused(slow("m1", 210, 250), Stream::Write, "m2", 230).is_none(), "another one leads by then");
        assert!(excused(slow("m2", 190, 250), Stream::Write, "m3", 230).is_some(), "it came to lead meanwhile");
    }

    #[test]
    fn what_had_nothing_to_hit_excuses_nothing() {
        let skipped = Span { skipped: Some("it does not run".to_owned()), ..span("m1", 100, 140) };
        assert!(excused(vec![skipped], Stream::Write, "m1", 120).is_none());
    }

    #[test]
    fn an_agent_that_was_silent_for_long_excuses_its_own_node_and_a_short_silence_nothing() {
        let silent = |until| {
            let mut span = span("n1", 100, until);
            span.touch = Touch { pods: false, names: true, silent: true, ..span.touch };
            vec![span]
        };
        let at = |until, through, at| excused(silent(until), Stream::NodePort, through, at).is_some();
        assert!(at(130, "n1", 120) && at(130, "n1", 140) && !at(130, "n1", 102) && !at(130, "n2", 120));
        assert!(!at(103, "n1", 102) && !at(103, "n1", 106));
    }

    #[test]
    fn a_pod_that_was_hit_itself_may_not_ask_and_its_node_goes_on() {
        let mut paused = span("n1", 100, 140);
        paused.touch.hosts.clear();
        let at = |stream, through| excused(vec![paused.clone()], stream, through, 125).is_some();
        assert!(at(Stream::ClusterIp, "n1") && at(Stream::Dns, "n1"));
        assert!(!at(Stream::NodePort, "n1") && !at(Stream::ClusterIp, "n2"));
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
