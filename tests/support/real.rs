//! A real kube-apiserver, as `tests/cluster` builds it: one for all tests of a program, which ends with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// A control plane in a process of its own.
#[derive(Debug)]
pub(crate) struct Real {
    /// How its administrator reaches it.
    pub(crate) kubeconfig: PathBuf,
    // It ends when its standard input does: when this process ends.
    _process: Child,
}

/// The control plane of this test program. `None` where it was not built: the test that asks is then reported as
/// skipped. Where `WARROOM_TEST_CLUSTER` names it, it has to start.
pub(crate) fn real(test: &str) -> Option<&'static Real> {
    static REAL: OnceLock<Real> = OnceLock::new();
    let program = program(test)?;
    Some(REAL.get_or_init(|| start(&program, &[])))
}

/// One of its own, with so much in it.
pub(crate) fn filled(test: &str, fill: &str) -> Option<Real> {
    Some(start(&program(test)?, &["--fill", fill]))
}

/// The program, or a word about why the test is skipped.
fn program(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("WARROOM_TEST_CLUSTER").map(PathBuf::from);
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-cluster/warroom-test-cluster");
    let program = named.or_else(|| built.exists().then_some(built));
    if program.is_none() {
        // Straight to the stream: what the macros print is swallowed where a test passes, and a skip is to be seen.
        let _ = writeln!(std::io::stderr(), "skipped: {test} (tests/cluster is not built; see its README)");
    }
    program
}

fn start(program: &Path, words: &[&str]) -> Real {
    let mut process = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| unreachable!("{} does not start: {e}", program.display()));
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("its first line");
    let ready: Value = serde_json::from_str(&line).expect("it is ready, and says so in JSON");
    let kubeconfig = ready["kubeconfig"].as_str().expect("a kubeconfig").into();
    Real { kubeconfig, _process: process }
}
