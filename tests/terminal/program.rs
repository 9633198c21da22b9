//! The real program in a pseudo-terminal, seen as its user sees it, with nothing of this machine's environment.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Termios, tcgetattr};

/// Nothing here takes so long; what does has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);

const GO_ON: u8 = 0;
const PAUSE: u8 = 1;
const STOP: u8 = 2;

/// What the terminal has shown.
pub(crate) struct Seen {
    pub(crate) parser: vt100::Parser,
    pub(crate) bytes: Vec<u8>,
}

/// A program in a terminal.
pub(crate) struct Program {
    child: Child,
    pty: Option<Arc<Pty>>,
    seen: Arc<Mutex<Seen>>,
    reading: Arc<AtomicU8>,
    reader: Option<JoinHandle<()>>,
    before: Termios,
}

/// What was left behind.
pub(crate) struct Left {
    pub(crate) status: ExitStatus,
    pub(crate) seen: Arc<Mutex<Seen>>,
    before: Termios,
    after: Termios,
}

/// How to start it.
pub(crate) struct Start {
    command: Command,
    size: (u16, u16),
}

impl Start {
    /// `warroom` with these arguments, in a terminal of 80 by 24 that can do what xterm can.
    pub(crate) fn warroom<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_warroom")).env_clear().env("HOME", "/nonexistent").args(args);
        Self { command, size: (80, 24) }.env("LANG", "C.UTF-8").env("TERM", "xterm-256color")
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command = self.command.env(name, value);
        self
    }

    /// Columns and rows.
    pub(crate) fn size(mut self, columns: u16, rows: u16) -> Self {
        self.size = (columns, rows);
        self
    }

    /// It panics shortly after its start: only where it was built for tests.
    pub(crate) fn panicking(mut self, place: &str) -> Self {
        self.command = self.command.args(["--panic-in", place]);
        self
    }

    pub(crate) fn start(self) -> Program {
        let (columns, rows) = self.size;
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(rows, columns)).expect("a size");
        let before = tcgetattr(&pty).expect("modes");
        let child = self.command.spawn(pts).expect("the program starts");
        let (pty, reading) = (Arc::new(pty), Arc::new(AtomicU8::new(GO_ON)));
        let seen = Seen { parser: vt100::Parser::new(rows, columns, 0), bytes: Vec::new() };
        let seen = Arc::new(Mutex::new(seen));
        let reader = read(Arc::clone(&pty), Arc::clone(&seen), Arc::clone(&reading));
        Program { child, pty: Some(pty), seen, reading, reader: Some(reader), before }
    }
}

/// Reads what is shown until nobody shows anything any more.
fn read(pty: Arc<Pty>, seen: Arc<Mutex<Seen>>, reading: Arc<AtomicU8>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reading.load(Ordering::SeqCst) {
                STOP => return,
                PAUSE => {
                    thread::sleep(LOOK);
                    continue;
                }
                _ => {}
            }
            let mut polled = [PollFd::new(&*pty, PollFlags::IN)];
            let tv_nsec = i64::from(LOOK.subsec_nanos());
            if poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec })) == Ok(0) {
                continue;
            }
            // The last one that has a terminal open closes it: an error is the end.
            let Ok(count @ 1..) = (&*pty).read(&mut buffer) else { return };
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.parser.process(&buffer[..count]);
            seen.bytes.extend_from_slice(&buffer[..count]);
        }
    })
}

