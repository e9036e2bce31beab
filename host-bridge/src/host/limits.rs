//! The limits of one store, from the manifest's.

use crate::manifest::Limits;
use wasmtime::component::ResourceTable;
use wasmtime::{StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi_http::WasiHttpCtx;

/// Bytes of one set of headers in memory: stops a guest that grows headers instead of its own memory.
const HEADER_BYTES: usize = 64 << 10;
/// Core instances, memories and tables of one component, its adapters included.
const PARTS: usize = 64;

/// Growth past these traps: a guest that went on after a refused growth would only abort less clearly.
pub(super) fn store(limits: &Limits) -> StoreLimits {
    StoreLimitsBuilder::new()
        .memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .instances(PARTS)
        .memories(PARTS)
        .tables(PARTS)
        .trap_on_grow_failure(true)
        .build()
}

/// What the host holds for the guest.
pub(super) fn table(limits: &Limits) -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits.handles);
    table
}

/// The limits of `wasi:http`.
pub(super) fn http() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(HEADER_BYTES);
    context
}
