//! `warroom act` as it is typed, against the simulated cluster: what reaches the API server, what is on record, and how
//! it ends. Between them stands a wire that keeps every request line, and can swallow a write.
#![cfg(feature = "sim")]

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/sim.rs"]
mod sim;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use program::{Run, run, wait, warroom};
use serde_json::Value;
use sim::{NAME, NAMESPACE, engines, rolled_out, setup};
use warroom::apiserver::Client;
use warroom::apiserver::{self, connect, deadline};
use warroom::contract::record::Entry;
use warroom::journal;
use warroom::sim::rules::Rules;
use warroom::sim::serve::{Handle, Options, serve};
use warroom::sim::world::Setup;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What stands between the program and the cluster.
#[derive(Clone, Default)]
struct Wire {
    /// Every request's method and path, in the order in which they came, over whichever connection.
    sent: Arc<Mutex<Vec<String>>>,
    swallows_writes: Arc<AtomicBool>,
    loses_answers: Arc<AtomicBool>,
}

impl Wire {
    /// Listens on a port of its own and passes everything on to `to`.
    fn lay(&self, to: String) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let wire = self.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&to) else { continue };
                let copy = |socket: &TcpStream| socket.try_clone().expect("a socket");
                let (from, to, near_end) = (copy(&far), copy(&near), copy(&near));
                // Whether a write is on its way through this connection.
                let writes = Arc::new(AtomicBool::new(false));
                let (wire, answers, asked) = (wire.clone(), wire.clone(), Arc::clone(&writes));
                thread::spawn(move || {
                    pass(from, to, |_| {
                        let lost = writes.load(Ordering::Relaxed) && answers.loses_answers.load(Ordering::Relaxed);
                        if lost {
                            let _ = near_end.shutdown(Shutdown::Both);
                        }
                        !lost
                    });
                });
                thread::spawn(move || {
                    let (mut said, mut known) = (Vec::new(), 0);
                    pass(near, far, |bytes| {
                        said.extend_from_slice(bytes);
                        let all = requests(&String::from_utf8_lossy(&said));
                        wire.sent.lock().expect("nobody fails while holding it").extend_from_slice(&all[known..]);
                        known = all.len();
                        let text = String::from_utf8_lossy(bytes);
                        if text.contains("PATCH ") && !text.contains("dryRun=All") {
                            asked.store(true, Ordering::Relaxed);
                        }
                        !(asked.load(Ordering::Relaxed) && wire.swallows_writes.load(Ordering::Relaxed))
                    });
                });
            }
        });
        port
    }

    /// Every request: its method and its path.
    fn requests(&self) -> Vec<String> {
        self.sent.lock().expect("as above").clone()
    }

    /// Those that could change something.
    fn writes(&self) -> Vec<String> {
        let reads = |r: &String| r.starts_with("GET ") || r.contains("/selfsubjectaccessreviews");
        self.requests().into_iter().filter(|r| !reads(r)).collect()
    }
}

