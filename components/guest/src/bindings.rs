//! The generated bindings of the one world. The event types are `kit`'s, so both sides share them.
#![allow(missing_docs, reason = "generated code; warnings depend on the toolchain")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "worker",
    pub_export_macro: true,
    export_macro_name: "export_worker",
    generate_all,
    with: {
        "a4co:marketplace/common@1.0.0": kit::events::common,
        "a4co:marketplace/order@1.0.0": kit::events::order,
        "a4co:marketplace/inventory@1.0.0": kit::events::inventory,
        "a4co:marketplace/payment@1.0.0": kit::events::payment,
        "a4co:marketplace/user@1.0.0": kit::events::user,
        "a4co:marketplace/artisan@1.0.0": kit::events::artisan,
        "a4co:marketplace/saga@1.0.0": kit::events::saga,
        "a4co:marketplace/delivery@1.0.0": kit::events::delivery,
    },
});
