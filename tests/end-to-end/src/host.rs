//! A host as its processes: started, waited for, killed, started again on the same state.

use crate::processes::{Place, kill, make_keys, spin, start_application, start_bridge};
use crate::{Client, Settings, Setup, eventually};
use anyhow::{Context as _, Result, ensure};
use artifacts::nats::NatsServer;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

/// One of a host's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What serves the application.
    Application,
    /// What delivers to it where that is another process.
    Bridge,
}

/// A running host. Dropping it kills it, and the NATS server it has.
#[derive(Debug)]
pub struct Host {
    settings: Settings,
    place: Place,
    application: Child,
    bridge: Option<Child>,
    server: Option<NatsServer>,
}

impl Host {
    /// Starts the marketplace on a new state and waits until it is ready.
    ///
    /// # Errors
    /// Where it does not become ready; its log is in the message.
    pub async fn start(settings: Settings) -> Result<Self> {
        let place = Place::new(&settings)?;
        let own = settings.setup != Setup::Embedded && settings.nats.is_none();
        let server = own.then(NatsServer::start);
        if settings.setup == Setup::Bridged {
            make_keys(&settings, &place)?;
        }
        let (application, bridge) = start_all(&settings, &place, server.as_ref())?;
        let host = Self { settings, place, application, bridge, server };
        host.ready().await?;
        Ok(host)
    }

    /// How it is started.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The NATS servers it uses, if any.
    #[must_use]
    pub fn nats(&self) -> Option<String> {
        nats(&self.settings, self.server.as_ref())
    }

    /// Which processes it is.
    #[must_use]
    pub fn setup(&self) -> Setup {
        self.settings.setup
    }

