//! The Wasmtime engine: its configuration, sized for the application, and the ticker that interrupts its guests.

use super::permits::PoolSize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ProfilingStrategy};

/// How often guests are looked at: the resolution of deadlines, and the longest a guest holds a worker thread.
pub const TICK: Duration = Duration::from_millis(5);

/// Bytes of native stack a guest may use: deep recursion traps there.
const WASM_STACK_BYTES: usize = 512 << 10;
/// Bytes of a fiber's stack: the guest's and, on top of it, the host functions it calls.
const FIBER_STACK_BYTES: usize = 2 << 20;
/// Bytes of a freed memory that stay resident, so that the next instance finds its pages there.
const KEEP_RESIDENT_BYTES: usize = 512 << 10;
/// Bytes of a freed stack that stay resident.
const STACK_KEEP_BYTES: usize = 32 << 10;
/// Freed slots whose memory goes back to the system together: one system call, one interruption of the other cores.
const DECOMMIT_BATCH: usize = 8;
/// Freed slots that stay warm; more cost resident memory and bring nothing on few cores.
const WARM_SLOTS: u32 = 32;
/// Where this is set, `/tmp/perf-PID.map` names the guests' functions for `perf`.
const PERF_MAP: &str = "A4CO_PERF_MAP";
/// Core modules one component may consist of: adapters and shims among them.
const CORE_INSTANCES_PER_COMPONENT: u32 = 32;

/// What the engine is sized by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Instances that may live at once.
    pub pool: PoolSize,
    /// Some component speaks WASI 0.3: its concurrency costs every call a little.
    pub concurrent: bool,
}

impl EngineOptions {
    /// Builds the engine.
    ///
    /// # Errors
    /// Where the machine has not the address space the pool reserves.
    pub fn build(self) -> wasmtime::Result<Engine> {
        let mut config = Config::new();
        config.wasm_component_model(true);
        config.concurrency_support(self.concurrent);
        if self.concurrent {
            config.wasm_component_model_async(true);
        }
        config.epoch_interruption(true);
        if std::env::var_os(PERF_MAP).is_some() {
            config.profiler(ProfilingStrategy::PerfMap);
        }
        config.max_wasm_stack(WASM_STACK_BYTES);
        config.async_stack_size(FIBER_STACK_BYTES);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(self.pooling()));
        Engine::new(&config)
    }

    fn pooling(self) -> PoolingAllocationConfig {
        let PoolSize { instances, memory_bytes, table_elements } = self.pool;
        let mut pooling = PoolingAllocationConfig::new();
        pooling
            .total_component_instances(instances)
            .total_core_instances(instances.saturating_mul(8))
            .total_memories(instances.saturating_mul(2))
            .total_tables(instances.saturating_mul(4))
            .total_stacks(instances.saturating_mul(2))
            .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
            .max_memories_per_component(4)
            .max_tables_per_component(CORE_INSTANCES_PER_COMPONENT)
            .max_memory_size(memory_bytes)
            .table_elements(table_elements)
            .max_unused_warm_slots(WARM_SLOTS)
            .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
            .table_keep_resident(4 << 10)
            .async_stack_keep_resident(STACK_KEEP_BYTES)
            .decommit_batch_size(DECOMMIT_BATCH)
            .pagemap_scan(Enabled::Auto);
        pooling
    }
}

/// The one thread that advances an engine's epoch. Dropping it stops the thread.
#[derive(Debug)]
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts it for `engine`.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(engine: &Engine) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, engine) = (Arc::clone(&stop), engine.weak());
        let thread = std::thread::Builder::new().name("epoch".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
