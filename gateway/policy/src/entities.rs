//! Turns an identity, a target and an operation into what Cedar reads.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use weir_model::{Class, ColumnRef, Identity, Operation, ResourceKind, Target};

use crate::mentions::Mentions;
use crate::partition::Question;

/// The schema's names, parsed once.
pub(crate) struct Names {
    mentions: Mentions,
    agent: EntityTypeName,
    group: EntityTypeName,
    env: EntityTypeName,
    target: EntityTypeName,
    column: EntityTypeName,
    /// In the order of `Question::ALL`.
    actions: Vec<EntityUid>,
}

/// Who and what a question is about.
pub(crate) struct Facts {
    principal: EntityUid,
    resource: EntityUid,
    context: Context,
    pub(crate) entities: Entities,
}

impl Names {
    pub(crate) fn new(mentions: Mentions) -> Result<Self, String> {
        let name = |text: &str| {
            text.parse::<EntityTypeName>().map_err(|error| format!("naming {text}: {error}"))
        };
        let action = name("Weir::Action")?;
        let actions = Question::ALL.map(|question| uid(&action, question.action()));
        Ok(Self {
            mentions,
            agent: name("Weir::Agent")?,
            group: name("Weir::Group")?,
            env: name("Weir::Env")?,
            target: name("Weir::Target")?,
            column: name("Weir::Column")?,
            actions: actions.into(),
        })
    }

    /// Facts about an operation; an error is one to deny by.
    pub(crate) fn operation(
        &self,
        identity: &Identity,
        target: &Target,
        context: Context,
    ) -> Result<Facts, String> {
        let agent = self.agent(identity)?;
        let target = self.target(target)?;
        let (principal, resource) = (agent.uid(), target.uid());
        let entities = Entities::from_entities([agent, target], None).map_err(told)?;
        Ok(Facts { principal, resource, context, entities })
    }

    /// Facts about a column, or about a finding in a value.
    pub(crate) fn column(
        &self,
        identity: &Identity,
        target: &Target,
        column: &ColumnRef,
        classes: &[Class],
    ) -> Result<Facts, String> {
        let agent = self.agent(identity)?;
        let target = self.target(target)?;
        let mut attributes = self.facts();
        attributes.put("table", || string(&column.table));
        attributes.put("column", || string(&column.column));
        attributes.put("classes", || set(classes.iter().map(String::as_str)));
        let id = uid(&self.column, &format!("{}.{}", column.table, column.column));
        let parents = HashSet::from([target.uid()]);
        let column = Entity::new(id, attributes.read, parents).map_err(told)?;
        let (principal, resource) = (agent.uid(), column.uid());
        let entities = Entities::from_entities([agent, target, column], None).map_err(told)?;
        Ok(Facts { principal, resource, context: Context::empty(), entities })
    }

    /// Facts about a column in whose place a token is to be turned back.
    pub(crate) fn reveal(
        &self,
        identity: &Identity,
        target: &Target,
        column: &ColumnRef,
        classes: &[Class],
        written: bool,
    ) -> Result<Facts, String> {
        let mut context = self.facts();
        context.put("written", || RestrictedExpression::new_bool(written));
        let context = Context::from_pairs(context.read).map_err(told)?;
        Ok(Facts { context, ..self.column(identity, target, column, classes)? })
    }

    /// The request that asks a question about facts. Their types are ours: a test checks them
    /// against the schema, so that this need not on every decision.
    pub(crate) fn request(&self, question: Question, facts: &Facts) -> Result<Request, String> {
        let action = self.actions.get(question as usize).ok_or("naming an action")?.clone();
        let (principal, resource) = (facts.principal.clone(), facts.resource.clone());
        Request::new(principal, action, resource, facts.context.clone(), None).map_err(told)
    }

