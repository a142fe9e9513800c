//! Resource quantities (`resource.Quantity`): exact, in billionths, with upstream's canonical form.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

const NANO: i128 = 1_000_000_000;
const MOST: i128 = i64::MAX as i128 * NANO;
const DECIMAL: &[(&str, i32)] =
    &[("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: &[&str] = &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// How a quantity was written, and is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `100m`, `5k`.
    #[default]
    DecimalSi,
    /// `128Mi`.
    BinarySi,
    /// `12e3`.
    DecimalExponent,
}

/// A quantity. Equality and order look at the amount only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// The text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
pub struct Malformed;

impl Quantity {
    /// So many whole units.
    pub fn units(units: i64) -> Self {
        Self { nanos: i128::from(units) * NANO, format: Format::DecimalSi }
    }

    /// So many thousandths.
    pub fn millis(millis: i64) -> Self {
        Self { nanos: i128::from(millis) * (NANO / 1000), format: Format::DecimalSi }
    }

    /// So many bytes, written with binary suffixes.
    pub fn bytes(bytes: i64) -> Self {
        Self { nanos: i128::from(bytes) * NANO, format: Format::BinarySi }
    }

    /// Whole units, rounded up (away from zero).
    pub fn value(self) -> i64 {
        scaled(self.nanos, NANO)
    }

    /// Thousandths, rounded up (away from zero).
    pub fn milli_value(self) -> i64 {
        scaled(self.nanos, NANO / 1000)
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Below zero.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// How it is written.
    pub fn format(self) -> Format {
        self.format
    }
}

fn up(nanos: i128, unit: i128) -> i128 {
    nanos / unit + (nanos % unit).signum()
}

fn scaled(nanos: i128, unit: i128) -> i64 {
    let value = up(nanos, unit);
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

/// Upstream keeps the left side's way of writing, unless the left side is zero.
fn joined(left: Quantity, right: Quantity, nanos: i128) -> Quantity {
    let format = if left.nanos == 0 { right.format } else { left.format };
    Quantity { nanos: nanos.clamp(-MOST, MOST), format }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        joined(self, other, self.nanos + other.nanos)
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        joined(self, other, self.nanos - other.nanos)
    }
}

impl Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self { nanos: -self.nanos, ..self }
    }
}

impl FromStr for Quantity {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(Malformed);
        }
        let (format, scale) = scale(suffix)?;
        let nanos = amount(whole, fraction, scale);
        Ok(Self { nanos: if negative { -nanos } else { nanos }, format })
    }
}

enum Scale {
    Ten(i32),
    Two(u32),
}

fn scale(suffix: &str) -> Result<(Format, Scale), Malformed> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Ok((Format::DecimalSi, Scale::Ten(*power)));
    }
    if let Some(index) = BINARY.iter().position(|name| *name == suffix) {
        return Ok((Format::BinarySi, Scale::Two(10 * index as u32)));
    }
    let digits = suffix.strip_prefix(['e', 'E']).ok_or(Malformed)?;
    let power: i32 = digits.parse().map_err(|_| Malformed)?;
    Ok((Format::DecimalExponent, Scale::Ten(power)))
}

/// The amount in billionths: rounded up, capped.
fn amount(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let digits: String = whole.chars().chain(fraction.chars()).collect();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return 0;
    }
    let places = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
    let (power, factor) = match scale {
        Scale::Ten(power) => (power, 1),
        Scale::Two(shift) => (0, 1_i128 << shift),
    };
    // The value is digits · factor · 10^exponent billionths.
    let exponent = power.saturating_sub(places).saturating_add(9);
    // 30 digits always hold the cap's 28; what lies beyond can only round up.
    let (kept, dropped) = digits.split_at(digits.len().min(18 + 12));
    let exponent = exponent.saturating_add(i32::try_from(dropped.len()).unwrap_or(i32::MAX));
    let lost = dropped.bytes().any(|byte| byte != b'0');
    let mantissa: i128 = kept.parse().unwrap_or(i128::MAX);
    let Some(mantissa) = mantissa.checked_mul(factor) else {
        // A mantissa this long times a factor this large: either beyond the cap, or a fraction of very many digits.
        let whole = if exponent >= 0 { MOST } else { divided(mantissa, exponent, lost) };
        return whole.saturating_mul(factor).min(MOST);
    };
    if exponent >= 0 {
        let scaled = 10_i128.checked_pow(exponent.unsigned_abs()).and_then(|tens| mantissa.checked_mul(tens));
        return scaled.unwrap_or(MOST).min(MOST);
    }
    divided(mantissa, exponent, lost).min(MOST)
}

fn divided(mantissa: i128, exponent: i32, lost: bool) -> i128 {
    match 10_i128.checked_pow(exponent.unsigned_abs()) {
        Some(tens) if mantissa % tens == 0 && lost => mantissa / tens + 1,
        Some(tens) => up(mantissa, tens),
        None => 1,
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = self.nanos % NANO == 0;
        if self.format == Format::BinarySi && whole && self.nanos.abs() >= 1024 * NANO {
            let (mut mantissa, mut power) = (self.nanos / NANO, 0);
            while mantissa % 1024 == 0 && power + 1 < BINARY.len() {
                mantissa /= 1024;
                power += 1;
            }
            return write!(f, "{mantissa}{}", BINARY.get(power).copied().unwrap_or(""));
        }
        let (mut mantissa, mut exponent) = (self.nanos, -9);
        while mantissa % 1000 == 0 && exponent < 18 {
            mantissa /= 1000;
            exponent += 3;
        }
        if self.format == Format::DecimalExponent {
            return if exponent == 0 { write!(f, "{mantissa}") } else { write!(f, "{mantissa}e{exponent}") };
        }
        let suffix = DECIMAL.iter().find(|(_, power)| *power == exponent).map_or("", |(name, _)| name);
        write!(f, "{mantissa}{suffix}")
    }
}

#[cfg(test)]
#[path = "quantity_tests.rs"]
mod tests;
