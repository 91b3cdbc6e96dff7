//! A certified OpenID provider, `tests/idp`: npm's oidc-provider on a free port of loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::root;

/// A running provider; ends when it is dropped.
pub struct Provider {
    /// Its issuer URL.
    pub url: String,
    child: Child,
}

impl Provider {
    /// Starts one that signs with an algorithm; `cargo xtask setup` has installed what it needs.
    pub fn start(algorithm: &str) -> Self {
        let folder = root().join("tests/idp");
        assert!(folder.join("node_modules").is_dir(), "cargo xtask setup --only node");
        let mut child = Command::new("node")
            .args(["--no-warnings", "idp.mjs"])
            .env("PORT", "0")
            .env("ALG", algorithm)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let ready = out
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("idp ready ").map(str::to_owned));
        let url = ready.expect("the provider's URL");
        Self { url, child }
    }

    /// An access token for the client `agent`, by client credentials.
    pub fn agent_token(&self) -> String {
        let form = "grant_type=client_credentials&client_id=agent&client_secret=agent-secret\
            &scope=weir";
        self.token(form)
    }

    /// A token with which `agent` acts for the subject of another one (RFC 8693).
    pub fn acting_token(&self, subject: &str) -> String {
        let form = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
             &client_id=agent&client_secret=agent-secret&subject_token={subject}\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
        );
        self.token(&form)
    }

    /// Signs with a new key of an algorithm from now on, and forgets the old ones.
    pub fn rotate(&self, algorithm: &str) {
        self.post(&format!("/__rotate?alg={algorithm}&drop"), "");
    }

    fn token(&self, form: &str) -> String {
        let answer = self.post("/token", form);
        let token = answer["access_token"].as_str();
        token.unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    fn post(&self, path: &str, form: &str) -> serde_json::Value {
        let address = self.url.strip_prefix("http://").expect("a plain URL");
        let mut stream = TcpStream::connect(address).expect("the provider listens");
        let request = format!(
            "POST {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body.trim()).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
