//! Azure Resource Graph: a query over all that the caller may read. Only the few operators that are
//! needed here are understood, and anything else is refused as the real one refuses what it does not
//! know. What it says is old: by up to five minutes of the sandbox's clock.

use super::applied;
use super::core::{Core, State};
use super::error::ArmError;
use super::keys::AccessClaims;
use super::wire;
use super::world::{Kind, RESOURCE_GROUP};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// The path, without case.
pub(super) const PATH: &str = "/providers/microsoft.resourcegraph/resources";

/// How many queries a caller has in each five seconds.
const QUOTA: usize = 15;
const QUOTA_MS: u64 = 5_000;

/// What Resource Graph remembers: how the rules were, and who has asked lately.
#[derive(Default)]
pub(super) struct Graph {
    /// Since when (milliseconds) each group has had these rules.
    past: VecDeque<(u64, Arc<Groups>)>,
    /// Caller and moment of each query of the last five seconds.
    asked: VecDeque<(String, u64)>,
}

/// Each group's id with the names of its rules.
type Groups = Vec<(String, Vec<String>)>;

impl Graph {
    /// Notes how the rules are from now on.
    pub(super) fn note(&mut self, state: &State, now_ms: u64, longest_lag_ms: u64) {
        let names = |nsg: &super::world::Nsg| nsg.rules.iter().map(|rule| rule.name.clone()).collect();
        let groups: Groups = state.world.nsgs.iter().map(|nsg| (graph_id(&nsg.name), names(nsg))).collect();
        if self.past.back().is_some_and(|(_, last)| **last == groups) {
            return;
        }
        self.past.push_back((now_ms, Arc::new(groups)));
        // The last one before the longest lag is still needed.
        while self.past.get(1).is_some_and(|(since, _)| since + longest_lag_ms < now_ms) {
            self.past.pop_front();
        }
    }

    fn at(&self, moment_ms: u64) -> Arc<Groups> {
        let known =
            self.past.iter().rev().find(|(since, _)| *since <= moment_ms).or_else(|| self.past.front());
        known.map(|(_, groups)| Arc::clone(groups)).unwrap_or_default()
    }

    /// How many queries the caller has left, or `None` when there is none.
    fn spend(&mut self, who: &str, now_ms: u64) -> Option<usize> {
        self.asked.retain(|(_, at)| at + QUOTA_MS > now_ms);
        let spent = self.asked.iter().filter(|(caller, _)| caller == who).count();
        let left = QUOTA.checked_sub(spent + 1)?;
        self.asked.push_back((who.to_owned(), now_ms));
        Some(left)
    }
}

/// Resource Graph writes the resource group as it likes; ids are compared without case.
fn graph_id(nsg: &str) -> String {
    Kind::Nsg.id(nsg).replace(RESOURCE_GROUP, &RESOURCE_GROUP.to_lowercase())
}

