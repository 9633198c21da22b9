//! Reaching an API server the way that people reach one: logins that expire, plugins, proxies and their exceptions.
#![cfg(feature = "sim")]

#[path = "support/faults.rs"]
mod faults;
#[path = "reaching/outages.rs"]
mod outages;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[path = "support/sim.rs"]
mod sim;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use warroom::apiserver::{self, Client, connect, deadline};
use warroom::sim::serve::{Options, serve};

/// A server that knows one token, and what was asked of it: the token and the path of each request.
struct Guarded {
    url: String,
    valid: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Guarded {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (valid, asked) = (Arc::new(Mutex::new("one".to_owned())), Arc::<Mutex<Vec<(String, String)>>>::default());
        let (known, seen) = (Arc::clone(&valid), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (known, seen) = (Arc::clone(&known), Arc::clone(&seen));
                thread::spawn(move || answer(stream, &known, &seen));
            }
        });
        Self { url, valid, asked }
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().expect("nobody fails while holding it").clone()
    }

    fn knows(&self, token: &str) {
        token.clone_into(&mut self.valid.lock().expect("nobody fails while holding it"));
    }
}

fn answer(mut stream: TcpStream, known: &Mutex<String>, seen: &Mutex<Vec<(String, String)>>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let token = head
        .lines()
        .find_map(|l| l.to_ascii_lowercase().strip_prefix("authorization: bearer ").map(str::to_owned))
        .unwrap_or_default();
    // Whoever closes before all was read resets the connection, and the answer with it.
    let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let _ = stream.read_exact(&mut vec![0; length.unwrap_or(0)]);
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let valid = *known.lock().expect("nobody fails while holding it") == token;
    seen.lock().expect("nobody fails while holding it").push((token, line));
    let (status, body) =
        if valid { ("200 OK", "{\"gitVersion\":\"v1\"}") } else { ("401 Unauthorized", "{\"kind\":\"Status\"}") };
    let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
}

/// A login plugin that gives what stands in a file, and counts how often it was run.
fn plugin(home: &Path, url: &str) -> connect::Options {
    let (script, token, runs) = (home.join("login"), home.join("token"), home.join("runs"));
    fs::write(&token, "one").expect("a token");
    let credential =
        r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}"#;
    let text = format!(
        "#!/bin/sh\necho run >> {}\necho warning from the plugin >&2\nprintf '{credential}' \"$(cat {})\"\n",
        runs.display(),
        token.display()
    );
    fs::write(&script, text).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it can be run");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "users": [{"name": "test", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": script, "interactiveMode": "IfAvailable"}}}],
    });
    let file = home.join("kubeconfig");
    fs::write(&file, kubeconfig.to_string()).expect("a kubeconfig");
    connect::Options { kubeconfig: Some(file), ..connect::Options::default() }
}

fn runs(home: &Path) -> usize {
    fs::read_to_string(home.join("runs")).unwrap_or_default().lines().count()
}

