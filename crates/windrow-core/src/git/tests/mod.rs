//! Tests on real repositories.

mod admins;
mod checkouts;
mod discovery;
mod hostile;
mod indexes;
mod landed;
mod objects;
mod operations;
mod refs;
mod revs;
mod snapshots;
mod submodules;
mod support;
