//! A small cache of decoded pack entries, without which every delta chain is decoded from its base again.

use gix_object::Kind;
use gix_odb::pack::cache::DecodeEntry;

const SLOTS: usize = 256;
/// Larger objects are rarely the base of many others, and would fill the memory of every thread.
const LARGEST: usize = 256 * 1024;

#[derive(Default)]
struct Slot {
    key: Option<(u32, u64)>,
    kind: Option<Kind>,
    compressed: usize,
    data: Vec<u8>,
}

/// One slot for each hash of a place; the newer object wins.
pub(super) struct PackCache {
    slots: Vec<Slot>,
}

impl Default for PackCache {
    fn default() -> Self {
        Self { slots: std::iter::repeat_with(Slot::default).take(SLOTS).collect() }
    }
}

impl PackCache {
    fn slot(&mut self, pack: u32, offset: u64) -> &mut Slot {
        let mixed = (offset ^ u64::from(pack)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        let at = usize::try_from(mixed).unwrap_or_default() % SLOTS;
        &mut self.slots[at]
    }
}

impl DecodeEntry for PackCache {
    fn put(&mut self, pack: u32, offset: u64, data: &[u8], kind: Kind, compressed: usize) {
        if data.len() > LARGEST {
            return;
        }
        let slot = self.slot(pack, offset);
        slot.key = Some((pack, offset));
        slot.kind = Some(kind);
        slot.compressed = compressed;
        slot.data.clear();
        slot.data.extend_from_slice(data);
    }

    fn get(&mut self, pack: u32, offset: u64, out: &mut Vec<u8>) -> Option<(Kind, usize)> {
        let slot = self.slot(pack, offset);
        let kind = slot.kind.filter(|_| slot.key == Some((pack, offset)))?;
        out.clear();
        out.extend_from_slice(&slot.data);
        Some((kind, slot.compressed))
    }
}
