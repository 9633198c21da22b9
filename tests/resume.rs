//! Nothing is lost: the real program is killed at every step of an action, started again, and tells the truth about what
//! was done; a second war room looks on and takes over; a full disk turns the levers off.
#![cfg(all(target_os = "linux", feature = "sim", debug_assertions))]

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "terminal/program.rs"]
mod program;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use program::{Program, Start};
use serde_json::Value;
use tokio::runtime::Runtime;
use warroom::apiserver::Client;
use warroom::apiserver::{self, connect, deadline};
use warroom::command::sim;
use warroom::contract::record::{Contents, Entry};
use warroom::journal;
use warroom::sim::serve::{Handle, Options};

/// The founding incident, simulated, with a home for whoever sits at it.
struct Incident {
    runtime: Runtime,
    handle: Handle,
    client: Client,
    home: tempfile::TempDir,
}

impl Incident {
    fn open() -> Self {
        let runtime = Runtime::new().expect("threads");
        let scenario = sim::scenario("bad-rollout").expect("a scenario");
        let handle = runtime.block_on(sim::start(&scenario, Options::default())).expect("it opens");
        let home = tempfile::tempdir().expect("a folder");
        let kubeconfig = home.path().join("kubeconfig");
        handle.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
        let options = connect::Options { kubeconfig: Some(kubeconfig), ..connect::Options::default() };
        let client = runtime.block_on(connect::connect(options)).expect("a client").client;
        Self { runtime, handle, client, home }
    }

    /// The war room on it, once it says that something is broken.
    fn war_room(&self, more: &[&str]) -> Program {
        let program = self.start(more);
        program.until_text("BREACH");
        program
    }

    fn start(&self, more: &[&str]) -> Program {
        let kubeconfig = self.home.path().join("kubeconfig").display().to_string();
        let workload = format!("deploy/{}", self.handle.workload);
        // The promise of the simulated service.
        let args = [&workload, "--kubeconfig", &kubeconfig, "--ttft-target", "2.5s", "--tpot-target", "100ms"];
        let state = self.state().display().to_string();
        let args: Vec<&str> = args.into_iter().chain(more.iter().copied()).collect();
        Start::warroom(args).env("XDG_STATE_HOME", &state).size(120, 36).start()
    }

    fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// The records, oldest first.
    fn records(&self) -> Vec<(PathBuf, Contents)> {
        let folder = self.state().join("warroom").join("incidents");
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|f| f.path());
        let mut files: Vec<PathBuf> = files.filter(|f| f.extension().is_some_and(|e| e == "jsonl")).collect();
        files.sort();
        files.into_iter().map(|f| (f.clone(), journal::read(&f).expect("a record"))).collect()
    }

    fn get(&self, path: &str) -> Value {
        let until = || deadline(Duration::from_secs(10));
        self.runtime
            .block_on(async { apiserver::whole(&self.client, path, 8 << 20, until()).await })
            .expect("an answer")
    }

    /// The template that the workload has now.
    fn template(&self) -> Value {
        let Handle { namespace, workload, .. } = &self.handle;
        let object = self.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/{workload}"));
        object["spec"]["template"].clone()
    }
}

/// Opens the card of an undo and confirms it.
fn undo(program: &Program) {
    program.key("U");
    program.until_text("Undo revision 42 -> 41");
    program.until_text("Y: do it");
    // A card counts as read a moment after it is on the screen.
    std::thread::sleep(Duration::from_millis(800));
    program.key("Y");
}

fn of_levers(contents: &Contents) -> Vec<&'static str> {
    let kind = |entry: &Entry| match entry {
        Entry::Planned(_) => Some("planned"),
        Entry::Answered(a) if a.accepted == Some(true) => Some("done"),
        Entry::Answered(a) if a.accepted == Some(false) => Some("not done"),
        Entry::Answered(_) => Some("not known"),
        _ => None,
    };
    contents.lines.iter().filter_map(|l| kind(&l.entry)).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// Where it dies, what is on record then, whether it was done, what is said after it was resumed, what is on record then.
type Case = (&'static str, &'static [&'static str], bool, &'static str, &'static [&'static str]);

