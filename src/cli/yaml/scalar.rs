//! What a plain scalar is.

use serde_json::{Number, Value};

/// A plain scalar, resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `~`, `null` or nothing.
    Null,
    /// Also `yes`, `off` and the like.
    Bool(bool),
    /// In JSON's terms: a float without a fraction is an integer.
    Number(Number),
    /// An infinity, or none: JSON has no word for it.
    NotFinite,
    /// `<<`, as a key.
    Merge,
    /// A string.
    Text,
}

impl Scalar {
    /// As JSON; `None`: it has no word for it.
    pub fn into_value(self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => flag.into(),
            Self::Number(number) => number.into(),
            Self::Merge | Self::Text => text.into(),
            Self::NotFinite => return None,
        })
    }
}

/// Resolves a plain scalar as kubectl's parser does: YAML 1.1 without numbers to the base of 60, and times are strings.
pub fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => Scalar::NotFinite,
        "<<" => Scalar::Merge,
        _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            number(text).unwrap_or(Scalar::Text)
        }
        _ => Scalar::Text,
    }
}

fn number(text: &str) -> Option<Scalar> {
    let plain = text.replace('_', "");
    if let Some(number) = integer(&plain) {
        return Some(Scalar::Number(number));
    }
    if !is_float(&plain) {
        return None;
    }
    let float: f64 = plain.parse().ok()?;
    // Beyond, neither 64 bits nor JSON's usual readers hold it as an integer.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if float.fract() == 0.0 && float.abs() <= WHOLE {
        return Some(Scalar::Number(Number::from(float as i64)));
    }
    // What is too large stays a string.
    Number::from_f64(float).map(Scalar::Number)
}

/// Decimal, `0x`, `0o`, `0b`, and with a leading zero octal.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'o' | b'O', ..] => (&digits[2..], 8),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    if negative {
        return i64::from_str_radix(&format!("-{digits}"), radix).ok().map(Number::from);
    }
    u64::from_str_radix(digits, radix).ok().map(Number::from)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let some = !whole.is_empty() || mantissa.starts_with('.') && !fraction.is_empty();
    some && digits(whole) && digits(fraction) && digits(exponent) && !exponent.is_empty()
}

/// Some parser of YAML 1.1 takes it for something else than a string: it is to be quoted.
pub(super) fn is_ambiguous(text: &str) -> bool {
    resolve(text) != Scalar::Text || text == "=" || is_time(text) || is_sexagesimal(text)
}

/// `2001-1-2` and what begins so.
fn is_time(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let mut digits = |from: usize, to: usize| {
        let length = parts.next().map_or(0, |part| part.bytes().take_while(u8::is_ascii_digit).count());
        (from..=to).contains(&length)
    };
    digits(4, 4) && digits(1, 2) && digits(1, 2)
}

/// `12:30:00`.
fn is_sexagesimal(text: &str) -> bool {
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '_' || c == '.');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    unsigned.starts_with(|c: char| c.is_ascii_digit()) && unsigned.contains(':') && unsigned.split(':').all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_are_what_kubectl_takes_them_for() {
        for (text, wanted) in [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("y", json!(true)),
            ("yEs", json!("yEs")),
            ("~", json!(null)),
            ("0400", json!(256)),
            ("-010", json!(-8)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("08", json!(8)),
            ("1_000", json!(1000)),
            ("+7", json!(7)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            ("1.0", json!(1)),
            ("1e3", json!(1000)),
            (".5", json!(0.5)),
            ("1e400", json!("1e400")),
            ("12:30:00", json!("12:30:00")),
            ("2001-01-02", json!("2001-01-02")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("500m", json!("500m")),
            ("1e", json!("1e")),
            ("-", json!("-")),
            (".", json!(".")),
            ("--1", json!("--1")),
            ("0x", json!("0x")),
            ("0x-1", json!("0x-1")),
            ("1_", json!(1)),
        ] {
            assert_eq!(resolve(text).into_value(text).unwrap_or_default(), wanted, "{text}");
        }
    }

    #[test]
    fn what_any_parser_would_change_is_ambiguous() {
        for text in
            ["n", "NO", "on", "1_000", "0400", "12:30:00", "2001-01-02T10:00:00Z", "", "~", "=", "<<", "1e3", ".inf"]
        {
            assert!(is_ambiguous(text), "{text}");
        }
        for text in ["nginx:1.25", "10.0.0.1", "a", "yEs", "1.2.3", "sha256:12", "7d9f-x", "x-1"] {
            assert!(!is_ambiguous(text), "{text}");
        }
    }
}
