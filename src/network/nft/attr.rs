//! Netlink attributes: type, length, value, padded to four bytes.

/// The attribute holds attributes.
const NESTED: u16 = 0x8000;

/// A buffer of attributes being written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Attrs(pub Vec<u8>);

impl Attrs {
    /// Appends raw bytes.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let start = self.open(kind);
        self.0.extend_from_slice(value);
        self.close(start);
        self
    }

    /// Appends a number in network byte order.
    pub fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends a number in network byte order.
    pub fn be64(&mut self, kind: u16, value: u64) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends a string with its closing zero.
    pub fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        let start = self.open(kind);
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
        self.close(start);
        self
    }

    /// Appends what `fill` writes as one nested attribute.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.open(kind | NESTED);
        fill(self);
        self.close(start);
        self
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.0.len();
        self.0.extend_from_slice(&[0, 0]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        // Writers keep below 64 KiB; what is longer would be refused by the kernel, not misread.
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        while !self.0.len().is_multiple_of(4) {
            self.0.push(0);
        }
    }
}

/// The attributes in a buffer; ends at the first malformed one.
pub fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]));
        let kind = u16::from_ne_bytes([*rest.get(2)?, *rest.get(3)?]) & 0x3fff;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of a type.
pub fn attribute(buffer: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(buffer).find(|(k, _)| *k == kind).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nested_attributes_are_read_back() {
        let mut attrs = Attrs::default();
        attrs.text(1, "abc").nest(2, |a| {
            a.be32(3, 7);
        });
        assert_eq!(attrs.0.len(), 8 + 4 + 8);
        assert_eq!(attribute(&attrs.0, 1), Some(&b"abc\0"[..]));
        let inner = attribute(&attrs.0, 2).unwrap_or_default();
        assert_eq!(attribute(inner, 3), Some(&[0, 0, 0, 7][..]));
        assert_eq!(attribute(&attrs.0, 9), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(attributes(&bytes).count() <= 50);
        }
    }
}
