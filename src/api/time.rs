//! Times as Kubernetes writes them: RFC 3339 in UTC, with seconds or with microseconds.

use jiff::Timestamp;
use std::time::SystemTime;

/// `2026-01-02T15:04:05Z` (`metav1.Time`).
pub fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-01-02T15:04:05.000000Z` (`metav1.MicroTime`).
pub fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// A system time; one outside of the calendar reads as the epoch.
pub fn from_system(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Reads RFC 3339; `None` if it is not.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Whole seconds from `then` to `now`, both RFC 3339; negative if `then` is later.
pub fn elapsed(then: &str, now: &str) -> Option<i64> {
    Some(parse(now)?.duration_since(parse(then)?).as_secs())
}

/// `now` moved by so many seconds, RFC 3339 with seconds.
pub fn after(now: &str, by: i64) -> Option<String> {
    let moved = parse(now)?.checked_add(jiff::SignedDuration::from_secs(by)).ok()?;
    Some(seconds(moved))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn written_as_upstream_writes() {
        let at = super::parse("2026-01-02T15:04:05.1234567+01:00").unwrap();
        assert_eq!(super::seconds(at), "2026-01-02T14:04:05Z");
        assert_eq!(super::micros(at), "2026-01-02T14:04:05.123456Z");
        assert_eq!(super::elapsed("2026-01-02T15:04:05Z", "2026-01-02T15:05:06Z"), Some(61));
        assert_eq!(super::after("2026-01-02T15:04:05Z", -5).unwrap(), "2026-01-02T15:04:00Z");
    }
}
