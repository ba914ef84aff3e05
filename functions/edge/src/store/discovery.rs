//! What `discover` keeps: machines, looks, questions, and what Slack says of people.

use super::write::Expression;
use super::*;
use access::lifecycle::State;
use access::machine::SeenMachine;
use access::order::Change;
use access::policy::{Groups, Policy, Rule, Subject};
use access::request::{Machine, MachineQuery, Ports, ResourceId, Source};
use aws_sdk_dynamodb::types::TransactWriteItem;
use std::collections::BTreeSet;

/// How long a machine that is gone is still known, in seconds: a week.
const GONE_KEPT_SECONDS: u64 = 7 * 86_400;

/// How long what Slack said of people is kept without being said again, in seconds: a month.
const PEOPLE_KEPT_SECONDS: u64 = 30 * 86_400;

/// How long what Slack said of a group counts, in seconds: an hour, in which `discover` asks four times.
const GROUP_FRESH_SECONDS: u64 = 3600;

/// How long a question is kept, in seconds: an hour; its answer can be given for half of that.
const QUESTION_KEPT_SECONDS: u64 = 3600;

/// When `discover` last looked through a subscription.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Look {
    /// When it began, where all of it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// When it last began, whatever came of it.
    pub tried_at: Timestamp,
    /// How many machines there were, where all could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machines: Option<u64>,
}

/// A question for `discover`: somebody named a machine that cannot be asked for as the list says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// The machine as it was named.
    pub machine: MachineQuery,
    /// The ports that were asked for.
    pub ports: Ports,
    /// From where; absent where it was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Where Slack takes the answer.
    pub response_url: String,
    /// When it was asked.
    pub asked_at: Timestamp,
}

/// A question for `discover`: why somebody cannot get in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Why {
    /// Who.
    pub asker: UserId,
    /// To which machine and ports, and from where.
    #[serde(flatten)]
    pub question: Question,
}

/// A question for `discover`: which closing rules an admin is to be offered, now that these machines were enabled or
/// disabled.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// The machines.
    pub machines: Vec<ResourceId>,
    /// Whether rules are to be written or removed.
    pub change: Change,
    /// The admin.
    pub by: UserId,
    /// When it was asked.
    pub asked_at: Timestamp,
}

/// A question for `discover`: who is in these groups now. Somebody was told no by what it has read of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Doubt {
    /// The groups.
    pub groups: Vec<String>,
    /// Where Slack takes the answer; absent where it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_url: Option<String>,
    /// What is to be said where nothing has changed; absent where it was said already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// When it was asked.
    pub asked_at: Timestamp,
}

/// What `discover` is asked.
#[derive(Clone, PartialEq, Debug)]
pub enum Asked {
    /// About a machine that somebody named.
    Machine(Question),
    /// Why somebody cannot get in.
    Why(Why),
    /// What an admin is to be offered.
    Offer(Offer),
    /// Who is in a group now.
    Groups(Doubt),
}

/// A group as it is kept.
#[derive(Deserialize)]
struct SaidOfGroup {
    sk: String,
    members: BTreeSet<UserId>,
    seen_at: Timestamp,
}

/// A person as Slack knows them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub user: UserId,
    /// Their time zone, as the IANA names it; absent where Slack does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// When Slack said so.
    pub seen_at: Timestamp,
}

/// A question as it is kept, so that `notify` starts `discover`.
fn asked(question: Item, asked_at: Timestamp) -> Expression {
    let mut expression = Expression::default();
    for (attribute, value) in question {
        expression.set(&attribute, value);
    }
    expression.set("purge_at", number(asked_at.plus(QUESTION_KEPT_SECONDS).unix()));
    let (tell, notify) = Wake::Notify.attribute();
    expression.set(tell, text(notify));
    expression
}

impl Store {
    /// The machines that `discover` has seen, those that are gone too.
    ///
    /// # Errors
    /// DynamoDB did not answer, or an item is not a machine.
    pub async fn machines(&self) -> Result<Vec<SeenMachine>, StoreError> {
        let items = self.query(None, "pk = :pk", &[(":pk", text("MACHINE"))]).await?;
        items.into_iter().map(|item| decode("MACHINE", item)).collect()
    }

