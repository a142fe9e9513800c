#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Quantity {
    text.parse().unwrap()
}

#[test]
fn canonical_forms_as_upstream_writes_them() {
    for (text, canonical) in [
        ("0", "0"),
        ("0Gi", "0"),
        ("-0", "0"),
        ("1", "1"),
        ("+1", "1"),
        ("-1", "-1"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("5.", "5"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1.5", "1500m"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1000k", "1M"),
        ("100k", "100k"),
        ("1024Ki", "1Mi"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("100Mi", "100Mi"),
        ("0.5Ki", "512"),
        ("1000Ki", "1000Ki"),
        ("0.1m", "100u"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("-0.1n", "-1n"),
        ("12e3", "12e3"),
        ("12E3", "12e3"),
        ("1200e1", "12e3"),
        ("1e-3", "1e-3"),
        ("10e0", "10"),
        ("1E", "1E"),
        ("4000000", "4M"),
        ("9223372036854775807", "9223372036854775807"),
        ("99999999999999999999999999", "9223372036854775807"),
        ("100E", "9223372036854775807"),
        ("8Ei", "9223372036854775807"),
        ("123456789012345678901234567890e-20", "1234567890123456790e-9"),
    ] {
        assert_eq!(parse(text).to_string(), canonical, "{text}");
    }
}

#[test]
fn refused() {
    for text in ["", "-", "1x", "Mi", "1.2.3", "1 Mi", "1mi", "1e", "0x1", "1K", "--1", "1.5.Gi", "١"] {
        assert!(text.parse::<Quantity>().is_err(), "{text}");
    }
}

#[test]
fn values_round_up() {
    assert_eq!(parse("1500m").value(), 2);
    assert_eq!(parse("-1500m").value(), -2);
    assert_eq!(parse("1u").milli_value(), 1);
    assert_eq!(parse("128Mi").value(), 134_217_728);
    assert_eq!(parse("9223372036854775807").milli_value(), i64::MAX);
}

#[test]
fn sums_keep_the_left_format() {
    assert_eq!((parse("1Gi") + parse("512Mi")).to_string(), "1536Mi");
    assert_eq!((parse("100m") + parse("0.9")).to_string(), "1");
    assert_eq!((Quantity::default() + parse("1Gi")).to_string(), "1Gi");
    assert_eq!((parse("1") - parse("250m")).to_string(), "750m");
}

proptest! {
    #[test]
    fn written_and_read_it_is_the_same(number in -1_000_000_000_000_i64..1_000_000_000_000, suffix in 0..16_usize) {
        let suffixes = ["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti", "T", "e3", "e-3", "E-9", "P"];
        let quantity = parse(&format!("{number}{}", suffixes[suffix]));
        let shown = quantity.to_string();
        prop_assert_eq!(parse(&shown), quantity);
        prop_assert_eq!(parse(&shown).to_string(), shown);
    }

    #[test]
    fn order_and_sum_are_those_of_numbers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
        let (left, right) = (Quantity::millis(a), Quantity::millis(b));
        prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        prop_assert_eq!((left + right).milli_value(), a + b);
    }

    #[test]
    fn never_panics(text in "[-+0-9.eEimkKMGTPn]{0,40}") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            prop_assert_eq!(parse(&quantity.to_string()), quantity);
        }
    }
}
