//! Reading the file: every section is read on its own, so that all problems are found at once.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::Config;

/// One thing that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("reading the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is wrong.
    #[error("{}", Report(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong, in the order of the lines.
        problems: Vec<Problem>,
    },
}

struct Report<'a>(&'a Path, &'a [Problem]);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.display();
        let count = self.1.len();
        write!(f, "the configuration {path} has {count} problem(s):")?;
        for problem in self.1 {
            write!(f, "\n  {path}:{}: {}", problem.line, problem.message)?;
        }
        Ok(())
    }
}

/// Parses and checks a configuration text.
pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let mut reader = Reader { text, problems: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reader.report(error.span(), error.message());
    }
    let mut config = Config { path: path.to_owned(), ..Config::default() };
    for (key, value) in document.into_inner() {
        reader.section(key.get_ref(), key.span(), value, &mut config);
    }
    if reader.problems.is_empty() {
        reader.check(&config);
    }
    if reader.problems.is_empty() {
        return Ok(config);
    }
    reader.problems.sort_by_key(|problem| problem.line);
    Err(ConfigError::Invalid { path: path.to_owned(), problems: reader.problems })
}

struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

type Span = std::ops::Range<usize>;

impl Reader<'_> {
    fn report(&mut self, span: Option<Span>, message: impl Into<String>) {
        let start = span.map_or(0, |span| span.start).min(self.text.len());
        let before = self.text.as_bytes().get(..start).unwrap_or_default();
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        self.problems.push(Problem { line, message: message.into() });
    }

    fn section(&mut self, key: &str, at: Span, value: Spanned<DeValue<'_>>, config: &mut Config) {
        match key {
            "gateway" => self.one(value, &mut config.gateway),
            "record" => self.one(value, &mut config.record),
            "run" => self.one(value, &mut config.run),
            "policy" => self.one(value, &mut config.policy),
            "approval" => self.one(value, &mut config.approval),
            "issuer" => self.many(key, value, &mut config.issuers),
            "target" => self.many(key, value, &mut config.targets),
            "credential" => self.many(key, value, &mut config.credentials),
            "column" => self.many(key, value, &mut config.columns),
            other => self.report(Some(at), format!("unknown section [{other}]")),
        }
    }

    fn one<T: DeserializeOwned>(&mut self, value: Spanned<DeValue<'_>>, into: &mut T) {
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(section) => *into = section,
            Err(error) => self.report(error.span(), error.message()),
        }
    }

    fn many<T: DeserializeOwned>(
        &mut self,
        key: &str,
        value: Spanned<DeValue<'_>>,
        into: &mut Vec<T>,
    ) {
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            return self.report(Some(span), format!("write [[{key}]], there may be several"));
        };
        for item in items {
            match T::deserialize(ValueDeserializer::from(item)) {
                Ok(section) => into.push(section),
                Err(error) => self.report(error.span(), error.message()),
            }
        }
    }

    /// Checks what no single section can: references, duplicates, ranges.
    fn check(&mut self, config: &Config) {
        self.check_names(config);
        for issuer in &config.issuers {
            for problem in issuer.check() {
                self.report(self.find(&issuer.issuer), problem);
            }
        }
        for credential in &config.credentials {
            for problem in credential.check() {
                self.report(self.find(&credential.name), problem);
            }
        }
        for target in &config.targets {
            let at = self.find(&target.name);
            if target.hosts.is_empty() && target.addresses.is_empty() {
                let message = format!("target {} needs hosts or addresses", target.name);
                self.report(at.clone(), message);
            }
            for name in [&target.credential, &target.client_credential].into_iter().flatten() {
                if !config.credentials.iter().any(|credential| &credential.name == name) {
                    let message = format!("target {} names no [[credential]] {name}", target.name);
                    self.report(at.clone(), message);
                }
            }
            if let Some(problem) = target.client_problem() {
                self.report(at, format!("target {}: {problem}", target.name));
            }
        }
        for rule in &config.columns {
            let at = self.find(&rule.table);
            if !config.targets.iter().any(|target| target.name == rule.target) {
                self.report(at.clone(), format!("[[column]] names no [[target]] {}", rule.target));
            }
            if rule.table.split('.').count() != 2 {
                self.report(at, format!("write table = \"schema.table\", not {:?}", rule.table));
            }
        }
        for listener in &config.gateway.explicit {
            if !listener.listen.ip().is_loopback() {
                let message = format!("explicit listener {} is not loopback", listener.listen);
                self.report(self.find(&listener.target), message);
            }
        }
    }

    fn check_names(&mut self, config: &Config) {
        let instance = &config.gateway.instance;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if instance.is_empty() || instance.len() > 32 || !instance.chars().all(plain) {
            let message = "instance must be 1 to 32 letters, digits, - or _".to_owned();
            self.report(self.find(instance), message);
        }
        let mut seen = BTreeSet::new();
        let targets = config.targets.iter().map(|t| ("target", &t.name));
        let credentials = config.credentials.iter().map(|c| ("credential", &c.name));
        let issuers = config.issuers.iter().map(|i| ("issuer", &i.issuer));
        for (section, name) in targets.chain(credentials).chain(issuers) {
            if !seen.insert((section, name)) {
                self.report(self.find(name), format!("[[{section}]] {name} stands twice"));
            }
        }
    }

    /// Where a value stands last, for errors that are about more than one key.
    fn find(&self, value: &str) -> Option<Span> {
        let start = self.text.rfind(&format!("\"{value}\""))?;
        Some(start..start + value.len())
    }
}