/// The methods and paths of what was said on one connection.
fn requests(said: &str) -> Vec<String> {
    let mut heads: Vec<&str> = said.split(" HTTP/1.1\r\n").collect();
    heads.pop();
    // Before a request line stands the body of the one before it, without an end of its own.
    let line = |head: &str| {
        let at = METHODS.iter().filter_map(|m| head.rfind(&format!("{m} /"))).max().expect("a method");
        head[at..].to_owned()
    };
    heads.into_iter().map(line).collect()
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if look(&buffer[..n]) && to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// A simulated cluster behind a wire, and a home for who acts on it.
struct Lab {
    handle: Handle,
    client: Client,
    wire: Wire,
    home: tempfile::TempDir,
}

impl Lab {
    async fn open(setup: Setup) -> Self {
        Self::forbidding(setup, &[]).await
    }

    /// One whose API forbids something.
    async fn forbidding(setup: Setup, denied: &[(&str, &str)]) -> Self {
        let denied = denied.iter().map(|(verb, resource)| ((*verb).to_owned(), (*resource).to_owned())).collect();
        let options = Options { rules: Rules::but(denied), ..Options::default() };
        let handle = serve(setup, |_| engines(0.0), options).await.expect("it opens");
        let home = tempfile::tempdir().expect("a directory");
        let kubeconfig = home.path().join("direct");
        handle.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
        let options = connect::Options { kubeconfig: Some(kubeconfig), ..connect::Options::default() };
        let client = connect::connect(options).await.expect("a client").client;
        let wire = Wire::default();
        let address = handle.url.trim_start_matches("http://").to_owned();
        let port = wire.lay(address.clone());
        let text = handle.kubeconfig().replace(&address, &format!("127.0.0.1:{port}"));
        std::fs::write(home.path().join("kubeconfig"), text).expect("a kubeconfig");
        Self { handle, client, wire, home }
    }

    fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    fn command(&self, words: &str) -> Command {
        let mut command = warroom(["act"].into_iter().chain(words.split_whitespace()));
        command.env("KUBECONFIG", self.home.path().join("kubeconfig")).env("XDG_STATE_HOME", self.state());
        command
    }

    /// Runs it to its end while the cluster goes on.
    async fn act(&self, words: &str) -> Run {
        self.run(self.command(words)).await
    }

    async fn run(&self, mut command: Command) -> Run {
        tokio::task::spawn_blocking(move || run(&mut command)).await.expect("it ends")
    }

    async fn get(&self, path: &str) -> Value {
        apiserver::whole(&self.client, path, 8 << 20, deadline(Duration::from_secs(10))).await.expect("an answer")
    }

    async fn deployment(&self) -> Value {
        self.get(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}")).await
    }

    /// The template of a revision, as kubectl puts it back.
    async fn template_of(&self, revision: &str) -> Value {
        let sets = self.get(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/replicasets")).await;
        let number = |s: &&Value| s["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == revision;
        let set = sets["items"].as_array().and_then(|sets| sets.iter().find(number)).expect("the revision");
        let mut template = set["spec"]["template"].clone();
        template["metadata"]["labels"].as_object_mut().expect("labels").remove("pod-template-hash");
        template
    }

    /// What the workload declares.
    async fn spec(&self) -> Value {
        self.deployment().await["spec"].clone()
    }

    /// The lines of the only record.
    fn record(&self) -> Vec<Entry> {
        let files: Vec<PathBuf> = self.records();
        assert_eq!(files.len(), 1, "{files:?}");
        journal::read(&files[0]).expect("a record").lines.into_iter().map(|l| l.entry).collect()
    }

    fn records(&self) -> Vec<PathBuf> {
        let Ok(folder) = std::fs::read_dir(self.state().join("warroom")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = folder.map(|e| e.expect("an entry").path()).collect();
        files.retain(|f| f.extension().is_some_and(|e| e == "jsonl"));
        files
    }
}

/// A Deployment without what an undo changes, and what its controller and the API server write after it.
fn rest(mut deployment: Value) -> Value {
    let drop = |object: &mut Value, keys: &[&str]| {
        let object = object.as_object_mut().expect("an object");
        object.retain(|key, _| !keys.contains(&key.as_str()));
    };
    drop(&mut deployment, &["status"]);
    drop(&mut deployment["spec"], &["template"]);
    drop(&mut deployment["metadata"], &["generation", "resourceVersion", "managedFields"]);
    let written = ["kubernetes.io/change-cause", "deployment.kubernetes.io/revision"];
    drop(
        &mut deployment["metadata"]["annotations"],
        &[&written[..], &["deployment.kubernetes.io/revision-history"]].concat(),
    );
    deployment
}

#[track_caller]
fn ended(run: &Run, code: i32, words: &[&str]) {
    assert_eq!(run.code, Some(code), "{}\n{}", run.stdout, run.stderr);
    for word in words {
        assert!(
            run.stdout.contains(word) || run.stderr.contains(word),
            "no '{word}' in:\n{}\n{}",
            run.stdout,
            run.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_yes_the_card_is_printed_and_nothing_but_a_dry_run_is_sent() {
    let lab = Lab::open(rolled_out()).await;
    let before = lab.spec().await;
    let run = lab.act("undo").await;
    ended(&run, 0, &["Undo revision 42 -> 41", "--max-num-seqs 512 -> 256", "nothing was changed: --yes does it\n"]);
    for label in
        ["WHERE", "DOES", "DIFF", "HELPS    ? ", "DRYRUN", "ALLOWED", "OWNER", "FITS", "TAKES", "BACK", "KUBECTL"]
    {
        assert!(run.stdout.lines().any(|line| line.starts_with(label)), "no {label} in:\n{}", run.stdout);
    }
    assert_eq!(run.stderr, "");
    let writes = lab.wire.writes();
    assert!(writes.len() == 1 && writes[0].starts_with("PATCH ") && writes[0].contains("dryRun=All"), "{writes:?}");
    assert_eq!((lab.spec().await, lab.records()), (before, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_with_yes_is_on_record_before_and_after_and_leaves_the_old_template() {
    let lab = Lab::open(rolled_out()).await;
    let (before, old) = (lab.deployment().await, lab.template_of("41").await);
    let run = lab.act(&format!("undo deploy/{NAME} --to-revision 41 --yes")).await;
    ended(
        &run,
        0,
        &["on record in ", "stored; whether it helps is not known yet", "taken back by 'warroom act undo deploy/"],
    );
    let deployment = lab.deployment().await;
    let text = deployment.to_string();
    assert!(text.contains("--max-num-seqs=256") && !text.contains("--max-num-seqs=512"), "{text}");
    let cause = deployment["metadata"]["annotations"]["kubernetes.io/change-cause"].as_str().unwrap_or_default();
    assert!(cause.starts_with("warroom undo to r41 ("), "{cause}");
    assert_eq!(deployment["spec"]["template"], old, "whole, as kubectl leaves it");
    assert_eq!(rest(deployment), rest(before), "and nothing else");
    let entries = lab.record();
    let [Entry::Opened { target, .. }, Entry::Planned(planned), Entry::Answered(answered), Entry::Closed {}] =
        &entries[..]
    else {
        unreachable!("{entries:?}")
    };
    assert_eq!((target.name.as_str(), planned.dry_run), (NAME, false));
    assert!(planned.bytes.contains("--max-num-seqs=256") && planned.plan["kubectl"].is_string());
    assert_eq!((answered.accepted, answered.status, answered.id), (Some(true), Some(200), planned.id));
    assert!(journal::latest(&lab.state().join("warroom"), target).is_none(), "there is nothing to resume");
    let sent: Vec<bool> = lab.wire.writes().iter().map(|w| w.contains("dryRun=All")).collect();
    assert_eq!(sent, [true, false], "tried once, sent once");
    // Typed again without a number, it does not bring back what was undone, and says what can be typed.
    lab.handle.skip(600.0);
    let again = lab.act("undo --yes").await;
    ended(&again, 1, &["nothing was changed: ", "--to-revision 42'"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_is_followed_until_it_is_done() {
    let lab = Lab::open(rolled_out()).await;
    let mut command = lab.command("undo --yes --wait 2m -o json");
    let running = tokio::task::spawn_blocking(move || run(&mut command));
    // Time passes fast once it is stored.
    while !lab.deployment().await.to_string().contains("--max-num-seqs=256") {
        assert!(!running.is_finished(), "it ended before");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..60 {
        lab.handle.skip(20.0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let run = running.await.expect("it ends");
    ended(&run, 0, &[]);
    let lines: Vec<Value> = run.stdout.lines().map(|l| serde_json::from_str(l).expect("a line of JSON")).collect();
    assert!(lines.iter().all(|l| l["schema"] == "warroom.act/1"));
    let steps: Vec<&str> = lines.iter().filter_map(|l| l["step"].as_str()).collect();
    assert_eq!(steps[..3], ["card", "recorded", "answered"]);
    assert_eq!((steps[steps.len() - 2], steps[steps.len() - 1]), ("progress", "ended"));
    assert_eq!(lines[steps.len() - 2]["progress"]["stage"], "done", "{}", run.stdout);
    assert_eq!((&lines[0]["action"]["action"], &lines[2]["changed"]), (&"rollout_undo".into(), &true.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_sends_nothing_but_reads_and_access_reviews_whoever_wants_it() {
    let lab = Lab::open(rolled_out()).await;
    let config = lab.home.path().join("config");
    std::fs::write(&config, "policy.read_only = true").expect("a file");
    let by_flag = lab.command("undo --yes --read-only");
    let mut by_variable = lab.command("scale --replicas 3 --yes");
    by_variable.env("WARROOM_READ_ONLY", "true");
    let mut by_file = lab.command("cordon gpu-2 --yes --confirm gpu-2");
    by_file.arg("--config").arg(&config).env("WARROOM_READ_ONLY", "false");
    for command in [by_flag, by_variable, by_file] {
        let run = lab.run(command).await;
        ended(&run, 1, &["DRYRUN   ? Not tried.", "ALLOWED  You may", "nothing was changed: read-only"]);
    }
    ended(&lab.act("undo --read-only").await, 0, &["nothing was changed: it is read-only"]);
    let requests = lab.wire.requests();
    assert!(requests.iter().any(|r| r.contains("/selfsubjectaccessreviews")), "{requests:?}");
    assert_eq!((lab.wire.writes(), lab.records()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_put_on_record_is_not_sent() {
    let lab = Lab::open(rolled_out()).await;
    std::fs::write(lab.state(), "a file where the folder would be").expect("a file");
    let run = lab.act("scale --replicas 3 --yes").await;
    ended(&run, 1, &["nothing was changed: the record ", "cannot be made"]);
    let mut homeless = lab.command("scale --replicas 3 --yes");
    homeless.env_remove("HOME").env_remove("XDG_STATE_HOME");
    ended(&lab.run(homeless).await, 1, &["nothing was changed: there is no place for the record"]);
    assert!(lab.wire.writes().iter().all(|w| w.contains("dryRun=All")), "{:?}", lab.wire.writes());
    assert_eq!(lab.spec().await["replicas"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_name_is_needed_yes_alone_is_not_enough() {
    let lab = Lab::open(rolled_out()).await;
    let config = lab.home.path().join("config");
    std::fs::write(&config, "policy.protected = ['*trial']").expect("a file");
    let act = async |words: &str| {
        let mut command = lab.command(words);
        command.arg("--config").arg(&config);
        lab.run(command).await
    };
    ended(&act("scale --replicas 3").await, 0, &[&format!("nothing was changed: --yes --confirm {NAME} does it")]);
    ended(
        &act("scale --replicas 3 --yes").await,
        2,
        &[&format!("--yes is not enough here, give --confirm {NAME} as well")],
    );
    ended(&act("scale --replicas 3 --yes --confirm gpu-1").await, 2, &["--confirm is 'gpu-1'"]);
    let json = act("scale --replicas 3 --yes -o json").await;
    let last: Value = serde_json::from_str(json.stdout.lines().last().unwrap_or_default()).expect("a line of JSON");
    assert_eq!((&last["step"], &last["end"], &last["code"]), (&"ended".into(), &"usage".into(), &2.into()));
    assert_eq!(lab.spec().await["replicas"], 2);
    ended(&act(&format!("scale --replicas 3 --yes --confirm {NAME}")).await, 0, &["stored"]);
    assert_eq!(lab.spec().await["replicas"], 3);
    // Nine more are a larger step than is configured.
    ended(
        &act(&format!("scale --replicas 12 --yes --confirm {NAME}")).await,
        1,
        &["a step of 9 replicas is more than 4"],
    );
    assert_eq!(lab.spec().await["replicas"], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_plan_names_what_can_be_typed_instead() {
    let lab = Lab::open(setup()).await;
    let run = lab.act("scale --replicas 3 --yes").await;
    let context = lab.handle.context();
    let instead = format!("act bounds deploy/{NAME} --context {context} -n {NAMESPACE} --min 3 --max 6");
    ended(&run, 1, &["its replicas belong to HorizontalPodAutoscaler", &format!("instead: 'warroom {instead}'")]);
    assert_eq!(lab.wire.writes(), Vec::<String>::new());
    ended(&lab.act(&format!("{} --yes", instead.trim_start_matches("act "))).await, 0, &["stored"]);
    lab.handle.skip(60.0);
    assert_eq!(lab.spec().await["replicas"], 3);
    ended(&lab.act("resume").await, 1, &["nothing to do"]);
    ended(&lab.act("undo --confirm x").await, 2, &["--yes"]);
    ended(&lab.act("undo deploy/nobody").await, 2, &["nobody"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_longer_than_it_is_waited_for_is_stored_and_not_called_done() {
    let lab = Lab::open(rolled_out()).await;
    let run = lab.act("scale --replicas 3 --yes --wait 1s").await;
    ended(&run, 1, &["stored; ", "it is stored, and not done within --wait; taken back by 'warroom act scale deploy/"]);
    assert!(matches!(lab.record().last(), Some(Entry::Closed {})), "{:?}", lab.record());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_allowed_is_not_tried_and_what_may_not_be_read_is_not_known() {
    let denied = [("patch", "deployments"), ("list", "nodes"), ("list", "horizontalpodautoscalers")];
    let lab = Lab::forbidding(rolled_out(), &denied).await;
    let unknown =
        ["DRYRUN   ? Not tried.", "ALLOWED  ! You may not: ", "OWNER    ? an autoscaler", "FITS     ? Not known"];
    ended(&lab.act("undo --yes").await, 1, &unknown);
    ended(&lab.act("scale --replicas 3 --yes").await, 1, &["'horizontalpodautoscalers' are not being watched"]);
    ended(&lab.act("cordon gpu-2 --yes").await, 1, &["'nodes' are not being watched"]);
    assert_eq!(lab.wire.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_levers_are_pulled_too() {
    let lab = Lab::open(rolled_out()).await;
    for words in ["pause", "resume", "cordon gpu-2", "uncordon gpu-2", "restart"] {
        ended(&lab.act(&format!("{words} --yes")).await, 0, &["stored"]);
        // The controller sees it within a second.
        lab.handle.skip(2.0);
    }
    assert!(lab.deployment().await.to_string().contains("kubectl.kubernetes.io/restartedAt"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_is_not_taken_for_a_failure() {
    let lab = Lab::open(rolled_out()).await;
    lab.wire.loses_answers.store(true, Ordering::Relaxed);
    let run = lab.act("undo --yes").await;
    ended(&run, 0, &["not known whether it was done: ", "read again: it is done, and it was this that did it"]);
    assert!(matches!(&lab.record()[2], Entry::Answered(a) if a.accepted == Some(true)), "{:?}", lab.record());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_nobody_reads_confirms_nothing() {
    let lab = Lab::open(rolled_out()).await;
    let mut child = lab.command("undo --yes").spawn().expect("the program starts");
    drop(child.stdout.take());
    let code = tokio::task::spawn_blocking(move || wait(&mut child)).await.expect("it ends");
    assert_eq!((code, lab.records()), (Some(1), Vec::new()));
    assert!(lab.wire.writes().iter().all(|w| w.contains("dryRun=All")), "{:?}", lab.wire.writes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn called_off_while_it_is_sent_it_says_that_nobody_knows_and_how_to_look() {
    let lab = Lab::open(rolled_out()).await;
    lab.wire.swallows_writes.store(true, Ordering::Relaxed);
    let mut child = lab.command("undo --yes").spawn().expect("the program starts");
    for _ in 0..600 {
        if lab.wire.writes().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is there");
    let (code, told) = tokio::task::spawn_blocking(move || {
        let code = wait(&mut child);
        let mut told = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut told).expect("text");
        (code, told)
    })
    .await
    .expect("it ends");
    assert_eq!(code, Some(3), "{told}");
    let look = format!("kubectl --context {} -n {NAMESPACE} get deployment/{NAME} -o yaml", lab.handle.context());
    assert!(told.contains("not known whether it was done") && told.contains(&look), "{told}");
    let entries = lab.record();
    assert!(matches!(entries.last(), Some(Entry::Answered(a)) if a.accepted.is_none()), "{entries:?}");
    let target = warroom::contract::record::Target {
        context: lab.handle.context(),
        namespace: NAMESPACE.into(),
        workload: "Deployment".into(),
        name: NAME.into(),
    };
    assert!(journal::latest(&lab.state().join("warroom"), &target).is_some(), "a war room finds it");
}
