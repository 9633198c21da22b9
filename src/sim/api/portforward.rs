//! `pods/portforward`, as kube-apiserver and a kubelet answer it over a websocket (`v4.channel.k8s.io`): channel 0 carries
//! bytes, channel 1 what went wrong. A client that asks in SPDY, as kubectl does, is told so.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use futures::{SinkExt as _, StreamExt as _};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::ask::{Ask, Target};
use super::read::find;
use super::reply::{Body, Reply};
use super::{Shared, allowed, proxy};
use crate::sim::cluster::Refusal;
use crate::sim::cluster::json::text;

const PROTOCOL: &str = "v4.channel.k8s.io";

/// A kubelet copies pieces of this size (bytes).
const PIECE: usize = 32 * 1024;

/// One port of one pod.
#[derive(Debug, Clone)]
struct Port {
    namespace: String,
    pod: String,
    number: u16,
}

/// What a request for a forward is answered; nothing where it asks for something else.
pub(super) fn answer(shared: &Arc<Shared>, ask: &Ask, upgrade: OnUpgrade) -> Option<Result<Response<Body>, Refusal>> {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    let target = Target::of(&path).filter(|t| t.names.plural == "pods" && t.part.as_slice() == ["portforward"])?;
    Some(open(shared, ask, &target, upgrade))
}

fn open(shared: &Arc<Shared>, ask: &Ask, target: &Target<'_>, upgrade: OnUpgrade) -> Result<Response<Body>, Refusal> {
    allowed(shared, ask, target)?;
    {
        let held = shared.world();
        let pod = find(&held, target)?;
        if text(&pod, "/spec/nodeName").is_empty() {
            return Err(Refusal::bad(format!("pod {} does not have a host assigned", target.name)));
        }
    }
    if ask.method != Method::GET || !ask.header(UPGRADE).eq_ignore_ascii_case("websocket") {
        return Err(Refusal::bad(format!(
            "the simulated cluster forwards ports over a websocket alone, in {PROTOCOL}"
        )));
    }
    if !ask.header(SEC_WEBSOCKET_PROTOCOL).split(',').any(|p| p.trim() == PROTOCOL) {
        let wanted = crate::text::clean(ask.header(SEC_WEBSOCKET_PROTOCOL), 120);
        return Err(Refusal::bad(format!("the simulated cluster forwards ports in {PROTOCOL} alone, not in {wanted}")));
    }
    let number = ask.get("ports").parse().map_err(|_| Refusal::bad("one port is forwarded on one stream"))?;
    let accept = derive_accept_key(ask.header(SEC_WEBSOCKET_KEY).as_bytes());
    let accept = HeaderValue::from_str(&accept).map_err(|_| Refusal::bad("no such key"))?;
    let port = Port { namespace: target.space().to_owned(), pod: target.name.to_owned(), number };
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // A client that goes away is no error.
            let _ = carry(upgraded, shared, port).await;
        }
    });
    let mut response = Reply::text(101, "").into_response();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.clear();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// What a kubelet does: says the port on both channels, connects, and copies until one side ends.
async fn carry(upgraded: Upgraded, shared: Arc<Shared>, port: Port) -> io::Result<()> {
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let [low, high] = port.number.to_le_bytes();
    for channel in [0, 1] {
        send(&mut socket, vec![channel, low, high]).await?;
    }
    if !proxy::listens(&shared, &port.namespace, &port.pod, port.number) {
        let Port { pod, number, .. } = &port;
        let message = format!(
            "error forwarding port {number} to pod {pod}, uid : failed to execute portforward in network namespace \
             \"default\": failed to connect to localhost:{number} inside namespace \"default\", IPv4: dial tcp4 \
             127.0.0.1:{number}: connect: connection refused"
        );
        send(&mut socket, [&[1], message.as_bytes()].concat()).await?;
        return socket.close(None).await.map_err(io::Error::other);
    }
    let (near, far) = duplex(PIECE);
    // The process in the pod ends with its connection.
    let mut process = tokio::task::JoinSet::new();
    process.spawn(serve(far, shared, port));
    let (mut from, mut to) = tokio::io::split(near);
    let mut piece = vec![0; PIECE + 1];
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    if let [0, bytes @ ..] = bytes.as_ref() {
                        to.write_all(bytes).await?;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                // A ping is answered by the library.
                Some(Ok(_)) => {}
            },
            read = from.read(&mut piece[1..]) => match read? {
                0 => return socket.close(None).await.map_err(io::Error::other),
                count => send(&mut socket, piece[..=count].to_vec()).await?,
            }
        }
    }
}

async fn send(socket: &mut WebSocketStream<TokioIo<Upgraded>>, message: Vec<u8>) -> io::Result<()> {
    socket.send(Message::Binary(Bytes::from(message))).await.map_err(io::Error::other)
}

/// The process behind the port: it speaks HTTP, and answers what it answers through `pods/proxy`.
async fn serve(stream: DuplexStream, shared: Arc<Shared>, port: Port) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (shared, port) = (Arc::clone(&shared), port.clone());
        async move { Ok::<_, Infallible>(inside(&shared, &port, &request)) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that goes away is no error.
    let _ = connection.await;
}

fn inside(shared: &Shared, port: &Port, request: &Request<Incoming>) -> Response<Body> {
    if request.method() != Method::GET {
        return Reply::json(405, &json!({"detail": "Method Not Allowed"})).into_response();
    }
    let Port { namespace, pod, number } = port;
    let reply = proxy::inside(shared, namespace, pod, *number, request.uri().path());
    reply.unwrap_or_else(|_| Reply::text(503, "")).into_response()
}
