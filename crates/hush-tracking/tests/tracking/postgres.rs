//! PostgreSQL for tests: one server a process of tests, a database for each.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A database of its own.
pub(crate) struct Database {
    pub(crate) address: String,
}

struct Server {
    binaries: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    _child: Child,
}

/// Starts a server that lives as long as this process: its thread never ends.
fn server() -> Option<Server> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(Server::start());
        loop {
            std::thread::park();
        }
    });
    receiver.recv().ok().flatten()
}

/// Where PostgreSQL's programs are, if they are installed.
fn binaries() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    found.sort();
    found
        .into_iter()
        .rev()
        .find(|folder| folder.join("initdb").exists())
}

/// A program that ends with the thread that starts it. PostgreSQL refuses to run as root; root runs it as nobody.
fn command(program: &Path) -> Command {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    if root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg(program);
    command
}

impl Server {
    fn start() -> Option<Self> {
        let binaries = binaries()?;
        let folder = tempfile::tempdir().ok()?;
        // Whoever runs it must own its folder.
        let _ = Command::new("chown")
            .args(["65534:65534"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        let data = folder.path().join("data");
        let made = command(&binaries.join("initdb"))
            .args(["-U", "hush", "--auth=trust", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok()?;
        if !made.success() {
            return None;
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port();
        let child = command(&binaries.join("postgres"))
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"])
            .arg(folder.path())
            .arg("-D")
            .arg(&data)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let server = Self {
            binaries,
            folder,
            port,
            _child: child,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() && server.create("probe") {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    }

    fn create(&self, name: &str) -> bool {
        let made = Command::new(self.binaries.join("createdb"))
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "hush",
                "-p",
                &self.port.to_string(),
                name,
            ])
            .current_dir(self.folder.path())
            .stderr(Stdio::null())
            .status();
        made.is_ok_and(|status| status.success())
    }
}

impl Database {
    /// A new one; `None` where PostgreSQL is not installed.
    pub(crate) async fn make() -> Option<Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let made = tokio::task::spawn_blocking(|| {
            let server = SERVER.get_or_init(server).as_ref()?;
            let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
            server.create(&name).then(|| {
                format!(
                    "postgresql://hush@127.0.0.1:{}/{name}?sslmode=disable",
                    server.port
                )
            })
        });
        let address = made.await.ok().flatten();
        if address.is_none() {
            println!("PostgreSQL is not installed: tested on SQLite only");
        }
        address.map(|address| Self { address })
    }
}
