//! A line to a server that can be made bad: cut, delayed, reset, silent, half-open, or answered by somebody in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the line does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It carries what it is given.
    None,
    /// Whatever is carried comes so much later.
    Delay(Duration),
    /// Connections end at once, those that are open and those that are made.
    Cut,
    /// The same with a reset instead of an end.
    Reset,
    /// Connections stay open and nothing comes through.
    Silent,
    /// What is open stays open and nothing comes through any more, ever; new ones are as they should be.
    HalfOpen,
    /// Somebody in between answers every request: the status line's rest, headers, and the body.
    Answer(&'static str, &'static str),
}

/// The line; it is taken down with this.
pub(crate) struct Line {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    opened: Arc<AtomicUsize>,
}

impl Line {
    /// A line to `http://HOST:PORT/…`.
    pub(crate) fn to(url: &str) -> Self {
        let far: SocketAddr =
            url.trim_start_matches("http://").split('/').next().unwrap_or_default().parse().expect("an address");
        let near = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        near.set_nonblocking(true).expect("a socket");
        let address = near.local_addr().expect("an address");
        let (fault, faults) = watch::channel(Fault::None);
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        // Threads of its own: whatever a test does with its runtime, the line goes on.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
            runtime.block_on(listen(near, far, faults, count));
        });
        Self { address, fault, opened }
    }

    /// A kubeconfig that names the server, leading through this line instead.
    pub(crate) fn kubeconfig(&self, kubeconfig: &str, url: &str) -> String {
        let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
        assert!(kubeconfig.contains(host), "{host} is not in {kubeconfig}");
        kubeconfig.replace(host, &self.address.to_string())
    }

    pub(crate) fn does(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many connections were made.
    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

async fn listen(
    near: std::net::TcpListener,
    far: SocketAddr,
    mut faults: watch::Receiver<Fault>,
    count: Arc<AtomicUsize>,
) {
    let listener = TcpListener::from_std(near).expect("a socket");
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(stream, far, faults.clone()));
            }
            changed = faults.changed() => if changed.is_err() { return },
        }
    }
}

async fn carry(mut near: TcpStream, far: SocketAddr, mut faults: watch::Receiver<Fault>) {
    let fault = faults.borrow_and_update().clone();
    let end = match fault {
        Fault::None | Fault::Delay(_) | Fault::HalfOpen => {
            let Ok(mut server) = TcpStream::connect(far).await else { return };
            let delay = faults.clone();
            let (mut from, mut to) = near.split();
            let (mut server_from, mut server_to) = server.split();
            let pumps = async {
                tokio::select! {
                    () = pump(&mut from, &mut server_to, &delay) => {}
                    () = pump(&mut server_from, &mut to, &delay) => {}
                }
            };
            tokio::select! {
                () = pumps => None,
                fault = until_bad(&mut faults) => Some(fault),
            }
        }
        bad => Some(bad),
    };
    match end {
        Some(Fault::Reset) => drop(near.set_zero_linger()),
        Some(Fault::Silent) => while *faults.borrow_and_update() == Fault::Silent && faults.changed().await.is_ok() {},
        Some(Fault::HalfOpen) => while faults.changed().await.is_ok() {},
        Some(Fault::Answer(head, body)) if end == Some(faults.borrow().clone()) => answer(&mut near, head, body).await,
        _ => {}
    }
}

/// Waits for a fault in which nothing is carried any more.
async fn until_bad(faults: &mut watch::Receiver<Fault>) -> Fault {
    loop {
        if faults.changed().await.is_err() {
            return Fault::Cut;
        }
        let fault = faults.borrow_and_update().clone();
        if !matches!(fault, Fault::None | Fault::Delay(_)) {
            return fault;
        }
    }
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    faults: &watch::Receiver<Fault>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let fault = faults.borrow().clone();
        if let Fault::Delay(delay) = fault {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Answers one request.
async fn answer(near: &mut TcpStream, head: &str, body: &str) {
    let (mut asked, mut byte) = (Vec::new(), [0]);
    while !asked.ends_with(b"\r\n\r\n") && matches!(near.read(&mut byte).await, Ok(1)) {
        asked.push(byte[0]);
    }
    let text = format!(
        "HTTP/1.1 {head}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = near.write_all(text.as_bytes()).await;
    let _ = near.shutdown().await;
}
