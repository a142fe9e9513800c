use super::resume::Resume;

fn taken(resume: &mut Resume, lines: &[&str]) -> Vec<String> {
    let text = |line: &&str| resume.accept(line.as_bytes()).map(|line| String::from_utf8_lossy(line.text).into_owned());
    lines.iter().filter_map(text).collect()
}

#[test]
fn no_line_twice_and_none_missing() {
    let mut resume = Resume::default();
    let first = ["2026-01-01T00:00:01.1Z a", "2026-01-01T00:00:01.2Z b", "2026-01-01T00:00:01.2Z c"];
    assert_eq!(taken(&mut resume, &first), ["a", "b", "c"]);
    assert_eq!(resume.since(), Some("2026-01-01T00:00:01.2Z"));
    resume.again();
    // Everything of that second comes again; the third line with the newest time is new.
    let second = [
        "2026-01-01T00:00:01.1Z a",
        "2026-01-01T00:00:01.200000000Z b",
        "2026-01-01T00:00:01.2Z c",
        "2026-01-01T00:00:01.2Z d",
        "2026-01-01T00:00:01.25Z e",
    ];
    assert_eq!(taken(&mut resume, &second), ["d", "e"]);
    resume.again();
    assert_eq!(taken(&mut resume, &["2026-01-01T00:00:01.25Z e", "2026-01-01T00:00:02Z "]), [""]);
}

#[test]
fn a_clock_that_steps_back_loses_nothing_before_a_resume() {
    let mut resume = Resume::default();
    assert_eq!(taken(&mut resume, &["2026-01-01T00:00:05Z a", "2026-01-01T00:00:04Z b"]), ["a", "b"]);
}

#[test]
fn a_clock_that_steps_back_after_a_resume_loses_nothing_either() {
    let mut resume = Resume::default();
    assert_eq!(taken(&mut resume, &["2026-01-01T00:00:05Z a"]), ["a"]);
    resume.again();
    let again =
        ["2026-01-01T00:00:04Z z", "2026-01-01T00:00:05Z a", "2026-01-01T00:00:06Z b", "2026-01-01T00:00:03Z c"];
    assert_eq!(taken(&mut resume, &again), ["b", "c"]);
}
