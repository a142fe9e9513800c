//! Sets of completion indexes as Kubernetes writes them: `1,3-5,7` (`batch/v1 JobStatus.completedIndexes`).

use std::fmt;

/// Indexes as ordered, disjoint, non-adjacent intervals, both ends included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    intervals: Vec<(u32, u32)>,
}

impl Indexes {
    /// Reads `1,3-5,7`. Indexes from `count` on are an error.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(text: &str, count: u32) -> Result<Self, String> {
        let mut found = Self::default();
        if text.is_empty() {
            return Ok(found);
        }
        let number = |text: &str| {
            let number = text.parse::<u32>().map_err(|_| format!("cannot convert {text:?} to an index"))?;
            if number < count { Ok(number) } else { Err(format!("index {number} is not below {count}")) }
        };
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if first > last {
                return Err(format!("the interval {part:?} ends before it begins"));
            }
            if found.intervals.last().is_some_and(|(_, end)| first <= *end) {
                return Err(format!("{part:?} does not come after what stands before it"));
            }
            found.push(first, last);
        }
        Ok(found)
    }

    /// Reads what the server wrote itself; what does not belong (a shrunk job's higher indexes, broken text) is left out.
    pub fn below(text: &str, count: u32) -> Self {
        let mut all = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>())
                && first <= last
                && first < count
            {
                all.push((first, last.min(count - 1)));
            }
        }
        all.sort_unstable();
        let mut found = Self::default();
        all.into_iter().for_each(|(first, last)| found.push(first, last));
        found
    }

    /// Adds an interval that begins no earlier than the last one.
    fn push(&mut self, first: u32, last: u32) {
        match self.intervals.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => self.intervals.push((first, last)),
        }
    }

    /// Of these indexes, in any order.
    pub fn of(indexes: impl IntoIterator<Item = u32>) -> Self {
        let mut all: Vec<u32> = indexes.into_iter().collect();
        all.sort_unstable();
        let mut found = Self::default();
        all.into_iter().for_each(|index| found.push(index, index));
        found
    }

    /// Both together.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let mut all: Vec<(u32, u32)> = self.intervals.iter().chain(&other.intervals).copied().collect();
        all.sort_unstable();
        let mut found = Self::default();
        all.into_iter().for_each(|(first, last)| found.push(first, last));
        found
    }

    /// An index is among them.
    pub fn has(&self, index: u32) -> bool {
        let at = self.intervals.partition_point(|(_, last)| *last < index);
        self.intervals.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.intervals.iter().map(|(first, last)| (last - first) as usize + 1).sum()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// How many are in both.
    pub fn common(&self, other: &Self) -> usize {
        let (mut a, mut b, mut count) = (0, 0, 0);
        while let (Some(left), Some(right)) = (self.intervals.get(a), other.intervals.get(b)) {
            let (first, last) = (left.0.max(right.0), left.1.min(right.1));
            if first <= last {
                count += (last - first) as usize + 1;
            }
            if left.1 < right.1 { a += 1 } else { b += 1 }
        }
        count
    }
}

/// `1,3-5,7`; two neighbours are written as two (`1,2`), as upstream does.
impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.intervals.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn written_and_read() {
        for text in ["", "0", "1,2", "1-3", "0,2,4-6,8,9"] {
            assert_eq!(Indexes::parse(text, 10).unwrap().to_string(), text);
            assert_eq!(Indexes::below(text, 10).to_string(), text);
        }
        for wrong in ["a", "1-", "3-1", "1,1", "2,1", "10", "1-10", "-1", ","] {
            assert!(Indexes::parse(wrong, 10).is_err(), "{wrong}");
        }
        assert_eq!(Indexes::below("0,3-7,9,x", 6).to_string(), "0,3-5");
    }

    proptest! {
        #[test]
        fn as_a_set_would_be(a in prop::collection::btree_set(0..40_u32, 0..20), b in prop::collection::btree_set(0..40_u32, 0..20)) {
            let (left, right) = (Indexes::of(a.iter().copied()), Indexes::of(b.iter().copied()));
            prop_assert_eq!(left.len(), a.len());
            prop_assert!((0..40).all(|index| left.has(index) == a.contains(&index)));
            prop_assert_eq!(left.common(&right), a.intersection(&b).count());
            prop_assert_eq!(left.with(&right), Indexes::of(a.union(&b).copied()));
            prop_assert_eq!(&Indexes::below(&left.to_string(), 40), &left);
            prop_assert_eq!(&Indexes::parse(&left.to_string(), 40).unwrap(), &left);
        }
    }
}
