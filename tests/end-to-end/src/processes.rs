//! The processes of a host: where each keeps what it needs and listens, and how it is started.

use crate::{Settings, Setup};
use anyhow::{Context as _, Result, ensure};
use artifacts::free_address;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The party that delivers, as its key files name it.
const BRIDGE: &str = "a4co-bridge";

/// The environment variable that names a `spin`: it then serves where `a4co up --http-only` else plays it.
const SPIN: &str = "A4CO_SPIN";

/// The `spin` that serves an application with these settings, where one does.
pub(crate) fn spin(settings: &Settings) -> Option<PathBuf> {
    std::env::var_os(SPIN).filter(|_| settings.setup == Setup::Bridged).map(PathBuf::from)
}

/// Where the processes of one host keep what they need, and listen.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
    /// The application.
    pub(crate) listen: SocketAddr,
    /// Its operators.
    pub(crate) admin: SocketAddr,
    /// Where a bridge takes what components publish.
    pub(crate) publish: SocketAddr,
    /// The bridge's operators.
    pub(crate) bridge_admin: SocketAddr,
}

impl Place {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir().context("a state directory")?,
            listen: settings.listen.unwrap_or_else(free_address),
            admin: free_address(),
            publish: free_address(),
            bridge_admin: free_address(),
        })
    }

    /// The folder of it all.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What all of them log, in one file.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder().join("host.log")
    }

    fn keys(&self) -> PathBuf {
        self.folder().join("keys")
    }
}

/// Makes the keys that a bridge and the components know each other by, as an operator does.
pub(crate) fn make_keys(settings: &Settings, place: &Place) -> Result<()> {
    let made = Command::new(artifacts::binary("a4co"))
        .args(["keys", "generate", "--manifest"])
        .arg(settings.manifest())
        .arg("--keys")
        .arg(place.keys())
        .output()?;
    ensure!(made.status.success(), "a4co keys generate: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

/// Starts the process that serves the application.
pub(crate) fn start_application(settings: &Settings, place: &Place, nats: Option<&str>) -> Result<Child> {
    if let Some(spin) = spin(settings) {
        return start_spin(&spin, settings, place);
    }
    let mut command = Command::new(artifacts::binary("a4co"));
    command
        .args(["up", "--listen", &place.listen.to_string(), "--admin-listen", &place.admin.to_string()])
        .arg("--state-dir")
        .arg(place.folder().join("state"))
        .arg("--cache-dir")
        .arg(artifacts::workspace().join("target/tmp/compiled"))
        .args(&settings.arguments);
    match (settings.setup, nats) {
        (Setup::Nats, Some(url)) => {
            command.args(["--nats", url]);
        }
        (Setup::Bridged, _) => {
            command.arg("--http-only").envs(variables_of_the_bridge(place)?);
        }
        _ => {}
    }
    start(command, settings, place).context("starting a4co up")
}

/// Starts `spin up`, and with it the trigger that it runs as a process of its own: a group, to be ended as one.
fn start_spin(spin: &Path, settings: &Settings, place: &Place) -> Result<Child> {
    let log = File::options().create(true).append(true).open(place.log())?;
    let mut command = Command::new(spin);
    command
        .args(["up", "--listen", &place.listen.to_string(), "--from"])
        .arg(settings.manifest())
        .arg("--state-dir")
        .arg(place.folder().join("state"))
        .envs(variables_of_the_bridge(place)?)
        .envs(settings.environment.iter().cloned())
        .process_group(0);
    for (name, value) in &settings.variables {
        command.arg("--variable").arg(format!("{name}={value}"));
    }
    let started = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
    started.with_context(|| format!("starting {}", spin.display()))
}

/// Ends a process at once, with all of its group where it leads one.
pub(crate) fn kill(child: &mut Child) -> Result<()> {
    if std::env::var_os(SPIN).is_some() {
        let group = format!("-{}", child.id());
        let _leads_none = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status()?;
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// Starts the process that delivers to it.
pub(crate) fn start_bridge(settings: &Settings, place: &Place, nats: &str) -> Result<Child> {
    let target = settings.target.unwrap_or(place.listen);
    let mut command = Command::new(artifacts::binary("a4co"));
    command
        .args(["bridge", "--nats", nats, "--target", &format!("http://{target}")])
        .args(["--listen", &place.publish.to_string(), "--admin-listen", &place.bridge_admin.to_string()])
        .arg("--keys")
        .arg(place.keys())
        .arg("--state-dir")
        .arg(place.folder().join("bridge"));
    start(command, settings, place).context("starting a4co bridge")
}

fn start(mut command: Command, settings: &Settings, place: &Place) -> Result<Child> {
    let log = File::options().create(true).append(true).open(place.log())?;
    command.arg("--manifest").arg(settings.manifest()).envs(settings.environment.iter().cloned());
    if settings.json_logs {
        command.args(["--log-format", "json"]);
    }
    for (name, value) in &settings.variables {
        command.arg("--variable").arg(format!("{name}={value}"));
    }
    Ok(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
}

/// What the other host is configured with: the bridge's public keys, where to publish, and each component's own key.
fn variables_of_the_bridge(place: &Place) -> Result<Vec<(String, String)>> {
    let read = |file: &str| std::fs::read_to_string(place.keys().join(file)).with_context(|| file.to_owned());
    let mut variables = vec![
        ("SPIN_VARIABLE_EVENTS_URL".to_owned(), format!("http://{}", place.publish)),
        ("SPIN_VARIABLE_BRIDGE_KEYS".to_owned(), read(&format!("{BRIDGE}.public.json"))?),
    ];
    for entry in std::fs::read_dir(place.keys())? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        let party = file.strip_suffix(".json").filter(|party| !party.ends_with(".public") && *party != BRIDGE);
        if let Some(party) = party {
            let name = party.replace('-', "_").to_uppercase();
            variables.push((format!("SPIN_VARIABLE_{name}_KEY"), read(&file)?));
        }
    }
    Ok(variables)
}
