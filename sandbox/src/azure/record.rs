//! Writes down what goes to and comes from the management API, so that judges which nobody here wrote
//! can be held against it afterwards.
//!
//! With `AJAR_RECORD_ARM=DIR` each exchange becomes a line of JSON in `DIR/<process id>.jsonl`. Left out
//! are the bearer token and what the addresses of operations carry behind their `?`: those are secrets.

use super::keys::Keys;
use super::wire::Call;
use crate::faults::How;
use crate::recording::{Lines, parsed};
use axum::body::Body;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Where to write; nothing is recorded without it.
const VARIABLE: &str = "AJAR_RECORD_ARM";
/// Reads of one shape are written whole so often by one process; later ones only as that shape.
const READS_OF_A_SHAPE: u32 = 20;
/// A longer query value is an operation's signature.
const LONGEST_VALUE: usize = 64;

/// A process's recording.
pub(super) struct Recorder {
    lines: Lines,
    seen: Mutex<HashMap<u64, u32>>,
}

/// A request, kept until its answer is there.
pub(super) struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Value,
}

/// This process's recording, if one was asked for.
pub(super) fn recorder() -> Option<&'static Recorder> {
    static RECORDER: OnceLock<Option<Recorder>> = OnceLock::new();
    let open = || Some(Recorder { lines: Lines::asked_for(VARIABLE)?, seen: Mutex::default() });
    RECORDER.get_or_init(open).as_ref()
}

impl Recorder {
    /// Notes a request that an ordered fault keeps from being carried out.
    pub(super) fn lost(&self, call: &Call, how: &How) {
        let mut line = Asked::new(call).line(None);
        line.insert("lost".to_owned(), json!(how));
        self.lines.write(&line);
    }

    /// Notes an exchange. The answer comes back as it was.
    pub(super) async fn exchange(&self, keys: &Keys, asked: Asked, response: Response) -> Response {
        let (head, body) = response.into_parts();
        let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
            return super::wire::cut();
        };
        let mut line = asked.line(Some(keys));
        let headers: Map<String, Value> = head
            .headers
            .iter()
            .map(|(name, value)| {
                let text = value.to_str().unwrap_or_default();
                (name.to_string(), json!(text.split('?').next()))
            })
            .collect();
        line.insert("status".to_owned(), json!(head.status.as_u16()));
        line.insert("headers".to_owned(), Value::Object(headers));
        line.insert("response".to_owned(), parsed(&bytes));
        if asked.method == Method::GET {
            self.thin(&mut line);
        }
        self.lines.write(&line);
        Response::from_parts(head, Body::from(bytes))
    }

    /// Names a read's shape, and leaves no more than that of one whose shape is well known.
    fn thin(&self, line: &mut Map<String, Value>) {
        let mut hasher = DefaultHasher::new();
        for part in ["client", "who", "status"] {
            line[part].to_string().hash(&mut hasher);
        }
        // Types and names alternate in a path: the names do not make a shape.
        let path = line["path"].as_str().unwrap_or_default();
        path.split('/').skip(1).step_by(2).for_each(|kind| kind.hash(&mut hasher));
        line["query"].as_object().into_iter().flatten().for_each(|(name, _)| name.hash(&mut hasher));
        shape(&line["response"]).hash(&mut hasher);
        let shape = hasher.finish();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.entry(shape).or_default();
        *times += 1;
        line.insert("shape".to_owned(), json!(format!("{shape:016x}")));
        if *times > READS_OF_A_SHAPE {
            line.retain(|name, _| name == "shape");
        }
    }
}

impl Asked {
    /// Keeps of a call what is written down.
    pub(super) fn new(call: &Call) -> Self {
        let (method, uri) = (call.method.clone(), call.uri.clone());
        Self { method, uri, headers: call.headers.clone(), body: parsed(&call.body) }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn line(&self, keys: Option<&Keys>) -> Map<String, Value> {
        let query: Map<String, Value> =
            form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes())
                .filter(|(_, value)| value.len() <= LONGEST_VALUE)
                .map(|(name, value)| (name.into_owned(), json!(value)))
                .collect();
        let token = self.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        let who = keys.zip(token).and_then(|(keys, token)| keys.read_access_token(token));
        let line = json!({ "client": self.header("user-agent"), "who": who.map(|claims| claims.name),
            "method": self.method.as_str(), "path": self.uri.path(), "query": query,
            "request": self.body });
        match line {
            Value::Object(line) => line,
            _ => Map::new(),
        }
    }
}

/// The keys and types of a value, without its values; a list is the set of its members' shapes.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "n".to_owned(),
        Value::Bool(_) => "b".to_owned(),
        Value::Number(_) => "i".to_owned(),
        Value::String(_) => "s".to_owned(),
        Value::Array(list) => {
            let shapes: BTreeSet<String> = list.iter().map(shape).collect();
            format!("[{}]", shapes.into_iter().collect::<Vec<_>>().join(","))
        }
        Value::Object(members) => {
            let shapes: Vec<String> =
                members.iter().map(|(key, value)| format!("{key}:{}", shape(value))).collect();
            format!("{{{}}}", shapes.join(","))
        }
    }
}
