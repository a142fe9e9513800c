//! The time line: faults over leadership, availability and latency. SVG.

use super::model::Model;
use crate::record::{Span, Stream};
use std::fmt::Write;
use std::time::Duration;

const LEFT: f64 = 150.0;
const WIDTH: f64 = 1180.0;
const ROW: f64 = 18.0;

/// Text as it may stand in a page.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn colour(kind: &str) -> &'static str {
    match kind {
        "kill" | "terminate" | "host-loss" | "power-cut" | "unplug" => "#c2410c",
        "pause" | "starve" | "starve-host" | "clock-jump" | "expired-certificate" => "#a16207",
        "partition" | "flap" | "loss" | "duplicate" | "delay" | "slow-link" => "#1d4ed8",
        "slow-disk" | "full-disk" | "read-only-disk" | "hung-disk" | "failed-disk" => "#7e22ce",
        word if ["container", "supervisor", "guard"].iter().any(|part| word.ends_with(part)) => "#be185d",
        _ => "#0f766e",
    }
}

fn host_colour(host: &str) -> &'static str {
    match host {
        "m1" => "#0ea5e9",
        "m2" => "#22c55e",
        "m3" => "#f59e0b",
        _ => "#64748b",
    }
}

struct Chart<'a> {
    model: &'a Model<'a>,
    /// What lies below all else.
    ground: String,
    text: String,
    y: f64,
    /// Where the rows below the faults begin.
    rows: f64,
}