#[test]
fn kill_9_at_any_step_of_an_action_loses_nothing_and_the_next_start_tells_the_truth() {
    let steps: [Case; 4] = [
        ("approved", &[], false, "", &[]),
        ("planned", &["planned"], false, "it was not done", &["planned", "not done"]),
        ("sent", &["planned"], true, "it was this that did it", &["planned", "done"]),
        ("answered", &["planned", "done"], true, "", &["planned", "done"]),
    ];
    std::thread::scope(|scope| {
        for (step, on_record, done, says, in_the_end) in steps {
            scope.spawn(move || {
                let incident = Incident::open();
                let before = incident.template();
                let program = incident.war_room(&["--die-at", step]);
                undo(&program);
                let left = program.ended();
                assert_eq!(std::os::unix::process::ExitStatusExt::signal(&left.status), Some(9), "{step}");
                let records = incident.records();
                assert_eq!(records.len(), 1, "{step}");
                let (path, contents) = &records[0];
                assert!(contents.bad.is_empty() && contents.target().is_some(), "{step}: {:?}", contents.problems());
                assert_eq!(of_levers(contents), on_record, "{step}");
                assert_eq!((mode(path), mode(path.parent().expect("a folder"))), (0o600, 0o700), "{step}");
                let after = incident.template();
                assert_eq!(after != before, done, "{step}");

                let program = incident.start(&[]);
                program.until_text("on record");
                program.key("R");
                if !says.is_empty() {
                    // Nobody knows before the API server would have given a request up.
                    for _ in 0..3 {
                        if program.text().contains(says) {
                            break;
                        }
                        std::thread::sleep(Duration::from_secs(10));
                    }
                    program.until_text(says);
                }
                program.until("the answer on record", |_| of_levers(&incident.records()[0].1) == in_the_end);
                program.key("q");
                program.ended().in_order(0);
                assert_eq!(incident.records().len(), 1, "{step}: it went on with the same record");
                assert_eq!(incident.template(), after, "{step}: nothing was sent a second time");
            });
        }
    });
}

#[test]
fn a_second_war_room_looks_on_and_takes_over_with_a_key() {
    let incident = Incident::open();
    let first = incident.war_room(&[]);
    // One step, so that there is something to see.
    first.key("\r");
    first.until_text("deploy");
    let second = incident.start(&[]);
    second.until_text("has this incident open");
    second.key("R");
    second.until_text("OBSERVER");
    second.key("U");
    second.until_text("take it over first");
    second.key("T");
    second.until_text("yours now");
    first.until_text("OBSERVER");
    first.key("U");
    first.until_text("take it over first");
    // Whoever has it can act.
    second.until_text("BREACH");
    undo(&second);
    second.until_text("accepted");
    let records = incident.records();
    assert_eq!(records.len(), 1);
    assert_eq!(of_levers(&records[0].1), ["planned", "done"]);
    first.until_text("accepted");
}

#[test]
fn where_nothing_can_be_recorded_nothing_can_be_changed_and_it_says_why() {
    let incident = Incident::open();
    // A file stands where the folder would be.
    std::fs::write(incident.state(), "not a folder").expect("a file");
    let before = incident.template();
    let program = incident.war_room(&[]);
    program.until_text("record");
    program.key("U");
    program.until_text("cannot be");
    program.key("Y");
    std::thread::sleep(Duration::from_millis(500));
    program.key("q");
    program.ended().in_order(0);
    assert_eq!(incident.template(), before);
}

#[test]
fn a_record_is_played_again_on_the_same_screens_and_changes_nothing() {
    let incident = Incident::open();
    let program = incident.war_room(&[]);
    program.key("\r");
    program.until_text("deploy");
    undo(&program);
    program.until_text("accepted");
    // Until the readings of this are on disk.
    std::thread::sleep(Duration::from_secs(3));
    program.key("q");
    let left = program.ended().in_order(0);
    let (path, contents) = incident.records().pop().expect("a record");
    assert!(left.contains("warroom report"), "{left}");
    assert_eq!(of_levers(&contents), ["planned", "done"]);
    let (before, template) = (std::fs::read(&path).expect("its bytes"), incident.template());

    let path = path.display().to_string();
    let again = Start::warroom(["replay", &path, "--speed", "2"]).size(120, 36).start();
    again.until_text("REPLAY");
    again.until_text("BREACH");
    again.until_text("undo to revision 41");
    again.until_text("the record ends here");
    again.key("U");
    again.until_text("in the past");
    again.key("q");
    again.ended().in_order(0);
    assert_eq!((std::fs::read(&path).expect("its bytes"), incident.template()), (before, template));
}
