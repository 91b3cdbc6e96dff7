//! Checks a set of policy files and prepares it; says everything that is wrong at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Policy, PolicyId, PolicySet as CedarSet, Schema, ValidationMode, Validator};
use sha2::{Digest, Sha256};

use crate::entities::Names;
use crate::mentions::Mentions;
use crate::partition::Partitions;
use crate::rule::{self, Rule};
use crate::source::{Problem, Source};
use crate::{PolicySet, SCHEMA, literals};

pub(crate) fn load(sources: &[Source]) -> Result<PolicySet, Vec<Problem>> {
    let mut reader = Reader::new()?;
    for source in sources {
        reader.read(source);
    }
    reader.finish(hash(sources))
}

struct Reader<'a> {
    validator: Validator,
    rules: BTreeMap<String, Rule>,
    /// Where each id was given first.
    places: BTreeMap<String, (&'a Source, usize)>,
    partitions: Partitions,
    mentions: Mentions,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new() -> Result<Self, Vec<Problem>> {
        let schema = Source { name: "schema.cedarschema".to_owned(), text: SCHEMA.to_owned() };
        let (parsed, _warnings) = Schema::from_cedarschema_str(&schema.text).map_err(|error| {
            let mut problems = Vec::new();
            describe(&schema, &DetailedError::from(&error), &mut problems);
            problems
        })?;
        Ok(Self {
            validator: Validator::new(parsed),
            rules: BTreeMap::new(),
            places: BTreeMap::new(),
            partitions: Partitions::default(),
            mentions: Mentions::default(),
            problems: Vec::new(),
        })
    }

    fn read(&mut self, source: &'a Source) {
        let set: CedarSet = match source.text.parse() {
            Ok(set) => set,
            Err(errors) => return self.unparsed(source, &errors),
        };
        for template in set.templates() {
            let at = template.as_ref().loc().map_or(0, |loc| loc.start());
            let message = "a template (?principal, ?resource) is not supported";
            self.problems.push(source.problem(at, message));
        }
        for policy in set.policies() {
            self.add(source, policy);
        }
        self.validate(source, &set);
    }

    fn unparsed(&mut self, source: &Source, errors: &cedar_policy::ParseErrors) {
        for error in errors.iter() {
            describe(source, &DetailedError::from(error), &mut self.problems);
        }
    }

    fn add(&mut self, source: &'a Source, policy: &Policy) {
        let start = policy.as_ref().loc().map_or(0, |loc| loc.start());
        let rule = rule::read(source, policy, &mut self.problems);
        for message in literals::check(policy) {
            self.problems.push(source.problem(start, message));
        }
        if rule.id.is_empty() {
            return;
        }
        if let Some((first, at)) = self.places.get(&rule.id) {
            let first = first.problem(*at, "");
            let place = format!("{}:{}", first.file, first.line);
            let message = format!("the id {:?} is already given at {place}", rule.id);
            self.problems.push(source.problem(start, message));
            return;
        }
        self.places.insert(rule.id.clone(), (source, start));
        self.mentions.add(policy);
        let named = policy.new_id(PolicyId::new(&rule.id));
        if let Err(error) = self.partitions.add(&named, rule.shadow) {
            self.problems.push(source.problem(start, error));
        }
        self.rules.insert(rule.id.clone(), rule);
    }

    /// Warnings count too: a forbid that can never apply is a hole that nobody sees.
    fn validate(&mut self, source: &Source, set: &CedarSet) {
        let result = self.validator.validate(set, ValidationMode::Strict);
        let errors = result.validation_errors().map(DetailedError::from);
        let warnings = result.validation_warnings().map(DetailedError::from);
        for error in errors.chain(warnings) {
            describe(source, &error, &mut self.problems);
        }
    }

    fn finish(self, hash: Arc<str>) -> Result<PolicySet, Vec<Problem>> {
        let Self { rules, partitions, mentions, mut problems, .. } = self;
        problems.sort();
        problems.dedup();
        if !problems.is_empty() {
            return Err(problems);
        }
        let names = Names::new(mentions).map_err(|message| {
            let schema = Source { name: "schema.cedarschema".into(), text: SCHEMA.into() };
            vec![schema.problem(0, message)]
        })?;
        Ok(PolicySet { hash, rules, partitions, names })
    }
}

/// Turns Cedar's diagnostic, and those related to it, into problems.
fn describe(source: &Source, error: &DetailedError, problems: &mut Vec<Problem>) {
    let first = error.source_locations.first();
    let label = first.and_then(|label| label.label.as_deref());
    let texts = [Some(error.message.as_str()), label, error.help.as_deref()];
    let texts: Vec<&str> = texts.into_iter().flatten().map(unnumbered).collect();
    problems.push(source.problem(first.map_or(0, |label| label.loc.start), texts.join("; ")));
    for related in &error.related {
        describe(source, related, problems);
    }
}

/// Cedar names policies by their number in the file; the place says it better.
fn unnumbered(text: &str) -> &str {
    match text.split_once("`, ") {
        Some((head, rest)) if head.starts_with("for policy `") => rest,
        _ => text,
    }
}

/// Hex SHA-256 over the schema and the sources' texts; a file's name and place don't matter.
fn hash(sources: &[Source]) -> Arc<str> {
    let mut texts: Vec<_> =
        sources.iter().map(|source| Sha256::digest(source.text.as_bytes())).collect();
    texts.sort_unstable();
    let mut whole = Sha256::new();
    whole.update(b"weir policy set 1\n");
    whole.update(Sha256::digest(SCHEMA.as_bytes()));
    for text in &texts {
        whole.update(text);
    }
    let hex: String = whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hex.into()
}