impl Program {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The screen as text.
    pub(crate) fn text(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// How many bytes came so far.
    pub(crate) fn bytes(&self) -> usize {
        self.seen().bytes.len()
    }

    /// Waits until `what` holds.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            if holds(&self.seen()) {
                return;
            }
            thread::sleep(LOOK);
        }
        unreachable!("{what}: never, but\n{}", self.text());
    }

    /// Waits until `text` stands on the screen.
    #[track_caller]
    pub(crate) fn until_text(&self, text: &str) {
        self.until(&format!("'{text}' on the screen"), |seen| seen.parser.screen().contents().contains(text));
    }

    pub(crate) fn key(&self, keys: &str) {
        self.pty().write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.seen().parser.screen_mut().set_size(rows, columns);
        self.pty().resize(Size::new(rows, columns)).expect("a size");
    }

    /// Nobody reads what it shows from now on, or somebody does again.
    pub(crate) fn pause(&self, paused: bool) {
        self.reading.store(if paused { PAUSE } else { GO_ON }, Ordering::SeqCst);
    }

    /// Whether keys come as lines and are echoed, as a shell leaves it.
    pub(crate) fn is_raw(&self) -> bool {
        let modes = tcgetattr(self.pty()).expect("modes");
        modes.local_modes != self.before.local_modes
    }

    /// Waits until the system says that it is stopped (`T`), or that it is not.
    #[track_caller]
    pub(crate) fn until_stopped(&self, stopped: bool) {
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            if (self.stat(2).as_deref() == Some("T")) == stopped {
                return;
            }
            thread::sleep(LOOK);
        }
        unreachable!("it is {}", if stopped { "not stopped" } else { "still stopped" });
    }

    /// Memory that it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Ticks of a hundredth of a second that it has computed so far, all threads together.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        [13, 14]
            .map(|field| self.stat(field).and_then(|ticks| ticks.parse::<u64>().ok()).expect("it runs"))
            .iter()
            .sum()
    }

    /// A field of `/proc/PID/stat`, counted from 0 with the name as one of them.
    fn stat(&self, field: usize) -> Option<String> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let after_name = stat.rsplit_once(')')?.1;
        after_name.split_whitespace().nth(field.checked_sub(2)?).map(str::to_owned)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Closes the terminal, as a window that is closed does, and waits for the program's end.
    #[track_caller]
    pub(crate) fn hang_up(mut self) -> ExitStatus {
        self.reading.store(STOP, Ordering::SeqCst);
        self.reader.take().map(JoinHandle::join);
        self.pty = None;
        self.wait()
    }

    /// Waits for its end and for everything that it showed until then.
    #[track_caller]
    pub(crate) fn ended(self) -> Left {
        self.pause(false);
        self.ended_unread()
    }

    /// Waits for its end while nobody reads, and reads then what it showed.
    #[track_caller]
    pub(crate) fn ended_unread(mut self) -> Left {
        let status = self.wait();
        self.pause(false);
        self.reader.take().map(JoinHandle::join);
        let after = tcgetattr(self.pty()).expect("modes");
        Left { status, seen: Arc::clone(&self.seen), before: self.before.clone(), after }
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            thread::sleep(LOOK);
        }
        unreachable!("it does not end, but shows\n{}", self.text());
    }

    fn pty(&self) -> &Pty {
        self.pty.as_deref().expect("its terminal is open")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Left {
    /// Fails unless it ended by itself with this code and left the terminal as it found it.
    #[track_caller]
    pub(crate) fn in_order(&self, code: i32) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = seen.parser.screen();
        let text = screen.contents();
        assert_eq!((self.status.code(), self.status.signal()), (Some(code), None), "{text}");
        assert!(!screen.alternate_screen(), "the alternate screen is left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "pasted text is not marked any more");
        assert_eq!(screen.fgcolor(), vt100::Color::Default, "no colour is left");
        let modes = |m: &Termios| (m.input_modes, m.output_modes, m.control_modes, m.local_modes);
        assert_eq!(modes(&self.after), modes(&self.before), "the modes are those from before");
        text
    }
}

/// Runs it with pipes instead of a terminal: the exit code and what it says.
pub(crate) fn piped<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> (Option<i32>, String) {
    let (code, _, stderr) = piped_in(&[], args);
    (code, stderr)
}

/// The same with more of an environment: the exit code, what it prints, and what it says.
pub(crate) fn piped_in<A: AsRef<OsStr>>(
    env: &[(&str, &str)],
    args: impl IntoIterator<Item = A>,
) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_warroom"));
    command.env_clear().env("HOME", "/nonexistent").envs(env.iter().copied()).args(args);
    let run = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (run.status.code(), text(&run.stdout), text(&run.stderr))
}
