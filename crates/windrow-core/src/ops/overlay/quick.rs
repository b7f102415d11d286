//! Telling at once that nothing was done in an overlay.

use std::path::Path;

use windrow_model::WorktreeRecord;

use super::{Parts, is_overlaid};
use crate::{
    fs,
    ops::{pool::Pool, template},
};

/// Tells whether an overlay that is shown holds nothing but what was made: its layer has no name but `.git`, and its index is that of
/// the template, byte for byte. What cannot be told was touched.
///
/// Every change of a file, of a mode or of a name leaves something in the layer, whatever it was done by, because the tree below is
/// changed by nobody.
pub(in crate::ops) fn untouched(pool: &Pool, record: &WorktreeRecord) -> bool {
    is_overlaid(record)
        && fs::shows_overlay(&record.path)
        && holds_only_dot_git(&Parts::of(record).upper)
        && has_index_of_template(pool, record)
}

fn holds_only_dot_git(upper: &Path) -> bool {
    let names = upper.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>);
    names.is_ok_and(|names| names.len() == 1 && names[0].file_name() == ".git")
}

fn has_index_of_template(pool: &Pool, record: &WorktreeRecord) -> bool {
    let Ok(tree) = Parts::of(record).tree() else { return false };
    let below = |template: &template::Template| {
        template.commit == record.base && template.root.file_name() == tree.parent().and_then(Path::file_name)
    };
    let Some(template) = template::templates(pool).into_iter().find(below) else { return false };
    let (Ok(own), Ok(made)) = (std::fs::read(record.admin.join("index")), std::fs::read(&template.index))
    else {
        return false;
    };
    own == made
}
