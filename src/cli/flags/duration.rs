//! Durations as Go writes them: `30s`, `1h30m`, `0`.

use std::time::Duration;

/// Reads a duration.
///
/// # Errors
/// It is none; a number needs its unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?}: write a duration like 10s, 2m or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = 0f64;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (value, after) = rest.split_at(number);
        let value: f64 = value.parse().map_err(|_| wrong())?;
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        total += value
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return Err(wrong()),
            };
        rest = after;
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

/// The same for a patience, where a bare number is seconds (as kubectl's `--request-timeout` has it).
///
/// # Errors
/// It is neither.
pub fn timeout(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).or_else(|_| duration(text))
}
