//! A component's variables: `fermyon:spin/variables` and `wasi:config/store`.

use super::HostState;
use super::bindings::config::store as config;
use super::bindings::spin::variables as spin;
use crate::manifest::Component;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker};

/// One component's variables, resolved.
#[derive(Clone)]
pub(super) struct Variables(Arc<BTreeMap<String, String>>);

impl Variables {
    /// Those the manifest gives `component`.
    pub(super) fn new(component: &Component) -> Self {
        Self(Arc::new(component.variables.clone()))
    }
}

struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = &'a mut Variables;
}

pub(super) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    spin::add_to_linker::<_, HasVariables>(linker, |state| &mut state.variables)?;
    config::add_to_linker::<_, HasVariables>(linker, |state| &mut state.variables)
}

impl spin::Host for Variables {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, spin::Error>> {
        Ok(self.0.get(&name).cloned().ok_or_else(|| {
            spin::Error::Undefined(format!("`{}` is no variable of this component", name.escape_debug()))
        }))
    }
}

impl config::Host for Variables {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, config::Error>> {
        Ok(Ok(self.0.get(&key).cloned()))
    }

    async fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, config::Error>> {
        Ok(Ok(self.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
    }
}
