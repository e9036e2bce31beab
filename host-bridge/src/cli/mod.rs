//! The command line: arguments, what they resolve to, and the commands that talk to a running host.

mod args;
mod check;
mod client;
mod consumers;
mod dead_letters;
mod events;
mod keys;
mod nats;
mod options;
pub mod screen;
mod snapshot;
pub mod streams;
mod table;
#[cfg(test)]
mod tests;

pub use args::{Args, completions};
pub use check::check;
pub use keys::{KeysRequest, keys};
pub use nats::NatsOptions;
pub use options::{BridgeCommand, ClientOptions, Options, Request, RestoreOptions, UpOptions};

use client::Client;

/// Runs one command against a running host, writing to standard output.
///
/// # Errors
/// Where no host answers, or it refuses.
pub async fn run(options: ClientOptions) -> anyhow::Result<()> {
    let client = Client::new(options.admin);
    let out = &mut std::io::stdout().lock();
    let json = options.json;
    match options.request {
        Request::DeadLetters(request) => dead_letters::run(&client, request, json, out).await,
        Request::Events(request) => events::run(&client, request, json, out).await,
        Request::Consumers(request) => consumers::run(&client, request, json, out).await,
        Request::Backup(file) => snapshot::backup(&client, &file, json, out).await,
    }
}
