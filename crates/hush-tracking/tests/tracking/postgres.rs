//! PostgreSQL for tests: one server a process of tests, a database for each.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A database of its own.
pub(crate) struct Database {
    pub(crate) address: String,
    /// The certificate that signs the server's, which is for `localhost`.
    pub(crate) authority: PathBuf,
    /// The same for a server that is not this one.
    pub(crate) stranger: PathBuf,
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

/// A certificate authority's certificate, one that it signed with its key, and a stranger's.
fn certificates(folder: &Path) {
    let authority = || {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        (rcgen::Issuer::new(parameters, key), pem)
    };
    let (issuer, pem) = authority();
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
    let signed = parameters.signed_by(&key, &issuer).unwrap();
    for (name, text) in [
        ("authority.pem", pem),
        ("stranger.pem", authority().1),
        ("server.pem", signed.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    // PostgreSQL takes no key that others may read, and none that is somebody else's.
    let key = folder.join("server.key");
    let _ = Command::new("chmod").arg("600").arg(&key).status();
    let _ = Command::new("chown")
        .arg("65534:65534")
        .arg(&key)
        .stderr(Stdio::null())
        .status();
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
        certificates(folder.path());
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
            .args(["-c", "ssl=on", "-c", "ssl_cert_file=../server.pem"])
            .args(["-c", "ssl_key_file=../server.key"])
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
            let place = |name: &str| server.folder.path().join(name);
            server.create(&name).then(|| Self {
                address: format!(
                    "postgresql://hush@127.0.0.1:{}/{name}?sslmode=disable",
                    server.port
                ),
                authority: place("authority.pem"),
                stranger: place("stranger.pem"),
            })
        });
        let made = made.await.ok().flatten();
        if made.is_none() {
            println!("PostgreSQL is not installed: tested on SQLite only");
        }
        made
    }
}

#[tokio::test]
async fn certificates_are_looked_at_where_the_address_says_so() {
    let Some(database) = Database::make().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let open = async |host: &str, query: &str| {
        let plain = database.address.split_once('?').unwrap().0;
        let options = hush_tracking::TrackingOptions {
            store: format!("{}?{query}", plain.replace("127.0.0.1", host)),
            artifacts: folder.path().to_str().unwrap().into(),
            webhook_hosts: Vec::new(),
            upgrade: false,
        };
        hush_tracking::Tracking::open(options).await.map(drop)
    };
    let own = database.authority.display();
    for (host, query) in [
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", "sslmode=prefer".to_owned()),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={own}"),
        ),
        ("localhost", format!("sslmode=require&sslrootcert={own}")),
    ] {
        let opened = open(host, &query).await;
        assert!(opened.is_ok(), "{host} {query}: {opened:?}");
    }
    for (what, host, query) in [
        (
            "another name",
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={own}"),
        ),
        (
            "another authority",
            "localhost",
            format!(
                "sslmode=verify-full&sslrootcert={}",
                database.stranger.display()
            ),
        ),
        (
            "nobody the system knows",
            "localhost",
            "sslmode=verify-full&sslrootcert=system".to_owned(),
        ),
        (
            "half a check",
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={own}"),
        ),
    ] {
        assert!(open(host, &query).await.is_err(), "{what}");
    }
}