    /// The public listener.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(format!("http://{}", self.place.listen))
    }

    /// The public listener's address.
    #[must_use]
    pub fn client_address(&self) -> String {
        self.place.listen.to_string()
    }

    /// The admin listener of who delivers: the application's own, or the bridge's.
    #[must_use]
    pub fn admin(&self) -> Client {
        Client::new(self.admin_url())
    }

    /// The same listener's URL, for the command line.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", if self.bridge.is_some() { self.place.bridge_admin } else { self.place.admin })
    }

    /// The admin listeners of all its processes; Spin has none.
    pub fn admins(&self) -> impl Iterator<Item = Client> {
        let own = spin(&self.settings).is_none();
        let addresses = [own.then_some(self.place.admin), self.bridge.is_some().then_some(self.place.bridge_admin)];
        addresses.into_iter().flatten().map(|address: SocketAddr| Client::new(format!("http://{address}")))
    }

    /// What all its processes count, one after the other.
    ///
    /// # Errors
    /// Where one does not answer.
    pub async fn metrics(&self) -> Result<String> {
        let mut metrics = String::new();
        for admin in self.admins() {
            metrics.push_str(&admin.get("/metrics").await?.text);
        }
        Ok(metrics)
    }

    /// The folder of its state and its log.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        self.place.folder()
    }

    /// The process id of what serves the application.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.application.id()
    }

    /// The process ids of all its processes but the NATS server.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        std::iter::once(self.application.id()).chain(self.bridge.as_ref().map(Child::id))
    }

    /// The NATS server it has.
    ///
    /// # Errors
    /// Where it has none.
    pub fn server(&mut self) -> Result<&mut NatsServer> {
        self.server.as_mut().context("an embedded host has no server")
    }

    /// Runs `a4co` against it, as an operator does; standard output.
    ///
    /// # Errors
    /// Where the command fails; what it said is in the message.
    pub fn operate(&self, arguments: &[&str]) -> Result<String> {
        let output =
            Command::new(artifacts::binary("a4co")).args(arguments).args(["--admin", &self.admin_url()]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "a4co {arguments:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// All it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        log(&self.place)
    }

    /// Changes how it is started the next time.
    pub fn configure(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
    }

    /// Waits until what serves the application has ended by itself, as where a failpoint makes it.
    ///
    /// # Errors
    /// Where it goes on.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let ended = eventually("the host ends by itself", async || self.application.try_wait().ok().flatten()).await;
        ended.with_context(|| self.log())
    }

    /// How what serves the application has ended, where it has.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.application.try_wait()?)
    }

    /// Sends what serves the application a signal, such as `STOP`.
    ///
    /// # Errors
    /// Where it is gone.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(&self.application, name).with_context(|| self.log())
    }

    /// `kill -9` of all its processes but the NATS server, and waits for the end.
    ///
    /// # Errors
    /// Where one had ended by itself before.
    pub fn kill(&mut self) -> Result<()> {
        for child in self.bridge.iter_mut().chain([&mut self.application]) {
            ensure!(child.try_wait()?.is_none(), "it had ended by itself:\n{}", log(&self.place));
            kill(child)?;
        }
        Ok(())
    }

    /// `kill -9` of one process, and waits for its end.
    ///
    /// # Errors
    /// Where it had ended by itself before, or there is none.
    pub fn kill_part(&mut self, part: Part) -> Result<()> {
        let log = log(&self.place);
        let child = self.part(part)?;
        ensure!(child.try_wait()?.is_none(), "it had ended by itself:\n{log}");
        kill(child)
    }

    /// Starts one that was killed again, without waiting until it is ready.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn begin_part(&mut self, part: Part) -> Result<()> {
        let nats = self.nats();
        let started = match part {
            Part::Application => start_application(&self.settings, &self.place, nats.as_deref())?,
            Part::Bridge => start_bridge(&self.settings, &self.place, &nats.context("a bridge has a server")?)?,
        };
        *self.part(part)? = started;
        Ok(())
    }

    fn part(&mut self, part: Part) -> Result<&mut Child> {
        match part {
            Part::Application => Ok(&mut self.application),
            Part::Bridge => self.bridge.as_mut().context("there is no bridge in this setup"),
        }
    }

    /// Asks it to stop and waits until it has drained: first who delivers, then what is delivered to.
    ///
    /// # Errors
    /// Where it does not end, or not cleanly.
    pub async fn stop(&mut self) -> Result<()> {
        for child in self.bridge.iter_mut().chain([&mut self.application]) {
            signal(child, "TERM").with_context(|| log(&self.place))?;
            let status = eventually("the host stops", async || child.try_wait().ok().flatten()).await?;
            ensure!(
                status.success() || spin(&self.settings).is_some(),
                "the host ended with {status}:\n{}",
                log(&self.place)
            );
        }
        Ok(())
    }

    /// Starts it again on the same state and addresses.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.begin()?;
        self.ready().await
    }

    /// Starts it again without waiting until it is ready.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn begin(&mut self) -> Result<()> {
        (self.application, self.bridge) = start_all(&self.settings, &self.place, self.server.as_ref())?;
        Ok(())
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// Where it does not become so; its log is in the message.
    pub async fn ready(&self) -> Result<()> {
        if spin(&self.settings).is_some() {
            let client = self.client();
            let serves = eventually("Spin serves", async || client.get("/").await.ok().map(|_| ()));
            serves.await.with_context(|| self.log())?;
        }
        for admin in self.admins() {
            let ready = eventually("the host is ready", async || {
                admin.get("/readyz").await.ok().filter(|reply| reply.status == 200).map(|_| ())
            });
            ready.await.with_context(|| self.log())?;
        }
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for child in self.bridge.iter_mut().chain([&mut self.application]) {
            let _may_be_gone = kill(child);
        }
    }
}

/// What serves the application, and who delivers to it where that is another process.
fn start_all(settings: &Settings, place: &Place, server: Option<&NatsServer>) -> Result<(Child, Option<Child>)> {
    let url = nats(settings, server);
    let application = start_application(settings, place, url.as_deref())?;
    let bridge = match (settings.setup, &url) {
        (Setup::Bridged, Some(url)) => Some(start_bridge(settings, place, url)?),
        _ => None,
    };
    Ok((application, bridge))
}

fn nats(settings: &Settings, server: Option<&NatsServer>) -> Option<String> {
    settings.nats.clone().or_else(|| server.map(NatsServer::url))
}

fn signal(child: &Child, name: &str) -> Result<()> {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status()?;
    ensure!(sent.success(), "the host had ended by itself");
    Ok(())
}

fn log(place: &Place) -> String {
    std::fs::read_to_string(place.log()).unwrap_or_default()
}