async fn version(client: &Client) -> Result<serde_json::Value, apiserver::Trouble> {
    apiserver::whole(client, "/version", 1 << 16, deadline(Duration::from_secs(10))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_expired_is_renewed_once_for_all_who_wait_and_reads_go_on() {
    let server = Guarded::open();
    let home = tempfile::tempdir().expect("a directory");
    let client = connect::connect(plugin(home.path(), &server.url)).await.expect("a client").client;
    version(&client).await.expect("the first token is good");
    // One client runs it a few times: for a token, and for a certificate.
    let before = runs(home.path());
    server.knows("two");
    fs::write(home.path().join("token"), "two").expect("a new token");
    let all = futures::future::join_all((0..8).map(|_| version(&client))).await;
    assert!(all.iter().all(Result::is_ok), "nobody sees that the token expired: {all:?}");
    assert!(runs(home.path()) - before <= before, "one login for all: {before}, then {}", runs(home.path()));
    assert!(server.asked().iter().filter(|(token, _)| token == "one").count() <= 9, "{:?}", server.asked());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_does_not_help_is_not_tried_for_every_request_and_a_write_is_sent_once() {
    let server = Guarded::open();
    let home = tempfile::tempdir().expect("a directory");
    let client = connect::connect(plugin(home.path(), &server.url)).await.expect("a client").client;
    version(&client).await.expect("the first token is good");
    let before = runs(home.path());
    server.knows("never told to the plugin");
    for _ in 0..5 {
        let trouble = version(&client).await.expect_err("it is not known");
        assert!(trouble.to_string().contains("log in again"), "{trouble}");
    }
    assert!(runs(home.path()) - before <= before, "{before}, then {}", runs(home.path()));

    let server = Guarded::open();
    let home = tempfile::tempdir().expect("a directory");
    let client = connect::connect(plugin(home.path(), &server.url)).await.expect("a client").client;
    server.knows("two");
    fs::write(home.path().join("token"), "two").expect("a new token");
    let patch = || {
        let body = kube::client::Body::from(b"{}".to_vec());
        http::Request::patch("/apis/apps/v1/namespaces/n/deployments/x").body(body).expect("a request")
    };
    let answer = client.send(patch()).await.expect("an answer");
    assert_eq!(answer.status(), 401, "whoever writes is told");
    assert_eq!(server.asked().iter().filter(|(_, line)| line.starts_with("PATCH")).count(), 1);
    let answer = client.send(patch()).await.expect("an answer");
    assert_eq!(answer.status(), 200, "the next one is known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_fails_is_said_with_its_reason_and_without_its_token() {
    let server = Guarded::open();
    let home = tempfile::tempdir().expect("a directory");
    let options = plugin(home.path(), &server.url);
    let script = "#!/bin/sh\necho 'token: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh' >&2\nprintf 'sso \\033[2J session expired' >&2\nexit 3\n";
    fs::write(home.path().join("login"), script).expect("a script");
    let error = connect::connect(options).await.err().expect("no client").to_string();
    assert!(error.contains("no client can be made") && !error.contains('\u{1b}'), "{error}");
    assert!(!error.contains("eyJhbGciOiJIUzI1NiJ9"), "{error}");
}

/// A proxy that tunnels whatever it is asked for to one address, and tells what it was asked for.
fn proxy(to: String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (to, seen) = (to.clone(), Arc::clone(&seen));
            thread::spawn(move || tunnel(stream, &to, &seen));
        }
    });
    (port, asked)
}

fn tunnel(mut near: TcpStream, to: &str, seen: &Mutex<Vec<String>>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && matches!(near.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    seen.lock().expect("nobody fails while holding it").push(line);
    let Ok(mut far) = TcpStream::connect(to) else { return };
    if near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_err() {
        return;
    }
    let (mut from_far, mut to_near) = (far.try_clone().expect("a copy"), near.try_clone().expect("a copy"));
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_far, &mut to_near);
        let _ = to_near.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut near, &mut far);
    let _ = far.shutdown(Shutdown::Both);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_behind_a_proxy_is_reached_as_kubectl_reaches_it() {
    let handle = serve(sim::setup(), |_| sim::engines(0.0), Options::default()).await.expect("it opens");
    let address = handle.url.trim_start_matches("http://").to_owned();
    let (port, asked) = proxy(address.clone());
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("kubeconfig");
    // A name that only the proxy can resolve.
    fs::write(&file, handle.kubeconfig().replace(&address, "api.cluster.invalid:8080")).expect("a kubeconfig");
    let typed = |variables: &[(&str, String)]| {
        let mut command = program::warroom(["discover", "--request-timeout", "5s"]);
        command.env("KUBECONFIG", &file).envs(variables.iter().map(|(n, v)| (*n, v.clone())));
        tokio::task::spawn_blocking(move || program::run(&mut command))
    };
    let url = format!("http://127.0.0.1:{port}");
    let said = typed(&[("HTTP_PROXY", url.clone())]).await.expect("it ends");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains(sim::NAME), "{}", said.stdout);
    let tunnels = asked.lock().expect("nobody fails while holding it").clone();
    assert!(tunnels.iter().all(|line| line.starts_with("CONNECT api.cluster.invalid:8080")), "{tunnels:?}");

    let excepted = [("HTTP_PROXY", url.clone()), ("NO_PROXY", ".invalid".to_owned())];
    let said = typed(&excepted).await.expect("it ends");
    assert_eq!(said.code, Some(1), "nobody resolves that name here: {said:?}");
    assert_eq!(asked.lock().expect("nobody fails while holding it").len(), tunnels.len(), "the proxy was not asked");

    // What the kubeconfig names holds, whatever the environment excepts.
    let named = fs::read_to_string(&file)
        .expect("it was written")
        .replace("server:", &format!("proxy-url: {url}\n    server:"));
    fs::write(&file, named).expect("a kubeconfig");
    let said = typed(&[("NO_PROXY", "*".to_owned())]).await.expect("it ends");
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = typed(&[("HTTP_PROXY", "ftp://me:s3cret@x".to_owned())]).await.expect("it ends");
    assert_eq!(said.code, Some(0), "and whatever is wrong there: {said:?}");
}
