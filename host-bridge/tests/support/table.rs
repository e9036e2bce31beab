//! A handler that does nothing but grow a table. Rust has no words for that, so its code is put together here.

use std::path::{Path, PathBuf};
use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, HeapType, MemorySection, MemoryType,
    Module, RefType, TableSection, TableType, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The yard of the bombs; this one imports nothing.
const WIT: &str = include_str!("../../../tests/guests/bomb/wit/yard.wit");
const IMPORT: &str = "import wasi:keyvalue/";

/// Writes the component into `folder`; where it is.
pub fn bomb(folder: &Path) -> PathBuf {
    let wit: String = WIT.split_inclusive('\n').filter(|line| !line.trim_start().starts_with(IMPORT)).collect();
    assert_ne!(wit, WIT, "the yard imports a store");
    let mut resolve = Resolve::default();
    let package = resolve.push_str("yard.wit", &wit).unwrap();
    let world = resolve.select_world(&[package], Some("bomb")).unwrap();
    let mut module = module();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().module(&module).unwrap();
    let path = folder.join("table.wasm");
    std::fs::write(&path, encoder.encode().unwrap()).unwrap();
    path
}

fn module() -> Vec<u8> {
    let (mut types, mut functions, mut tables) = (TypeSection::new(), FunctionSection::new(), TableSection::new());
    // Metadata is five numbers, an event three, and what comes back an address.
    types.ty().function([ValType::I32; 8], [ValType::I32]);
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    functions.function(0).function(1);
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        minimum: 1,
        maximum: None,
        table64: false,
        shared: false,
    });
    let (mut memories, mut exports, mut code) = (MemorySection::new(), ExportSection::new(), CodeSection::new());
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    exports.export("bombs:yard/event-handler@1.0.0#handle", ExportKind::Func, 0);
    exports.export("cabi_realloc", ExportKind::Func, 1).export("memory", ExportKind::Memory, 0);
    code.function(&grow()).function(&place());
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&tables).section(&memories).section(&exports).section(&code);
    module.finish()
}

/// A thousand elements at a time, for ever.
fn grow() -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    code.loop_(BlockType::Empty).ref_null(HeapType::FUNC).i32_const(1_000).table_grow(0).drop().br(0).end();
    code.unreachable().end();
    function
}

/// Where the host puts the event's texts.
fn place() -> Function {
    let mut function = Function::new([]);
    function.instructions().i32_const(1_024).end();
    function
}
