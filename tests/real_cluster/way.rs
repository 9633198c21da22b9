//! A way to the API server that counts what goes over it, and that can be as bad as a bastion's.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::real::Real;

/// What the way does to whoever takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mood {
    /// It is a good way.
    Open,
    /// Everything stays open, and nothing goes through: a firewall that forgot.
    Silent,
    /// Whoever is there is cut off, and who comes is closed at once.
    Closed,
    /// Each piece takes its time.
    Slow,
    /// What is asked goes through, and no answer comes back.
    HalfOpen,
}

const PIECE: Duration = Duration::from_millis(400);
const LOOK: Duration = Duration::from_millis(20);

/// The way. It is there until the process ends.
#[derive(Clone)]
pub(crate) struct Way {
    port: u16,
    server: String,
    bytes: Arc<AtomicU64>,
    mood: Arc<AtomicU8>,
}

impl Way {
    pub(crate) fn to(real: &Real) -> Self {
        let text = std::fs::read_to_string(&real.kubeconfig).expect("a kubeconfig");
        let server = text.lines().find_map(|l| l.trim().strip_prefix("server: https://")).expect("a server").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let way = Self { port, server, bytes: Arc::default(), mood: Arc::default() };
        let within = way.clone();
        thread::spawn(move || within.accept(&listener));
        way
    }

    /// A kubeconfig that leads over it, as a user whose context the other one has.
    pub(crate) fn kubeconfig(&self, real: &Real, home: &Path, context: &str) -> PathBuf {
        let text = std::fs::read_to_string(&real.kubeconfig).expect("a kubeconfig");
        let text = text
            .replace(&self.server, &format!("127.0.0.1:{}", self.port))
            .replace("current-context: test", &format!("current-context: {context}"));
        let path = home.join("kubeconfig-over-the-way");
        std::fs::write(&path, text).expect("a file");
        path
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    fn now(&self, mood: Mood) -> bool {
        self.mood.load(Ordering::SeqCst) == mood as u8
    }

    /// Bytes in both directions.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn accept(&self, listener: &TcpListener) {
        for near in listener.incoming().flatten() {
            if self.now(Mood::Closed) {
                continue;
            }
            let Ok(far) = TcpStream::connect(&self.server) else { continue };
            let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else { continue };
            for (from, to, back) in [(near, far, false), (far_too, near_too, true)] {
                let way = self.clone();
                thread::spawn(move || way.carry(from, to, back));
            }
        }
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, back: bool) {
        let mut buffer = vec![0; 1 << 16];
        let _ = from.set_read_timeout(Some(LOOK));
        loop {
            if self.now(Mood::Closed) {
                break;
            }
            let count = match from.read(&mut buffer) {
                Ok(count @ 1..) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                _ => break,
            };
            while self.now(Mood::Silent) || (back && self.now(Mood::HalfOpen)) {
                thread::sleep(LOOK);
            }
            if self.now(Mood::Slow) {
                thread::sleep(PIECE);
            }
            self.bytes.fetch_add(count as u64, Ordering::Relaxed);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
