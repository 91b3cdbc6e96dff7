//! Weir's authority for the agent: what it trusts already, and one certificate more.
//!
//! With mounts of its own the agent finds that in the usual places. Variables are for programs that
//! bring authorities of their own. One that the user has set is not lost: it names a copy of the
//! user's file, with the certificate added.

pub(super) mod keystore;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use weir_model::{Layer, SessionId, limits};

use super::jail::{bind, make_read_only, run_folder};
use super::plan::{Failure, Step as _};

/// Where distributions keep their authorities as one file.
const BUNDLES: [&str; 7] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/lib/ssl/cert.pem",
];
/// Where Java does.
const KEYSTORES: [&str; 4] = [
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/java/cacerts",
    "/etc/pki/ca-trust/extracted/java/cacerts",
    "/var/lib/ca-certificates/java-cacerts",
];
const VIRTUAL_MACHINES: &str = "/usr/lib/jvm";
const IN_VIRTUAL_MACHINE: [&str; 2] = ["lib/security/cacerts", "jre/lib/security/cacerts"];

/// Name a file instead of what the program would trust.
const INSTEAD: [&str; 11] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "NIX_SSL_CERT_FILE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
];
/// Name a file beside what the program trusts.
const BESIDE: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];
/// Change what the program does where they are set, and so are only mended.
const MENDED: [&str; 3] = ["PGSSLROOTCERT", "MYSQL_SSL_CA", "BUNDLE_SSL_CA_CERT"];

/// What comes of it.
#[derive(Default)]
pub(super) struct Trust {
    /// Variables to set.
    pub(super) variables: BTreeMap<&'static str, OsString>,
    /// What did not work, and is no reason to stop.
    pub(super) notes: Vec<String>,
}

/// A folder for certificates where there are no mounts of its own; it goes when the run ends.
pub(super) struct Scratch(Option<PathBuf>);

impl Scratch {
    /// Makes one where one is needed.
    pub(super) fn make(layers: &[Layer], session: SessionId) -> io::Result<Self> {
        if layers.contains(&Layer::Mounts) {
            return Ok(Self(None));
        }
        let path = std::env::temp_dir().join(format!("weir-trust-{session}"));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(Some(path)))
    }

    /// Where it is.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.0.clone()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_dir_all(path)
        {
            tracing::debug!(%error, "removing {}", path.display());
        }
    }
}

/// Puts it into the usual places of mounts that are the child's own.
pub(super) fn mounted(authority: &str) -> Result<Trust, Failure> {
    let folder = run_folder::own("trust");
    fs::create_dir(&folder).step("making a folder for certificates")?;
    let mut giver = Giver::new(folder, authority)?;
    for place in places(&BUNDLES) {
        giver.cover(&place, |content| Ok(with_certificate(content, authority)))?;
    }
    let mut keystores = places(&KEYSTORES);
    keystores.extend(of_virtual_machines());
    for place in keystores {
        giver.cover(&place, |content| keystore::with_certificate(content, authority))?;
    }
    giver.variables()
}

/// Without mounts: files in a folder of the session's own, which variables name.
pub(super) fn beside(authority: &str, folder: Option<&Path>) -> Result<Trust, Failure> {
    let Some(folder) = folder else { return Ok(Trust::default()) };
    Giver::new(folder.to_owned(), authority)?.variables()
}

struct Giver<'a> {
    folder: PathBuf,
    authority: &'a str,
    files: usize,
    covered: BTreeSet<PathBuf>,
    trust: Trust,
}

impl<'a> Giver<'a> {
    fn new(folder: PathBuf, authority: &'a str) -> Result<Self, Failure> {
        let trust = Trust::default();
        let giver = Self { folder, authority, files: 0, covered: BTreeSet::new(), trust };
        giver.write("weir.crt", authority.as_bytes())?;
        let bundle = places(&BUNDLES).first().map_or(Ok(Vec::new()), |place| read(place));
        let bundle = bundle.step("reading this host's authorities")?;
        giver.write("bundle.crt", &with_certificate(&bundle, authority))?;
        Ok(giver)
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        fs::write(&path, content).step(&format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Another content in the place of a file's.
    fn cover(
        &mut self,
        place: &Path,
        change: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<(), Failure> {
        if !self.covered.insert(place.to_owned()) {
            return Ok(());
        }
        let changed = read(place).map_err(|error| error.to_string()).and_then(|it| change(&it));
        let content = match changed {
            Ok(content) => content,
            Err(error) => {
                self.trust.notes.push(format!("{} is left as it is: {error}", place.display()));
                return Ok(());
            }
        };
        let file = self.write(&format!("place-{}", self.covered.len()), &content)?;
        let step = format!("adding the authority to {}", place.display());
        bind(&file, place).step(&step)?;
        make_read_only(place).step(&step)
    }

    fn variables(mut self) -> Result<Trust, Failure> {
        let defaults = INSTEAD.map(|name| (name, Some("bundle.crt"))).into_iter();
        let defaults = defaults.chain(BESIDE.map(|name| (name, Some("weir.crt"))));
        for (name, default) in defaults.chain(MENDED.map(|name| (name, None))) {
            let set = std::env::var_os(name).filter(|value| !value.is_empty());
            let value = match (set, default) {
                (Some(set), _) => self.mend(&set)?,
                (None, Some(default)) => Some(self.folder.join(default)),
                (None, None) => None,
            };
            if let Some(value) = value {
                self.trust.variables.insert(name, value.into_os_string());
            }
        }
        Ok(self.trust)
    }

    /// A copy of the file that the user named, with the certificate; none where there is no need.
    fn mend(&mut self, set: &OsString) -> Result<Option<PathBuf>, Failure> {
        let Ok(place) = Path::new(set).canonicalize() else { return Ok(None) };
        if self.covered.contains(&place) || !place.is_file() {
            return Ok(None);
        }
        match read(&place) {
            Ok(content) => {
                self.files += 1;
                let content = with_certificate(&content, self.authority);
                self.write(&format!("user-{}.crt", self.files), &content).map(Some)
            }
            Err(error) => {
                self.trust.notes.push(format!("{} is left as it is: {error}", place.display()));
                Ok(None)
            }
        }
    }
}

/// Those of some places that are there, each once and without links.
fn places(candidates: &[&str]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for place in candidates {
        if let Ok(place) = Path::new(place).canonicalize()
            && place.is_file()
            && !found.contains(&place)
        {
            found.push(place);
        }
    }
    found
}

/// The trust stores of the Java virtual machines that are installed, and of the user's own.
fn of_virtual_machines() -> Vec<PathBuf> {
    let installed = fs::read_dir(VIRTUAL_MACHINES).into_iter().flatten().flatten();
    let mut homes: Vec<PathBuf> = installed.map(|entry| entry.path()).collect();
    homes.extend(std::env::var_os("JAVA_HOME").map(PathBuf::from));
    let stores = homes.iter().flat_map(|home| IN_VIRTUAL_MACHINE.map(|place| home.join(place)));
    stores.filter_map(|place| place.canonicalize().ok()).filter(|place| place.is_file()).collect()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = limits::TRUST_BYTES as u64;
    File::open(path)?.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::other(format!("it is larger than {most} bytes")));
    }
    Ok(content)
}

fn with_certificate(bundle: &[u8], authority: &str) -> Vec<u8> {
    let mut content = bundle.to_vec();
    if content.last().is_some_and(|byte| *byte != b'\n') {
        content.push(b'\n');
    }
    content.extend_from_slice(authority.as_bytes());
    content
}
