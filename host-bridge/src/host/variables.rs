//! A component's variables: `fermyon:spin/variables` and `wasi:config/store`.

use super::bindings::config::store as config;
use super::bindings::spin::variables as spin;
use super::{HostState, running};
use crate::engine::Invocation;
use crate::manifest::Component;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker};

/// One component's variables, resolved.
#[derive(Clone)]
pub(super) struct Variables {
    values: Arc<BTreeMap<String, String>>,
    host_calls: u64,
}

/// The capability at work: borrowed from a store's data for one host call.
pub struct VariablesView<'a> {
    variables: &'a Variables,
    invocation: &'a Invocation,
}

impl Variables {
    /// Those the manifest gives `component`.
    pub(super) fn new(component: &Component) -> Self {
        Self { values: Arc::new(component.variables.clone()), host_calls: component.limits.host_calls }
    }
}

struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = VariablesView<'a>;
}

pub(super) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    spin::add_to_linker::<_, HasVariables>(linker, view)?;
    config::add_to_linker::<_, HasVariables>(linker, view)
}

fn view(state: &mut HostState) -> VariablesView<'_> {
    VariablesView { variables: &state.variables, invocation: &state.invocation }
}

impl VariablesView<'_> {
    fn values(&self) -> wasmtime::Result<&BTreeMap<String, String>> {
        running::count(self.invocation, self.variables.host_calls)?;
        Ok(&self.variables.values)
    }
}

impl spin::Host for VariablesView<'_> {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, spin::Error>> {
        Ok(self.values()?.get(&name).cloned().ok_or_else(|| {
            spin::Error::Undefined(format!("`{}` is no variable of this component", name.escape_debug()))
        }))
    }
}

impl config::Host for VariablesView<'_> {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, config::Error>> {
        Ok(Ok(self.values()?.get(&key).cloned()))
    }

    async fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, config::Error>> {
        Ok(Ok(self.values()?.iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
    }
}
