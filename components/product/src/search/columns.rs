//! Price and maker of every product of a block, in one value: what filters need.

/// Bytes of a row: 4 of the price, 8 of the maker.
const ROW: usize = 12;

/// What a filter knows of a product.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// As [`price`].
    pub(super) price: u32,
    /// As [`maker`].
    pub(super) maker: u64,
}

impl Row {
    /// Of a product.
    pub(super) fn new(price_minor: u64, artisan_id: &str) -> Self {
        Self { price: price(price_minor), maker: maker(artisan_id) }
    }
}

/// A price in minor units; above 42 million euros all are the same.
pub(super) fn price(minor: u64) -> u32 {
    u32::try_from(minor).unwrap_or(u32::MAX)
}

/// A short name of an artisan (FNV-1a, 64 bits).
pub(super) fn maker(artisan_id: &str) -> u64 {
    artisan_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The value with a row in it; `None` where it is in already.
pub(super) fn with(bytes: &[u8], place: u32, new: Row) -> Option<Vec<u8>> {
    let start = place as usize * ROW;
    if bytes.len() >= start + ROW && row(bytes, place) == new {
        return None;
    }
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().max(start + ROW), 0);
    if let Some(slot) = bytes.get_mut(start..start + ROW) {
        let (price, maker) = slot.split_at_mut(4);
        price.copy_from_slice(&new.price.to_le_bytes());
        maker.copy_from_slice(&new.maker.to_le_bytes());
    }
    Some(bytes)
}

/// A row; one that was never written is free and nobody's.
pub(super) fn row(bytes: &[u8], place: u32) -> Row {
    let read = || {
        let rest = bytes.get(place as usize * ROW..)?;
        let (price, rest) = rest.split_first_chunk()?;
        Some(Row { price: u32::from_le_bytes(*price), maker: u64::from_le_bytes(*rest.first_chunk()?) })
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_any_order_and_once() {
        let (a, b) = (Row::new(1_200, "art-a"), Row::new(u64::MAX, "art-b"));
        let bytes = with(&[], 3, a).unwrap();
        let bytes = with(&bytes, 0, b).unwrap();
        assert_eq!((row(&bytes, 0), row(&bytes, 1), row(&bytes, 3)), (b, Row::default(), a));
        assert_eq!(with(&bytes, 3, a), None);
        assert_eq!(b.price, u32::MAX);
    }
}
