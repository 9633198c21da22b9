//! What looking costs, beside kubectl and k9s: time to the first useful frame, memory, requests and bytes, on a real
//! kube-apiserver with five thousand pods. By hand, for it takes minutes:
//! `WARROOM=target/release/warroom cargo test --test real_cluster -- --ignored --nocapture cost`

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use serde_json::Value;
use warroom::clock;

use crate::real::{Real, filled};
use crate::way::Way;

/// How long each is watched once; the second half is what it costs to have it open, of which some comes by the minute.
const LONG: Duration = Duration::from_mins(2);
/// And how long in those rounds that only ask when it is useful.
const SHORT: Duration = Duration::from_secs(15);
const SHORT_ROUNDS: usize = 2;

/// A program that looks, and what stands on its screen once that is useful.
struct Looker {
    name: &'static str,
    program: PathBuf,
    words: &'static [&'static str],
    useful: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Cost {
    useful_s: f64,
    peak_mib: f64,
    requests: usize,
    mib: f64,
    /// What came in the second minute, when everything was there.
    later_requests: usize,
    later_kib: f64,
    cpu_s: f64,
}

/// The requests of `bastion` so far.
fn requests(real: &Real) -> usize {
    let log = std::fs::read_to_string(real.kubeconfig.with_file_name("audit.log")).expect("an audit log");
    // The API server asks itself as well.
    let own = log.lines().filter(|line| line.contains(r#""username":"bastion""#));
    let events = own.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ids: BTreeSet<String> = events.filter_map(|e| Some(e["auditID"].as_str()?.to_owned())).collect();
    ids.len()
}

fn kubectl(kubeconfig: &Path, words: &str) {
    let output = Command::new("kubectl")
        .env("KUBECONFIG", kubeconfig)
        .env("HOME", std::env::temp_dir())
        .args(words.split(' '))
        .output()
        .expect("kubectl runs");
    assert!(output.status.success(), "kubectl {words}: {}", String::from_utf8_lossy(&output.stderr));
}

fn proc_number(pid: u32, file: &str, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    text.lines().find_map(|l| l.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
}

/// User and system time in seconds.
fn cpu_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<u64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().filter_map(|f| f.parse().ok()).collect())
        .unwrap_or_default();
    // The first of them, the state, is a letter: user time is the eleventh number.
    (fields.get(10).unwrap_or(&0) + fields.get(11).unwrap_or(&0)) as f64 / 100.0
}

fn look(looker: &Looker, real: &Real, way: &Way, kubeconfig: &Path, lasts: Duration) -> Cost {
    let home = tempfile::tempdir().expect("a directory");
    let (pty, pts) = pty_process::blocking::open().expect("a pseudo-terminal");
    pty.resize(Size::new(36, 120)).expect("a size");
    let (bytes, asked, began) = (way.bytes(), requests(real), clock::monotonic());
    let mut child = pty_process::blocking::Command::new(&looker.program)
        .args(looker.words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("XDG_STATE_HOME", home.path())
        .env("KUBECONFIG", kubeconfig)
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8")
        .spawn(pts)
        .expect("it starts");
    let pid = child.id();
    let (wanted, useful) = (looker.useful, Arc::new(AtomicU64::new(0)));
    let seen = useful.clone();
    thread::spawn(move || watch(pty, wanted, began, &seen));
    let since = |began: Instant| clock::monotonic().saturating_duration_since(began);
    let (mut peak, mut cpu, mut half) = (0, 0.0, None);
    while since(began) < lasts && child.try_wait().expect("a child").is_none() {
        peak = proc_number(pid, "status", "VmHWM:").unwrap_or(peak).max(peak);
        cpu = cpu_s(pid).max(cpu);
        if half.is_none() && since(began) >= lasts / 2 {
            half = Some((way.bytes(), requests(real)));
        }
        thread::sleep(Duration::from_millis(5));
    }
    let (all_bytes, all_asked) = (way.bytes(), requests(real));
    let _ = child.kill();
    let _ = child.wait();
    let useful_ms = useful.load(Ordering::Relaxed);
    assert!(useful_ms > 0, "{} never shows {wanted:?}", looker.name);
    let (half_bytes, half_asked) = half.unwrap_or((all_bytes, all_asked));
    Cost {
        useful_s: useful_ms as f64 / 1000.0,
        peak_mib: peak as f64 / 1024.0,
        requests: all_asked - asked,
        mib: (all_bytes - bytes) as f64 / f64::from(1 << 20),
        later_requests: all_asked - half_asked,
        later_kib: (all_bytes - half_bytes) as f64 / 1024.0,
        cpu_s: cpu,
    }
}

/// Notes when the text stood on the screen for the first time, in milliseconds.
fn watch(pty: pty_process::blocking::Pty, wanted: &str, began: Instant, seen: &AtomicU64) {
    let mut parser = vt100::Parser::new(36, 120, 0);
    let mut buffer = vec![0; 1 << 16];
    let mut pty = pty;
    while let Ok(count @ 1..) = pty.read(&mut buffer) {
        parser.process(&buffer[..count]);
        if seen.load(Ordering::Relaxed) == 0 && parser.screen().contents().contains(wanted) {
            seen.store(clock::ms_since(began).max(1), Ordering::Relaxed);
        }
    }
}

fn lookers() -> Vec<Looker> {
    let warroom = std::env::var_os("WARROOM").map_or_else(|| env!("CARGO_BIN_EXE_warroom").into(), PathBuf::from);
    let mut lookers = vec![
        Looker {
            name: "`warroom -n fill deploy/engine`",
            program: warroom.clone(),
            words: &["-n", "fill", "deploy/engine"],
            useful: "4/4 Ready",
        },
        Looker {
            name: "the same, its verdict",
            program: warroom.clone(),
            words: &["-n", "fill", "deploy/engine"],
            useful: "HEALTHY",
        },
        Looker {
            name: "`warroom discover -n fill`",
            program: warroom,
            words: &["discover", "-n", "fill"],
            useful: "engine",
        },
        Looker {
            name: "`kubectl get pods -n fill -w`",
            program: "kubectl".into(),
            words: &["get", "pods", "-n", "fill", "-w"],
            useful: "Running",
        },
        Looker {
            name: "`kubectl get pods -n fill -l app=engine -w`",
            program: "kubectl".into(),
            words: &["get", "pods", "-n", "fill", "-l", "app=engine", "-w"],
            useful: "Running",
        },
    ];
    if let Some(k9s) = std::env::var_os("K9S") {
        lookers.push(Looker {
            name: "`k9s -n fill -c pods`",
            program: k9s.into(),
            words: &["-n", "fill", "-c", "pods", "--logoless", "--splashless"],
            useful: "Running",
        });
    }
    lookers
}

#[test]
#[ignore = "it measures for a quarter of an hour; by hand"]
fn cost_beside_kubectl_and_k9s() {
    let Some(real) = filled("cost_beside_kubectl_and_k9s", "pods=5000,deployments=1000") else { return };
    kubectl(&real.kubeconfig, "-n fill create deployment engine --image=vllm/vllm-openai:v1 --replicas=4 --port=8000");
    kubectl(&real.kubeconfig, "-n fill rollout status deployment/engine --timeout=60s");
    kubectl(&real.kubeconfig, "create clusterrolebinding bastion --clusterrole=cluster-admin --user=bastion");
    let home = tempfile::tempdir().expect("a directory");
    let way = Way::to(&real);
    let kubeconfig = way.kubeconfig(&real, home.path(), "bastion");
    let mut said = std::io::stderr();
    let _ = writeln!(
        said,
        "| | useful after | peak memory | CPU | requests | bytes | in the second minute |\n|---|---|---|---|---|---|---|"
    );
    for looker in lookers() {
        let short = (0..SHORT_ROUNDS).map(|_| look(&looker, &real, &way, &kubeconfig, SHORT).useful_s);
        let mut useful: Vec<f64> = short.collect();
        let cost = look(&looker, &real, &way, &kubeconfig, LONG);
        useful.push(cost.useful_s);
        useful.sort_by(f64::total_cmp);
        let _ = writeln!(
            said,
            "| {} | {:.2} s ({:.2}-{:.2}) | {:.0} MiB | {:.1} s | {} | {:.2} MiB | {} requests, {:.0} KiB |",
            looker.name,
            useful[SHORT_ROUNDS / 2],
            useful[0],
            useful[SHORT_ROUNDS],
            cost.peak_mib,
            cost.cpu_s,
            cost.requests,
            cost.mib,
            cost.later_requests,
            cost.later_kib
        );
    }
}