impl Chart<'_> {
    fn x(&self, at: Duration) -> f64 {
        let whole = self.model.end.as_secs_f64().max(1.0);
        LEFT + (WIDTH - LEFT) * (at.as_secs_f64() / whole).min(1.0)
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a string does not fail.
        let _ = self.text.write_fmt(text);
        self.text.push('\n');
    }

    fn below(&mut self, text: std::fmt::Arguments<'_>) {
        // As above.
        let _ = self.ground.write_fmt(text);
        self.ground.push('\n');
    }

    fn label(&mut self, y: f64, text: &str) {
        let x = LEFT - 8.0;
        self.put(format_args!(r#"<text class="label" x="{x}" y="{y:.1}">{}</text>"#, escape(text)));
    }

    /// Bars of faults, each in the first row where it fits, with its words beside it.
    fn faults(&mut self) {
        let mut rows: Vec<f64> = Vec::new();
        let top = self.y;
        self.label(top + 13.0, "faults");
        let mut spans: Vec<&Span> = self.model.record.spans.iter().collect();
        spans.retain(|span| span.skipped.is_none());
        spans.sort_by_key(|span| span.begun);
        for span in spans {
            let (from, to) = (self.x(span.begun), self.x(span.until.unwrap_or(self.model.end)));
            let to = to.max(from + 3.0);
            let mark_width = if span.leader || span.error.is_some() { 46.0 } else { 0.0 };
            let words = 5.4 * span.what.chars().count() as f64 + 8.0 + mark_width;
            // Words stand to the right of the bar; at the right edge they stand to the left of it.
            let inside = to + words < WIDTH;
            let (begin, end) = if inside { (from, to + words) } else { (from - words, to) };
            let row = rows.iter().position(|free| *free <= begin).unwrap_or(rows.len());
            match rows.get_mut(row) {
                Some(free) => *free = end,
                None => rows.push(end),
            }
            let (y, width) = (top + row as f64 * ROW, to - from);
            let (fill, what) = (colour(&span.kind), escape(&span.what));
            let seconds = span.until.map_or(0.0, |until| (until.saturating_sub(span.begun)).as_secs_f64());
            self.put(format_args!(
                r#"<rect x="{from:.1}" y="{y:.1}" width="{width:.1}" height="12" rx="2" fill="{fill}"><title>{what}: {:.1} s, for {seconds:.1} s</title></rect>"#,
                span.begun.as_secs_f64()
            ));
            let (x, anchor) = if inside { (to + 4.0, "start") } else { (from - 4.0, "end") };
            let mark = match (span.error.is_some(), span.leader) {
                (true, _) => " (failed)",
                (false, true) => " (leader)",
                (false, false) => "",
            };
            self.put(format_args!(
                r#"<text class="fault" x="{x:.1}" y="{:.1}" text-anchor="{anchor}" fill="{fill}">{what}{mark}</text>"#,
                y + 10.0
            ));
        }
        self.y = top + rows.len().max(1) as f64 * ROW + 10.0;
        self.rows = self.y;
    }

    fn leadership(&mut self) {
        let y = self.y;
        self.label(y + 12.0, "leader");
        for reign in &self.model.reigns {
            let (from, to) = (self.x(reign.from), self.x(reign.until));
            let (width, fill, leader) = ((to - from).max(1.0), host_colour(&reign.leader), escape(&reign.leader));
            self.put(format_args!(
                r#"<rect x="{from:.1}" y="{y:.1}" width="{width:.1}" height="16" fill="{fill}"><title>{leader} in term {} from {:.1} s on</title></rect>"#,
                reign.term,
                reign.from.as_secs_f64()
            ));
            if width > 22.0 {
                self.put(format_args!(r#"<text class="in" x="{:.1}" y="{:.1}">{leader}</text>"#, from + 4.0, y + 12.0));
            }
        }
        self.y += 26.0;
    }

    /// A column for each second: how many of its requests were answered.
    fn availability(&mut self) {
        let high = 22.0;
        for (stream, seconds) in &self.model.seconds {
            let y = self.y;
            self.label(y + 14.0, stream.name());
            for (number, second) in seconds.iter().enumerate() {
                let all = second.good + second.excused + second.failed;
                if all == 0 {
                    continue;
                }
                let from = self.x(Duration::from_secs(number as u64));
                let width = (self.x(Duration::from_secs(number as u64 + 1)) - from).max(0.8);
                let mut at = y + high;
                for (count, class, word) in [
                    (second.good, "good", "answered"),
                    (second.excused, "excused", "failed, excused"),
                    (second.failed, "bad", "failed"),
                ] {
                    let part = high * count as f64 / all as f64;
                    at -= part;
                    if count > 0 {
                        self.put(format_args!(
                            r#"<rect class="{class}" x="{from:.2}" y="{at:.2}" width="{width:.2}" height="{part:.2}"><title>{number} s: {count} of {all} {word}</title></rect>"#
                        ));
                    }
                }
            }
            self.y += high + 6.0;
        }
        self.y += 6.0;
    }

    /// Median and 99th percentile of writes, in powers of ten.
    fn latency(&mut self) {
        self.label(self.y + 10.0, "latency of writes");
        let (high, top) = (90.0, self.y + 22.0);
        let y = |took: Duration| {
            let decades = (took.as_secs_f64() * 1000.0).max(1.0).log10() / 4.0;
            top + high - high * decades.clamp(0.0, 1.0)
        };
        for ms in [1u64, 10, 100, 1000, 10_000] {
            let at = y(Duration::from_millis(ms));
            self.put(format_args!(r#"<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{at:.1}" y2="{at:.1}"/>"#));
            let words = if ms < 1000 { format!("{ms} ms") } else { format!("{} s", ms / 1000) };
            self.label(at + 4.0, &words);
        }
        for (percent, class) in [(99, "p99"), (50, "p50")] {
            let mut path = String::new();
            for (number, second) in self.model.seconds.get(&Stream::Write).into_iter().flatten().enumerate() {
                let Some(took) = second.percentile(percent) else {
                    continue;
                };
                let letter = if path.is_empty() { 'M' } else { 'L' };
                let x = self.x(Duration::from_millis(number as u64 * 1000 + 500));
                // As above.
                let _ = write!(path, "{letter}{x:.1} {:.1} ", y(took));
            }
            self.put(format_args!(r#"<path class="{class}" d="{path}"/>"#));
        }
        self.y = top + high + 8.0;
    }

    /// What was wrong when, behind all rows.
    fn bands(&mut self) {
        let (top, high) = (self.rows - 4.0, self.y - self.rows);
        let spans = self.model.record.spans.iter().filter(|span| span.skipped.is_none());
        for span in spans {
            let (from, to) = (self.x(span.begun), self.x(span.until.unwrap_or(self.model.end)));
            let (width, fill) = ((to - from).max(1.5), colour(&span.kind));
            self.below(format_args!(
                r#"<rect x="{from:.1}" y="{top:.1}" width="{width:.1}" height="{high:.1}" fill="{fill}" opacity=".12"/>"#
            ));
        }
    }

    fn axis(&mut self) {
        let (y, whole) = (self.y, self.model.end.as_secs());
        let step = [5, 10, 15, 30, 60, 120, 300, 600].into_iter().find(|step| whole / step <= 16).unwrap_or(900);
        for at in (0..=whole).step_by(step as usize) {
            let x = self.x(Duration::from_secs(at));
            self.below(format_args!(r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="0" y2="{y:.1}"/>"#));
            self.put(format_args!(r#"<text class="tick" x="{x:.1}" y="{:.1}">{at} s</text>"#, y + 14.0));
        }
        if let Some(healed) = self.model.record.healed {
            let x = self.x(healed);
            self.put(format_args!(r#"<line class="healed" x1="{x:.1}" x2="{x:.1}" y1="0" y2="{y:.1}"/>"#));
            self.put(format_args!(
                r#"<text class="tick healed-word" x="{x:.1}" y="{:.1}">all healed</text>"#,
                y + 28.0
            ));
        }
        self.y += 36.0;
    }
}

const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#334155}.label{text-anchor:end}.fault{font-size:10px}\
.in{fill:#fff;font-weight:600}.tick{text-anchor:middle;fill:#64748b}.grid{stroke:#e2e8f0;stroke-width:1}\
.good{fill:#4ade80}.excused{fill:#fbbf24}.bad{fill:#dc2626}.p99{fill:none;stroke:#94a3b8;stroke-width:1}\
.p50{fill:none;stroke:#1e40af;stroke-width:1.6}.healed{stroke:#16a34a;stroke-width:1.4;stroke-dasharray:4 3}\
.healed-word{fill:#16a34a}";

/// The picture.
pub(super) fn svg(model: &Model<'_>) -> String {
    let mut chart = Chart { model, ground: String::new(), text: String::new(), y: 8.0, rows: 0.0 };
    chart.faults();
    chart.leadership();
    chart.availability();
    chart.latency();
    chart.bands();
    chart.axis();
    let (height, body) = (chart.y, chart.ground + &chart.text);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height:.0}\" width=\"{}\" height=\"{height:.0}\">\
         <style>{STYLE}</style>\n{body}</svg>\n",
        WIDTH + 20.0,
        WIDTH + 20.0
    )
}
