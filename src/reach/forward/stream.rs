//! One stream into a pod: a websocket that the API server hands on to the node's kubelet, in the protocol
//! `v4.channel.k8s.io` (`k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go`).
//!
//! Each message begins with its channel: 0 carries bytes, 1 carries at most one sentence about what went wrong. The first
//! message of each holds the port, and nothing else.
//!
//! The handshake is made here, and not by the `kube` client, because a login that has expired is then renewed as for any
//! other request, and because what the server says of a refusal is told as everywhere else.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Request, Response};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::super::search::{Blame, Miss};
use crate::apiserver::{self, Client, Trouble, deadline};
use crate::domain::Failure;
use crate::text::clean;

/// The subprotocol.
const PROTOCOL: &str = "v4.channel.k8s.io";

/// How much of a refusal is read, in bytes, and for how long.
const ERROR_MAX: usize = 16 * 1024;
const ERROR_WITHIN: Duration = Duration::from_secs(1);

/// How much waits on its way in each direction, in bytes.
const BUFFER: usize = 64 * 1024;

/// The largest message, in bytes; a kubelet copies pieces of 32 KiB.
const MESSAGE_MAX: usize = 1 << 20;

/// How much of a client's error is shown, and of what the kubelet says is kept, in characters: containerd names its
/// namespaces, which are long, before it says what is wrong.
const SHOWN: usize = 200;
const SAID: usize = 2_000;

/// The stream's far side; it ends when this is dropped.
pub(super) struct Stream {
    task: JoinHandle<()>,
    said: Arc<Said>,
    ask: mpsc::Sender<()>,
}

/// What has come from the far end, besides bytes.
#[derive(Default)]
struct Said {
    /// What went wrong.
    trouble: Mutex<Option<String>>,
    /// Signs of life.
    signs: AtomicU32,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stream {
    /// What the kubelet said went wrong, if it did.
    pub(super) fn trouble(&self) -> Option<String> {
        self.said.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What [`Self::has_answered`] is asked with later.
    pub(super) fn mark(&self) -> u32 {
        self.said.signs.load(Ordering::Relaxed)
    }

    /// Asks the kubelet at the far end for a sign of life.
    pub(super) fn asks_for_a_sign(&self) {
        // Where one is asked for already, that one is as good.
        let _ = self.ask.try_send(());
    }

    /// Whether a sign of life has come since.
    pub(super) fn has_answered(&self, mark: u32) -> bool {
        self.said.signs.load(Ordering::Relaxed) != mark
    }
}

/// Opens a stream to a port of a pod: what watches over it, and its near end. It has no deadline of its own.
pub(super) async fn open(
    client: &Client,
    namespace: &str,
    pod: &str,
    port: u16,
) -> Result<(Stream, DuplexStream), Miss> {
    let key = generate_key();
    let request = Request::get(format!("/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}"))
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .header(SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .body(Body::empty())
        .map_err(|_| Failure::Other("its address holds characters that no URL may hold".to_owned()))?;
    let answer = client.send(request).await.map_err(|t| Miss::Lost(Failure::Other(t.to_string()), Blame::Neither))?;
    if answer.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(answer).await);
    }
    if !is_ours(&answer, &key) {
        let what = format!("somebody on the way does not pass on '{PROTOCOL}'");
        return Err(Miss::Lost(Failure::Other(what), Blame::Way));
    }
    let upgraded = hyper::upgrade::on(answer)
        .await
        .map_err(|e| Miss::Lost(Failure::Other(clean(&e.to_string(), SHOWN)), Blame::Neither))?;
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(MESSAGE_MAX));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await;
    let (near, far) = duplex(BUFFER);
    let said = Arc::<Said>::default();
    let (ask, asked) = mpsc::channel(1);
    let heard = Arc::clone(&said);
    let task = tokio::spawn(async move {
        // Its end closes the near end, and whoever waits there is told.
        let _ = carry(socket, far, asked, &heard).await;
    });
    Ok((Stream { task, said, ask }, near))
}

/// Whether the far side has understood who asks, and in which protocol.
fn is_ours(answer: &Response<Body>, key: &str) -> bool {
    let says = |name, wanted: &str| answer.headers().get(name).is_some_and(|v| v.as_bytes() == wanted.as_bytes());
    says(SEC_WEBSOCKET_ACCEPT, &derive_accept_key(key.as_bytes())) && says(SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
}

/// What a refusal means: whether it is this way that is closed, or the server that is in trouble.
async fn refusal(answer: Response<Body>) -> Miss {
    let code = answer.status().as_u16();
    let mut said = Vec::new();
    // What could be read of it says more than nothing.
    let _ = apiserver::read(answer.into_body(), ERROR_MAX, deadline(ERROR_WITHIN), &mut said).await;
    let trouble = Trouble::said(code, &said);
    let by_the_server = apiserver::status_message(&said).is_some();
    let lost = |what: String, blame| Miss::Lost(Failure::Other(what), blame);
    match code {
        403 if by_the_server && !trouble.to_string().contains("admission webhook") => {
            lost(format!("{trouble}; allow 'get' and 'create' on 'pods/portforward'"), Blame::Way)
        }
        // The kubelet is not reached, as `k8s.io/apimachinery` words it.
        500.. if trouble.to_string().contains("error dialing backend") => lost(trouble.to_string(), Blame::Way),
        // Nothing of the way: the login, the pod that is gone, too many requests, a server in trouble.
        401 | 404 | 408..=410 | 429 | 500.. => lost(trouble.to_string(), Blame::Neither),
        // Something on the way, such as a balancer, that knows no websockets.
        _ => lost(format!("it is not opened: {trouble}"), Blame::Way),
    }
}

/// Carries bytes both ways until one side ends.
async fn carry<S>(
    mut socket: WebSocketStream<S>,
    far: DuplexStream,
    mut asked: mpsc::Receiver<()>,
    heard: &Said,
) -> io::Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (mut from, mut to) = tokio::io::split(far);
    let mut begun = [false; 2];
    let mut piece = vec![0; BUFFER];
    piece[0] = 0;
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let Some((channel, bytes)) = bytes.split_first() else { continue };
                    let Some(begun) = begun.get_mut(usize::from(*channel)) else { continue };
                    if !std::mem::replace(begun, true) {
                        continue;
                    }
                    if *channel == 0 {
                        to.write_all(bytes).await?;
                    } else {
                        let said = clean(&String::from_utf8_lossy(bytes), SAID);
                        *heard.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
                        return Ok(());
                    }
                }
                Some(Ok(Message::Pong(_))) => {
                    heard.signs.fetch_add(1, Ordering::Relaxed);
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
            // A byte is left free for the channel, which is 0.
            read = from.read(&mut piece[1..]) => match read? {
                0 => {
                    let _ = socket.close(None).await;
                    return Ok(());
                }
                count => {
                    let message = Message::Binary(Bytes::copy_from_slice(&piece[..=count]));
                    socket.send(message).await.map_err(io::Error::other)?;
                }
            },
            Some(()) = asked.recv() => {
                // Who does not take it may have sent something before, which is still to be read.
                let _ = socket.send(Message::Ping(Bytes::new())).await;
            }
        }
    }
}
