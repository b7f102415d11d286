//! Moving a lease's expiry.

use windrow_model::LeaseRecord;

use super::{
    error::{RenewError, StateError},
    keeper,
    pool::Pool,
    request::RenewRequest,
    select, terms,
};
use crate::store::StoreError;

/// Gives a lease more time, counted from now.
///
/// # Errors
/// There is no such lease, or the caller's fence is stale.
pub fn renew(pool: &Pool, request: &RenewRequest) -> Result<LeaseRecord, RenewError> {
    let mut store = pool.store_if_any()?.ok_or_else(|| select::nothing(&request.selector))?;
    let (worktree, lease) = select::find_leased(&store, &request.selector)?;
    if let Some(given) = request.fence.filter(|given| *given != lease.fence) {
        return Err(RenewError::Fenced { name: worktree.name, given, current: lease.fence });
    }
    let expires_at = terms::after(request.ttl.unwrap_or(pool.settings().pool.ttl));
    let renewed = store.transaction(|tx| tx.renew_lease(lease.id, lease.fence, expires_at, Pool::now()));
    renewed.map_err(|error: StoreError| StateError::from(error))?;
    keeper::on_demand(pool);
    Ok(LeaseRecord { expires_at, ..lease })
}