    /// The context of a SQL question.
    pub(crate) fn sql(
        &self,
        operation: &Operation,
        approvers: &[String],
    ) -> Result<Context, String> {
        let of_kind = |kind: ResourceKind| {
            let of_kind = operation.resources.iter().filter(move |found| found.kind == kind);
            of_kind.map(|found| found.name.as_str())
        };
        let written = || operation.resources.iter().filter(|found| found.written);
        let mut facts = self.facts();
        facts.put("effect", || string(operation.effect.name()));
        facts.put("verbs", || set(operation.verbs.iter().map(String::as_str)));
        facts.put("tables", || set(of_kind(ResourceKind::Table)));
        facts.put("written", || set(written().map(|found| found.name.as_str())));
        facts.put("functions", || set(of_kind(ResourceKind::Function)));
        facts.put("flags", || set(operation.flags.iter().map(|flag| flag.name())));
        facts.approval(approvers)?;
        Context::from_pairs(facts.read).map_err(told)
    }

    /// The context of a question about replication.
    pub(crate) fn replication(&self, operation: &Operation) -> Result<Context, String> {
        let mut facts = self.facts();
        facts.put("effect", || string(operation.effect.name()));
        facts.put("verbs", || set(operation.verbs.iter().map(String::as_str)));
        Context::from_pairs(facts.read).map_err(told)
    }

    /// The context of a question about a connection or a name.
    pub(crate) fn network(&self, approvers: &[String]) -> Result<Context, String> {
        let mut facts = self.facts();
        facts.approval(approvers)?;
        Context::from_pairs(facts.read).map_err(told)
    }

    fn agent(&self, identity: &Identity) -> Result<Entity, String> {
        let mut attributes = self.facts();
        attributes.put("subject", || string(&identity.subject));
        attributes.put("issuer", || string(&identity.issuer));
        attributes.put("agent", || string(&identity.agent));
        if let Some(email) = &identity.email {
            attributes.put("email", || string(email));
        }
        if let Some(human) = &identity.on_behalf_of {
            attributes.put("on_behalf_of", || string(human));
        }
        let named = identity.groups.iter().filter(|group| self.mentions.entity(group));
        let parents = named.map(|group| uid(&self.group, group)).collect();
        Entity::new(uid(&self.agent, &identity.agent), attributes.read, parents).map_err(told)
    }

    fn target(&self, target: &Target) -> Result<Entity, String> {
        let mut attributes = self.facts();
        attributes.put("name", || string(&target.name));
        attributes.put("protocol", || string(target.protocol.name()));
        attributes.put("host", || string(&target.host));
        attributes.put("address", || string(&target.address));
        attributes.put("port", || RestrictedExpression::new_long(i64::from(target.port)));
        attributes.put("known", || RestrictedExpression::new_bool(target.known));
        let mut parents = HashSet::new();
        if !target.environment.is_empty() && self.mentions.entity(&target.environment) {
            parents.insert(uid(&self.env, &target.environment));
        }
        Entity::new(uid(&self.target, &target.name), attributes.read, parents).map_err(told)
    }

    fn facts(&self) -> Named<'_> {
        Named { mentions: &self.mentions, read: HashMap::new() }
    }
}

/// Facts by name, of which only those are made that some policy of the set reads.
struct Named<'a> {
    mentions: &'a Mentions,
    read: HashMap<String, RestrictedExpression>,
}

impl Named<'_> {
    fn put(&mut self, name: &str, value: impl FnOnce() -> RestrictedExpression) {
        if self.mentions.of(name) {
            self.read.insert(name.to_owned(), value());
        }
    }

    fn approval(&mut self, approvers: &[String]) -> Result<(), String> {
        if approvers.is_empty() {
            return Ok(());
        }
        let approvers = set(approvers.iter().map(String::as_str));
        let record = [("approvers".to_owned(), approvers)];
        let record = RestrictedExpression::new_record(record).map_err(told)?;
        self.put("approval", || record);
        Ok(())
    }
}

fn uid(name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn set<'a>(texts: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(string))
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
