//! A wire between a client and a server that breaks on demand: before a request that is meant arrives, or after it was
//! answered.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The request does not arrive.
    Before,
    /// The server has done it, and its answer does not arrive.
    After,
}

pub(crate) struct Wire {
    pub(crate) url: String,
    cut: Arc<Mutex<Option<Cut>>>,
}

impl Wire {
    pub(crate) async fn to(url: &str) -> Self {
        let far = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let cut = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&far).await.expect("the server");
                tokio::spawn(carry(near, far, Arc::clone(&shared)));
            }
        });
        Self { url, cut }
    }

    /// It breaks once, at the next PATCH that is no dry run.
    pub(crate) fn cut(&self, cut: Cut) {
        *self.cut.lock().expect("nobody fails while holding it") = Some(cut);
    }
}

async fn carry(mut near: TcpStream, mut far: TcpStream, cut: Arc<Mutex<Option<Cut>>>) {
    let (mut out, mut back) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut deaf = false;
    loop {
        tokio::select! {
            read = near.read(&mut out) => {
                let Ok(count @ 1..) = read else { return };
                if is_meant(&out[..count]) {
                    match cut.lock().expect("nobody fails while holding it").take() {
                        Some(Cut::Before) => return,
                        Some(Cut::After) => deaf = true,
                        None => {}
                    }
                }
                if far.write_all(&out[..count]).await.is_err() {
                    return;
                }
            }
            read = far.read(&mut back) => {
                let Ok(count @ 1..) = read else { return };
                if deaf || near.write_all(&back[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether these bytes begin a PATCH that is no dry run.
fn is_meant(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).into_owned();
    let first = head.lines().next().unwrap_or_default();
    first.starts_with("PATCH ") && !first.contains("dryRun")
}