/// By how much an answer is old: seeded, different from minute to minute, at most the setting.
fn lag_ms(seed: u64, longest_ms: u64, now_ms: u64) -> u64 {
    let mut mix = seed.wrapping_add(now_ms / 60_000).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mix = (mix ^ (mix >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mix ^ (mix >> 27)) % (longest_ms + 1)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    subscriptions: Vec<String>,
    query: String,
    #[serde(default)]
    options: Options,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Options {
    #[serde(rename = "$skipToken")]
    skip_token: Option<String>,
    #[serde(rename = "$top")]
    top: Option<usize>,
    #[serde(rename = "resultFormat")]
    result_format: Option<String>,
}

/// Answers a query.
pub(super) fn answer(
    core: &Core,
    who: &AccessClaims,
    ask_body: &[u8],
    api_version: &str,
) -> Result<Response, ArmError> {
    if !["2021-03-01", "2022-10-01", "2024-04-01"].contains(&api_version) {
        let message = format!(
            "No registered resource provider found for API version '{api_version}' for type 'resources'."
        );
        return Err(ArmError::gateway(400, "NoRegisteredProviderFound", message));
    }
    let settings = core.settings();
    let now_ms = core.now();
    let Some(left) = core.graph().spend(&who.name, now_ms) else {
        let message = "Client application has been throttled and should not attempt to repeat the request until an amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help.";
        return Err(ArmError::gateway(429, "RateLimiting", support())
            .detail("RateLimiting", message)
            .header("x-ms-user-quota-remaining", "0")
            .header("x-ms-user-quota-resets-after", "00:00:05"));
    };
    let request: Request = serde_json::from_slice(ask_body).map_err(|error| {
        ArmError::gateway(400, "BadRequest", support()).detail("InvalidRequest", error.to_string())
    })?;
    let options = request.options;
    let top = options.top.unwrap_or(100);
    if !(1..=1000).contains(&top) || options.result_format.as_deref() != Some("objectArray") {
        return Err(ArmError::gateway(400, "BadRequest", support())
            .detail("InvalidOptions", "$top is 1 to 1000, and the result is asked for as objectArray."));
    }
    let steps = parse(&request.query).map_err(|why| {
        ArmError::gateway(400, "BadRequest", support())
            .detail("InvalidQuery", "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error before retrying.")
            .detail("ParserFailure", why)
    })?;
    let groups = core.graph().at(now_ms.saturating_sub(lag_ms(settings.seed, settings.graph_lag_ms, now_ms)));
    let may_read = |id: &str| applied::may(core, who, "Microsoft.Network/networkSecurityGroups/read", id);
    let asked = |id: &str| {
        request.subscriptions.iter().any(|one| {
            id.to_ascii_lowercase().starts_with(&format!("/subscriptions/{}/", one.to_ascii_lowercase()))
        })
    };
    let rows = groups.iter().filter(|(id, _)| may_read(id) && asked(id)).map(|(id, rules)| {
        let rules: Vec<Value> = rules.iter().map(|name| json!({"name": name})).collect();
        json!({"id": id, "type": "microsoft.network/networksecuritygroups", "properties": {"securityRules": rules}})
    });
    let rows = steps.iter().try_fold(rows.collect::<Vec<_>>(), |rows, step| step.apply(rows));
    let rows =
        rows.map_err(|why| ArmError::gateway(400, "BadRequest", support()).detail("InvalidQuery", why))?;
    let from = match &options.skip_token {
        None => 0,
        Some(token) => read_token(token, &request.query).ok_or_else(|| {
            ArmError::gateway(400, "BadRequest", support())
                .detail("InvalidSkipToken", "The skip token is not one for this query.")
        })?,
    };
    let page = top.min(settings.graph_page.max(1));
    let (from, to) = (from.min(rows.len()), (from + page).min(rows.len()));
    let mut body = json!({
        "totalRecords": rows.len(), "count": to - from, "data": rows[from..to], "facets": [],
        "resultTruncated": "false",
    });
    if to < rows.len() {
        body["$skipToken"] = json!(BASE64.encode(format!("{to}/{}", request.query)));
    }
    let mut response = wire::json(200, &body, settings.crlf);
    wire::set(&mut response, "x-ms-user-quota-remaining", &left.to_string());
    wire::set(&mut response, "x-ms-user-quota-resets-after", "00:00:05");
    Ok(response)
}

fn support() -> String {
    format!("Please provide below info when asking for support: correlationId = {}.", wire::guid())
}

fn read_token(token: &str, query: &str) -> Option<usize> {
    let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
    let (from, of) = text.split_once('/')?;
    from.parse().ok().filter(|_| of == query)
}

/// One operator of a query.
#[derive(PartialEq, Debug)]
enum Step {
    /// `where column =~ 'text'`
    Equals(String, String),
    /// `where column startswith 'text'`, without case.
    StartsWith(String, String),
    /// `mv-expand name = path [limit n]`
    Expand(String, String, usize),
    /// `extend name = tostring(path)`
    Extend(String, String),
    /// `project a, b`
    Project(Vec<String>),
    /// `order by a asc, b asc`
    Order(Vec<String>),
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let shaped = !text.is_empty()
        && text.split('.').all(|part| part.chars().all(|c| c.is_ascii_alphanumeric()) && !part.is_empty());
    if shaped { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a name")) }
}

fn literal(text: &str) -> Result<String, String> {
    let inner = text.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    inner
        .filter(|inner| !inner.contains('\''))
        .map(str::to_owned)
        .ok_or_else(|| format!("{text} is not a text"))
}

fn parse(query: &str) -> Result<Vec<Step>, String> {
    let mut parts = query.split('|').map(str::trim);
    if parts.next() != Some("resources") {
        return Err("the table is not `resources`".to_owned());
    }
    parts.map(step).collect()
}

fn step(text: &str) -> Result<Step, String> {
    let (operator, rest) = text.split_once(' ').ok_or_else(|| format!("`{text}` is no operator"))?;
    match operator {
        "where" => match (rest.split_once(" =~ "), rest.split_once(" startswith ")) {
            (Some((column, text)), _) => Ok(Step::Equals(name(column)?, literal(text)?)),
            (_, Some((column, text))) => Ok(Step::StartsWith(name(column)?, literal(text)?)),
            _ => Err(format!("`{rest}` is no condition")),
        },
        "mv-expand" => {
            let (to, from) = rest.split_once(" = ").ok_or_else(|| format!("`{rest}` names nothing"))?;
            // Without a limit Resource Graph expands 128 at most, and never more than 2,000.
            let (from, limit) = match from.split_once(" limit ") {
                Some((from, limit)) => (from, limit.trim().parse().map_err(|_| "no number".to_owned())?),
                None => (from, 128),
            };
            if limit > 2000 {
                return Err(format!("a limit of {limit} is more than 2000"));
            }
            Ok(Step::Expand(name(to)?, name(from)?, limit))
        }
        "extend" => {
            let (to, from) = rest.split_once(" = ").ok_or_else(|| format!("`{rest}` names nothing"))?;
            let from = from.trim().strip_prefix("tostring(").and_then(|from| from.strip_suffix(')'));
            Ok(Step::Extend(name(to)?, name(from.ok_or_else(|| format!("`{rest}` is no text"))?)?))
        }
        "project" => rest.split(',').map(name).collect::<Result<_, _>>().map(Step::Project),
        "order" => {
            let columns = rest.strip_prefix("by ").ok_or_else(|| format!("`{rest}` is no order"))?;
            let ascending = |column: &str| {
                name(
                    column
                        .trim()
                        .strip_suffix(" asc")
                        .ok_or_else(|| format!("`{column}` has no direction"))?,
                )
            };
            columns.split(',').map(ascending).collect::<Result<_, _>>().map(Step::Order)
        }
        _ => Err(format!("`{operator}` is not an operator")),
    }
}

fn get<'a>(row: &'a Value, path: &str) -> Result<&'a Value, String> {
    path.split('.')
        .try_fold(row, |value, part| value.get(part))
        .ok_or_else(|| format!("there is no `{path}`"))
}

fn texts(row: &Value, columns: &[String]) -> Result<Vec<String>, String> {
    columns.iter().map(|column| Ok(get(row, column)?.as_str().unwrap_or_default().to_owned())).collect()
}

impl Step {
    fn apply(&self, rows: Vec<Value>) -> Result<Vec<Value>, String> {
        let keep = |column: &str, is: &dyn Fn(&str) -> bool| {
            let with = rows.iter().map(|row| Ok((is(get(row, column)?.as_str().unwrap_or_default()), row)));
            let all: Vec<(bool, &Value)> = with.collect::<Result<_, String>>()?;
            Ok(all.into_iter().filter(|(is, _)| *is).map(|(_, row)| row.clone()).collect())
        };
        match self {
            Self::Equals(column, text) => keep(column, &|value| value.eq_ignore_ascii_case(text)),
            Self::StartsWith(column, text) => {
                let text = text.to_ascii_lowercase();
                keep(column, &|value| value.to_ascii_lowercase().starts_with(&text))
            }
            Self::Expand(to, from, limit) => {
                let mut expanded = vec![];
                for row in &rows {
                    for one in get(row, from)?.as_array().into_iter().flatten().take(*limit) {
                        let mut row = row.clone();
                        row[to] = one.clone();
                        expanded.push(row);
                    }
                }
                Ok(expanded)
            }
            Self::Extend(to, from) => rows
                .into_iter()
                .map(|mut row| {
                    let value = get(&row, from)?.clone();
                    row[to] = value;
                    Ok(row)
                })
                .collect(),
            Self::Project(columns) => rows
                .iter()
                .map(|row| {
                    let cells = columns.iter().map(|column| Ok((column.clone(), get(row, column)?.clone())));
                    Ok(Value::Object(cells.collect::<Result<_, String>>()?))
                })
                .collect(),
            Self::Order(columns) => {
                let mut keyed: Vec<(Vec<String>, Value)> = rows
                    .into_iter()
                    .map(|row| Ok((texts(&row, columns)?, row)))
                    .collect::<Result<_, String>>()?;
                keyed.sort_by(|a, b| a.0.cmp(&b.0));
                Ok(keyed.into_iter().map(|(_, row)| row).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_understood_is_taken() {
        for query in [
            "Resources",
            "resources | take 5",
            "resources | where type == 'x'",
            "resources | where type =~ 'x' and name =~ 'y'",
            "resources | mv-expand rule = properties.securityRules limit 2001",
            "resources | order by id",
            "resources | summarize count()",
            "resources | where type =~ 'x'; print 1",
        ] {
            assert!(parse(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_group_is_expanded_by_128_rules_unless_more_are_asked_for() {
        let rules: Vec<Value> = (0..1000).map(|number| json!({"name": format!("r{number}")})).collect();
        let row = json!({"id": "a", "properties": {"securityRules": rules}});
        for (limit, expected) in [("", 128), (" limit 2000", 1000)] {
            let steps =
                parse(&format!("resources | mv-expand rule = properties.securityRules{limit}")).unwrap();
            assert_eq!(steps[0].apply(vec![row.clone()]).unwrap().len(), expected);
        }
    }

    #[test]
    fn an_answer_is_old_by_what_the_minute_says() {
        let lags: Vec<u64> = (0..100).map(|minute| lag_ms(7, 300_000, minute * 60_000)).collect();
        assert!(lags.iter().all(|lag| *lag <= 300_000));
        assert!(lags.iter().any(|lag| *lag > 200_000) && lags.iter().any(|lag| *lag < 100_000), "{lags:?}");
        assert_eq!(lag_ms(7, 0, 60_000), 0);
    }

    #[test]
    fn fifteen_queries_in_five_seconds() {
        let mut graph = Graph::default();
        let left: Vec<_> = (0..16).map(|n| graph.spend("revoke", n)).collect();
        assert_eq!((left[0], left[14], left[15]), (Some(14), Some(0), None));
        assert_eq!(graph.spend("grant", 16), Some(14));
        assert_eq!(graph.spend("revoke", 5_000), Some(0), "the first one is five seconds ago");
    }
}
