//! The real program, run as a user would, with nothing of this machine's environment and configuration.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use warroom::clock;

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// The program with these arguments, not started.
pub(crate) fn warroom<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warroom"));
    command.env_clear().env("HOME", "/nonexistent").env("LANG", "C.UTF-8").args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end. Nothing here takes a minute; what does is killed and fails.
pub(crate) fn run(command: &mut Command) -> Run {
    let start = clock::monotonic();
    let mut child = command.spawn().expect("the program starts");
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let status = wait(&mut child);
    let took = clock::monotonic() - start;
    let read = |bytes: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8(bytes.join().expect("a reader")).expect("only UTF-8 is written")
    };
    Run { code: status, stdout: read(stdout), stderr: read(stderr), took }
}

/// `warroom check …`, run to its end.
pub(crate) fn check<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Run {
    run(warroom(["check"]).args(args))
}

/// Waits for its end, at most a minute; then it is killed, and there is no exit code.
pub(crate) fn wait(child: &mut Child) -> Option<i32> {
    for _ in 0..6000 {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().and_then(|()| child.wait()).expect("a child").code()
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("a pipe");
        }
        bytes
    })
}
