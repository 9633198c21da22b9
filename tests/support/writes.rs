//! An API server that holds one object, records every call, and goes wrong on demand.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// A call as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) content_type: String,
    pub(crate) user_agent: String,
    pub(crate) body: String,
}

/// How the next write goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// This status with this message; the write is stored all the same where so said.
    Status { code: u16, message: String, store: bool },
    /// No answer.
    Hang,
    /// The same, and it is stored.
    HangStored,
    /// The connection breaks off.
    Reset,
    /// The same, and it is stored.
    ResetStored,
    /// No answer, and it is stored after this.
    StoreLate(Duration),
    /// The server is gone from now on.
    Die,
}

impl Fault {
    pub(crate) fn status(code: u16, message: &str) -> Self {
        Self::Status { code, message: message.to_owned(), store: false }
    }

    /// The same fault, behind a server that did what was asked for.
    pub(crate) fn after_storing(self) -> Self {
        match self {
            Self::Status { code, message, .. } => Self::Status { code, message, store: true },
            Self::Hang => Self::HangStored,
            Self::Reset => Self::ResetStored,
            other => other,
        }
    }
}

type Mutation = Box<dyn Fn(&mut Value) + Send>;

#[derive(Default)]
struct State {
    object: Value,
    calls: Vec<Call>,
    fault: Option<Fault>,
    denied: bool,
    dead: bool,
    mutation: Option<Mutation>,
    warning: Option<String>,
}

/// The server; its threads end with the test.
pub(crate) struct Server {
    url: String,
    state: Arc<Mutex<State>>,
}

fn locked(state: &Arc<Mutex<State>>) -> MutexGuard<'_, State> {
    state.lock().expect("no thread fails while it holds this")
}

impl Server {
    pub(crate) fn start(object: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State { object, ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (state, stream) = (Arc::clone(&shared), stream.expect("a connection"));
                // A client that gave up closes the connection: an error here is no failure of the test.
                thread::spawn(move || answer(&state, stream));
            }
        });
        Self { url, state }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        locked(&self.state).calls.clone()
    }

    pub(crate) fn clear(&self) {
        locked(&self.state).calls.clear();
    }

    pub(crate) fn object(&self) -> Value {
        locked(&self.state).object.clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Value)) {
        change(&mut locked(&self.state).object);
    }

    pub(crate) fn next_write(&self, fault: Fault) {
        locked(&self.state).fault = Some(fault);
    }

    pub(crate) fn deny(&self) {
        locked(&self.state).denied = true;
    }

    pub(crate) fn mutate(&self, mutation: impl Fn(&mut Value) + Send + 'static) {
        locked(&self.state).mutation = Some(Box::new(mutation));
    }

    pub(crate) fn warn(&self, warning: &str) {
        locked(&self.state).warning = Some(warning.to_owned());
    }
}

fn read(stream: &TcpStream) -> io::Result<Call> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let mut call =
        Call { method: words.next().unwrap_or_default(), target: words.next().unwrap_or_default(), ..Call::default() };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-type" => value.clone_into(&mut call.content_type),
            "user-agent" => value.clone_into(&mut call.user_agent),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    call.body = String::from_utf8_lossy(&body).into_owned();
    Ok(call)
}

fn answer(state: &Arc<Mutex<State>>, mut stream: TcpStream) -> io::Result<()> {
    let call = read(&stream)?;
    if locked(state).dead || call.method.is_empty() {
        return stream.shutdown(Shutdown::Both);
    }
    locked(state).calls.push(call.clone());
    let (code, body) = match call.method.as_str() {
        "POST" => {
            let denied = locked(state).denied;
            (201, json!({"status": {"allowed": !denied, "reason": if denied { "RBAC says no" } else { "" }}}))
        }
        "GET" => (200, locked(state).object.clone()),
        _ => match write(state, &call, &mut stream)? {
            Some(answer) => answer,
            None => return Ok(()),
        },
    };
    let body = body.to_string();
    let warning = locked(state).warning.as_ref().map(|w| format!("warning: {w}\r\n")).unwrap_or_default();
    write!(
        stream,
        "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\n{warning}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A PATCH; nothing where it gets no answer.
fn write(state: &Arc<Mutex<State>>, call: &Call, stream: &mut TcpStream) -> io::Result<Option<(u16, Value)>> {
    let dry = call.target.contains("dryRun=All");
    let store = || patched(&mut locked(state), call, dry);
    let hang = || thread::sleep(Duration::from_secs(5));
    let fault = locked(state).fault.take();
    match fault {
        None => return Ok(Some(store())),
        Some(Fault::Status { code, message, store: stores }) => {
            if stores {
                store();
            }
            return Ok(Some((code, status(code, &message))));
        }
        Some(Fault::Hang) => hang(),
        Some(Fault::HangStored) => {
            store();
            hang();
        }
        Some(Fault::StoreLate(after)) => {
            thread::sleep(after);
            store();
            hang();
        }
        Some(Fault::Reset) => stream.shutdown(Shutdown::Both)?,
        Some(Fault::ResetStored) => {
            store();
            stream.shutdown(Shutdown::Both)?;
        }
        Some(Fault::Die) => {
            locked(state).dead = true;
            stream.shutdown(Shutdown::Both)?;
        }
    }
    Ok(None)
}

fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message})
}

/// Applies a JSON patch as an API server does: the tests are under the same lock as the change.
fn patched(state: &mut State, call: &Call, dry: bool) -> (u16, Value) {
    let patch: json_patch::Patch = match serde_json::from_str(&call.body) {
        Ok(patch) => patch,
        Err(error) => return (400, status(400, &error.to_string())),
    };
    let scale = call.target.split('?').next().is_some_and(|path| path.ends_with("/scale"));
    let mut object = if scale {
        json!({"kind": "Scale", "metadata": {"uid": state.object["metadata"]["uid"]},
            "spec": {"replicas": state.object["spec"]["replicas"]}})
    } else {
        state.object.clone()
    };
    if let Err(error) = json_patch::patch(&mut object, &patch) {
        // The words of the library by which API servers do it.
        return (422, status(422, &format!("testing value {} failed: test failed", error.path)));
    }
    if let Some(mutation) = &state.mutation {
        mutation(&mut object);
    }
    if !dry && scale {
        state.object["spec"]["replicas"] = object["spec"]["replicas"].clone();
    } else if !dry {
        state.object = object.clone();
    }
    (200, object)
}