    /// A machine as `discover` has seen it last; `None` where it never has.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item is not a machine.
    pub async fn machine(&self, id: &ResourceId) -> Result<Option<SeenMachine>, StoreError> {
        let item = self.get("MACHINE".to_owned(), id.key()).await?;
        item.map(|item| decode("MACHINE", item)).transpose()
    }

    /// The rule that decides about a request's machine, as far as the machine list tells: its tags are looked up
    /// there where the rule depends on them. `grant` goes by what Azure says, and never by this.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item is not a machine.
    pub async fn listed_rule<'p>(
        &self,
        policy: &'p Policy,
        machine: &Machine,
    ) -> Result<Option<&'p Rule>, StoreError> {
        let seen =
            if policy.goes_by_tags(machine) { self.machine(&machine.resource_id).await? } else { None };
        Ok(policy.rule_for(&Subject::of(machine, seen.as_ref().map(|seen| &seen.tags))).ok())
    }

    /// Writes what was seen of a machine, and keeps what others keep with it.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn put_machine(&self, machine: &SeenMachine) -> Result<(), StoreError> {
        let mut expression = Expression::default();
        let item = encode("MACHINE", machine)?;
        for attribute in ["system", "administrator", "tags", "gone_at"] {
            if !item.contains_key(attribute) {
                expression.remove(attribute);
            }
        }
        for (attribute, value) in item {
            expression.set(&attribute, value);
        }
        let purge_at = machine.gone_at.map(|at| number(at.plus(GONE_KEPT_SECONDS).unix()));
        expression.set_or_remove("purge_at", purge_at);
        let key = ("MACHINE".to_owned(), machine.resource_id.key());
        self.update_always(key, expression).await
    }

    /// The requests about a machine that were not purged. From an index: each must be read again before anything is
    /// done.
    ///
    /// # Errors
    /// DynamoDB did not answer, or an item cannot be a record.
    pub async fn requests_on(&self, machine: &ResourceId) -> Result<Vec<Loaded>, StoreError> {
        let values = [(":machine", text(machine.key()))];
        let items = self.query(Some("machine"), "machine = :machine", &values).await?;
        items.into_iter().map(load).collect()
    }

    /// As [`Store::requests_on`], those that are open.
    ///
    /// # Errors
    /// DynamoDB did not answer, or an item cannot be a record.
    pub async fn open_on(&self, machine: &ResourceId) -> Result<Vec<Loaded>, StoreError> {
        let all = self.requests_on(machine).await?;
        Ok(all.into_iter().filter(|one| matches!(one.record.state(), State::Open(_))).collect())
    }

    /// When a subscription was last looked through; `None` where it never was.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item is not what it should be.
    pub async fn look(&self, subscription: &str) -> Result<Option<Look>, StoreError> {
        let item = self.get("LOOK".to_owned(), subscription.to_ascii_lowercase()).await?;
        item.map(|item| decode("LOOK", item)).transpose()
    }

    /// Records that a subscription was looked through.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn put_look(&self, subscription: &str, look: &Look) -> Result<(), StoreError> {
        let mut expression = Expression::default();
        for (attribute, value) in encode("LOOK", look)? {
            expression.set(&attribute, value);
        }
        self.update_always(("LOOK".to_owned(), subscription.to_ascii_lowercase()), expression).await
    }

    /// Keeps a question for `discover`, which `notify` asks to start. A question with this key that is
    /// there already stays.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn ask(&self, key: &str, question: &Question) -> Result<(), StoreError> {
        self.keep_asked(key, encode("ASK", question)?, question.asked_at).await
    }

    /// As [`Store::ask`], why somebody cannot get in.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn ask_why(&self, key: &str, why: &Why) -> Result<(), StoreError> {
        self.keep_asked(key, encode("ASK", why)?, why.question.asked_at).await
    }

    /// As [`Store::ask`], what an admin is to be offered: the part of a transaction that asks it.
    pub(super) fn asking_for_offer(&self, key: &str, offer: &Offer) -> Result<TransactWriteItem, StoreError> {
        let expression = asked(encode("ASK", offer)?, offer.asked_at);
        expression.conditional(&self.table, (key.to_owned(), "ASK".to_owned()), "attribute_not_exists(pk)")
    }

    /// As [`Store::ask`], who is in these groups now.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn doubt(&self, key: &str, doubt: &Doubt) -> Result<(), StoreError> {
        self.keep_asked(key, encode("ASK", doubt)?, doubt.asked_at).await
    }

    async fn keep_asked(&self, key: &str, item: Item, asked_at: Timestamp) -> Result<(), StoreError> {
        let key = (key.to_owned(), "ASK".to_owned());
        self.update(key, asked(item, asked_at), "attribute_not_exists(pk)", vec![]).await.map(|_| ())
    }

    /// What `discover` is asked; `None` where it was purged, or answered already.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item is not a question.
    pub async fn asked(&self, key: &str) -> Result<Option<Asked>, StoreError> {
        let Some(item) = self.get(key.to_owned(), "ASK".to_owned()).await? else { return Ok(None) };
        if item.get("answered") == Some(&AttributeValue::Bool(true)) {
            return Ok(None);
        }
        Ok(Some(if item.contains_key("change") {
            Asked::Offer(decode("ASK", item)?)
        } else if item.contains_key("groups") {
            Asked::Groups(decode("ASK", item)?)
        } else if item.contains_key("asker") {
            Asked::Why(decode("ASK", item)?)
        } else {
            Asked::Machine(decode("ASK", item)?)
        }))
    }

    /// A question was answered: it is not asked again.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn answered(&self, key: &str) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        expression.set("answered", AttributeValue::Bool(true));
        expression.remove(Wake::Notify.attribute().0);
        self.update((key.to_owned(), "ASK".to_owned()), expression, "attribute_exists(pk)", vec![]).await
    }

    /// The members of a user group, as Slack said.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn put_group(
        &self,
        group: &str,
        members: &BTreeSet<UserId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let members: Vec<AttributeValue> = members.iter().map(|user| text(user.as_str())).collect();
        let mut expression = Expression::default();
        expression.set("members", AttributeValue::L(members));
        expression.set("seen_at", number(now.unix()));
        expression.set("purge_at", number(now.plus(PEOPLE_KEPT_SECONDS).unix()));
        self.update_always(("GROUP".to_owned(), group.to_owned()), expression).await
    }

    /// The members of the user groups, as Slack said within the last hour. What it said before that counts as
    /// unsaid.
    ///
    /// # Errors
    /// DynamoDB did not answer, or an item is not a group.
    pub async fn groups(&self, now: Timestamp) -> Result<Groups, StoreError> {
        let mut groups = Groups::default();
        for item in self.query(None, "pk = :pk", &[(":pk", text("GROUP"))]).await? {
            let SaidOfGroup { sk, members, seen_at } = decode("GROUP", item)?;
            if now.since(seen_at) < GROUP_FRESH_SECONDS {
                groups.insert(sk, members);
            }
        }
        Ok(groups)
    }

    /// What Slack said of people.
    ///
    /// # Errors
    /// DynamoDB did not answer, or an item is not a person.
    pub async fn people(&self) -> Result<Vec<Person>, StoreError> {
        let items = self.query(None, "pk = :pk", &[(":pk", text("PERSON"))]).await?;
        items.into_iter().map(|item| decode("PERSON", item)).collect()
    }

    /// Keeps what Slack said of a person.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn put_person(&self, person: &Person) -> Result<(), StoreError> {
        let mut expression = Expression::default();
        for (attribute, value) in encode("PERSON", person)? {
            expression.set(&attribute, value);
        }
        expression.set("purge_at", number(person.seen_at.plus(PEOPLE_KEPT_SECONDS).unix()));
        self.update_always(("PERSON".to_owned(), person.user.to_string()), expression).await
    }
}
