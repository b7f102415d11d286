//! Entries as tar records.

use std::io::{self, Read, Write};

use bstr::{BString, ByteSlice};
use tar::{Builder, EntryType, Header};
use windrow_model::Stamp;

use super::{ArchiveEntry, EntryKind, temporary};

/// Room for a name in a header.
const SHORT: usize = 100;

/// Appends one entry; `content` must give exactly `entry.size` bytes.
pub(super) fn append(
    builder: &mut Builder<impl Write>,
    entry: &ArchiveEntry,
    content: &mut dyn Read,
) -> io::Result<()> {
    let stamp = stamp_text(entry.mtime);
    builder.append_pax_extensions([("mtime", stamp.as_bytes())])?;
    append_long(builder, EntryType::GNULongName, &entry.path)?;
    append_long(builder, EntryType::GNULongLink, &entry.target)?;
    let mut header = Header::new_gnu();
    header.set_entry_type(entry_type(entry.kind));
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(entry.size);
    header.set_mtime(u64::try_from(entry.mtime.seconds).unwrap_or_default());
    fill(&mut header.as_old_mut().name, &entry.path);
    fill(&mut header.as_old_mut().linkname, &entry.target);
    header.set_cksum();
    builder.append(&header, content)
}

fn fill(field: &mut [u8; SHORT], value: &[u8]) {
    let length = value.len().min(SHORT);
    field[..length].copy_from_slice(&value[..length]);
}

fn append_long(builder: &mut Builder<impl Write>, kind: EntryType, value: &[u8]) -> io::Result<()> {
    if value.len() <= SHORT {
        return Ok(());
    }
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    fill(&mut header.as_old_mut().name, b"././@LongLink");
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(u64::try_from(value.len() + 1).unwrap_or(u64::MAX));
    header.set_cksum();
    builder.append(&header, value.chain([0].as_slice()))
}

fn entry_type(kind: EntryKind) -> EntryType {
    match kind {
        EntryKind::File => EntryType::Regular,
        EntryKind::Symlink => EntryType::Symlink,
        EntryKind::Directory => EntryType::Directory,
        EntryKind::Fifo => EntryType::Fifo,
    }
}

/// Reads what an entry says of itself; the hash is that of nothing until the content was read.
pub(super) fn parse(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<ArchiveEntry> {
    let kind = match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => EntryKind::File,
        EntryType::Symlink => EntryKind::Symlink,
        EntryType::Directory => EntryKind::Directory,
        EntryType::Fifo => EntryKind::Fifo,
        other => return Err(invalid(&format!("an entry of type {other:?}"))),
    };
    let link = entry.link_name_bytes().map(|name| BString::from(name.into_owned()));
    let target = if kind == EntryKind::Symlink { link.unwrap_or_default() } else { BString::default() };
    Ok(ArchiveEntry {
        path: entry.path_bytes().trim_end_with(|char| char == '/').into(),
        kind,
        mode: entry.header().mode()? & 0o7777,
        size: entry.size(),
        mtime: mtime(entry)?,
        hash: temporary::hash(&target),
        target,
    })
}

fn mtime(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<Stamp> {
    let whole = i64::try_from(entry.header().mtime()?).map_err(|_| invalid("a time out of range"))?;
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        if extension.key_bytes() == b"mtime" {
            let text = extension.value().map_err(|_| invalid("a time that is no number"))?;
            return parse_stamp(text).ok_or_else(|| invalid("a time that is no number"));
        }
    }
    Ok(Stamp { seconds: whole, nanos: 0 })
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Decimal seconds; before 1970 the fraction counts away from zero, as decimals do.
fn stamp_text(stamp: Stamp) -> String {
    match (stamp.seconds, stamp.nanos) {
        (seconds, 0) => seconds.to_string(),
        (seconds, nanos) if seconds >= 0 => format!("{seconds}.{nanos:09}"),
        (seconds, nanos) => format!("-{}.{:09}", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanos),
    }
}

fn parse_stamp(text: &str) -> Option<Stamp> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let padded = format!("{fraction:0<9}");
    let nanos = padded.get(..9)?.parse::<u32>().ok()?;
    let seconds = whole.parse::<i64>().ok()?.checked_mul(sign)?;
    match (sign, nanos) {
        (-1, 1..) => Some(Stamp { seconds: seconds.checked_sub(1)?, nanos: 1_000_000_000 - nanos }),
        _ => Some(Stamp { seconds, nanos }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_as_text() {
        for (seconds, nanos) in [(0, 0), (7, 1), (-1, 500_000_000), (-2, 1), (-5, 0), (1 << 40, 999_999_999)]
        {
            let stamp = Stamp { seconds, nanos };
            assert_eq!(parse_stamp(&stamp_text(stamp)), Some(stamp), "{}", stamp_text(stamp));
        }
        assert_eq!(stamp_text(Stamp { seconds: -1, nanos: 500_000_000 }), "-0.500000000");
        assert_eq!(parse_stamp("x"), None);
        assert_eq!(parse_stamp("1.é"), None);
    }
}
