//! Blocks of network ports that worktrees have to themselves.

use std::{fmt, str::FromStr};

/// The ports that blocks are taken from, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why a text is no range of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of ports such as `20000-29999`, from 1024 on")]
pub struct PortRangeError(String);

impl PortRange {
    /// The range that is used when nothing else is said: below those that Linux hands out by itself.
    pub const DEFAULT: Self = Self { first: 20_000, last: 29_999 };

    fn blocks(self, count: u16) -> u32 {
        (u32::from(self.last) - u32::from(self.first) + 1) / u32::from(count.max(1))
    }

    fn block(self, number: u32, count: u16) -> Option<PortBlock> {
        let first = u32::from(self.first) + number * u32::from(count);
        u16::try_from(first).ok().map(|first| PortBlock { first, count })
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let ends = text.split_once('-').and_then(|(first, last)| first.parse().ok().zip(last.parse().ok()));
        let range = ends.map(|(first, last)| Self { first, last });
        // The others are the system's.
        let good = |range: &Self| range.first >= 1024 && range.first <= range.last;
        range.filter(good).ok_or_else(|| PortRangeError(text.escape_debug().take(40).collect()))
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// Ports in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortBlock {
    /// The first of them.
    pub first: u16,
    /// How many.
    pub count: u16,
}

impl PortBlock {
    /// Each of them.
    pub fn ports(self) -> impl Iterator<Item = u16> {
        (0..self.count).filter_map(move |number| self.first.checked_add(number))
    }

    fn overlaps(self, other: Self) -> bool {
        let end = |block: Self| u32::from(block.first) + u32::from(block.count);
        u32::from(self.first) < end(other) && u32::from(other.first) < end(self)
    }
}

/// Chooses `count` ports in a row that nobody in `taken` has and that are free, looking from block number `start` on, all round.
#[must_use]
pub fn choose_ports(
    range: PortRange,
    count: u16,
    start: u64,
    taken: &[PortBlock],
    mut is_free: impl FnMut(u16) -> bool,
) -> Option<PortBlock> {
    let blocks = range.blocks(count);
    let start = u32::try_from(start.checked_rem(u64::from(blocks))?).ok()?;
    (0..blocks)
        .filter_map(|number| range.block((start + number) % blocks, count))
        .filter(|block| !taken.iter().any(|other| block.overlaps(*other)))
        .find(|block| block.ports().all(&mut is_free))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first: u16, count: u16) -> PortBlock {
        PortBlock { first, count }
    }

    #[test]
    fn blocks_never_overlap_whatever_their_sizes() {
        let range: PortRange = "2000-2099".parse().unwrap();
        let mut taken = Vec::new();
        for (number, count) in [10, 7, 1, 10, 25, 3, 10].into_iter().enumerate() {
            let found = choose_ports(range, count, number as u64 * 3, &taken, |_| true).unwrap();
            assert!(found.ports().all(|port| (2000..2100).contains(&port)));
            assert!(
                taken
                    .iter()
                    .all(|other: &PortBlock| found.ports().all(|port| other.ports().all(|one| one != port)))
            );
            taken.push(found);
        }
    }

    #[test]
    fn a_block_with_a_port_in_use_is_passed_over_and_an_end_is_told() {
        let range: PortRange = "2000-2029".parse().unwrap();
        assert_eq!(choose_ports(range, 10, 0, &[], |port| port != 2005), Some(block(2010, 10)));
        assert_eq!(choose_ports(range, 10, 2, &[block(2021, 1)], |_| true), Some(block(2000, 10)));
        assert_eq!(choose_ports(range, 10, 7, &[], |_| false), None);
        assert_eq!(choose_ports(range, 31, 0, &[], |_| true), None);
        let top: PortRange = "65530-65535".parse().unwrap();
        assert_eq!(choose_ports(top, 6, 5, &[], |_| true), Some(block(65_530, 6)));
    }

    #[test]
    fn ranges_read_back() {
        for text in ["1024-65535", "20000-29999", "3000-3000"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
        for text in ["", "80-90", "5-4", "3000", "3000-70000", "a-b", "4000-3000"] {
            assert!(text.parse::<PortRange>().is_err(), "{text}");
        }
        assert_eq!("20000-29999".parse(), Ok(PortRange::DEFAULT));
    }
}
