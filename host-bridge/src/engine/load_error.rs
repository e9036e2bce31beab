//! Why an application cannot be loaded, for the person who wrote its manifest.

use crate::calls;
use crate::host::outgoing::AllowError;
use crate::trigger::http::RouterError;
use std::path::PathBuf;

/// Why an application cannot run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A `.wasm` file cannot be read.
    #[error("component `{component}`: {} cannot be read: {source}; build it first, `a4co up --build` does", path.display())]
    Read {
        /// The component.
        component: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A `.wasm` file is no component.
    #[error("component `{component}`: {} is no WebAssembly component: {reason}", path.display())]
    Compile {
        /// The component.
        component: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It wants something the host has not.
    #[error("component `{component}` imports {import}, which this host does not offer")]
    Import {
        /// The component.
        component: String,
        /// The interface.
        import: String,
    },
    /// Its exports cannot be used.
    #[error("{reason}")]
    Export {
        /// The component.
        component: String,
        /// What is wrong; names the component.
        reason: String,
    },
    /// `allowed_outbound_hosts` is malformed.
    #[error("component `{component}`: {source}")]
    Allow {
        /// The component.
        component: String,
        /// The entry.
        source: AllowError,
    },
    /// Routes contradict each other.
    #[error(transparent)]
    Routes(#[from] RouterError),
    /// A component is called as the publish endpoint is.
    #[error(
        "a component may not be called `{}`: http://{}.spin.internal publishes events",
        calls::EVENTS_HOST,
        calls::EVENTS_HOST
    )]
    ReservedId,
    /// The machine does not give what the engine needs.
    #[error("the engine cannot start: {0}")]
    Engine(String),
}
