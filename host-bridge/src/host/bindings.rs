//! What Wasmtime generates from the WIT of the capabilities this host implements itself.

#[allow(clippy::all, reason = "generated: which lints it trips changes with the generator")]
mod generated {
    wasmtime::component::bindgen!({
        path: ["../wit/deps/keyvalue", "wit"],
        world: "a4co:host/capabilities",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: {
            "wasi:keyvalue/store.bucket": crate::host::key_value::Bucket,
            "wasi:keyvalue/atomics.cas": crate::host::key_value::Cas,
            "fermyon:spin/key-value.store": crate::host::key_value::Bucket,
        },
    });
}

pub use generated::fermyon::spin;
pub use generated::wasi::{config, keyvalue};
