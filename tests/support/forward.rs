//! A port-forward as a kubelet serves it over a websocket, under a test's control.

use futures::{SinkExt as _, StreamExt as _};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Body, Inside, Port, text};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Opens the stream, which does as it is told from then on.
pub(super) fn open(request: &mut Request<Incoming>, inside: Inside) -> Response<Body> {
    let header = |name| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    assert_eq!(header(UPGRADE), "websocket");
    assert_eq!(header(SEC_WEBSOCKET_PROTOCOL), "v4.channel.k8s.io");
    let mut response = text(101, String::new());
    let headers = response.headers_mut();
    let accept = derive_accept_key(header(SEC_WEBSOCKET_KEY).as_bytes());
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().expect("a header"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, "v4.channel.k8s.io".parse().expect("a header"));
    headers.insert(UPGRADE, "websocket".parse().expect("a header"));
    headers.insert(CONNECTION, "Upgrade".parse().expect("a header"));
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let upgraded = upgrade.await.expect("a connection");
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        let _ = carry(&mut socket, inside).await;
    });
    response
}

async fn carry(socket: &mut Socket, inside: Inside) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    send(socket, 0, &[0x40, 0x1f]).await?;
    send(socket, 1, &[0x40, 0x1f]).await?;
    if matches!(inside, Inside::Port(Port::Refused)) {
        // As containerd words it.
        let id = "5f0c".repeat(16);
        let said = format!(
            "error forwarding port 8000 to pod {id}, uid : failed to execute portforward in network namespace \
             \"/var/run/netns/cni-{id}\": failed to connect to localhost:8000 inside namespace \"{id}\", IPv4: dial tcp4 \
             127.0.0.1:8000: connect: connection refused IPv6 dial tcp6 [::1]:8000: connect: connection refused "
        );
        send(socket, 1, said.as_bytes()).await?;
        return socket.close(None).await;
    }
    if matches!(inside, Inside::Dead) {
        std::future::pending::<()>().await;
    }
    let mut asked = Vec::new();
    while let Some(message) = socket.next().await {
        // Reading on is what answers pings.
        let Message::Binary(bytes) = message? else { continue };
        asked.extend_from_slice(&bytes[1..]);
        if !asked.ends_with(b"\r\n\r\n") {
            continue;
        }
        asked.clear();
        match &inside {
            Inside::Port(Port::Page(page)) => answer(socket, "200 OK", page).await?,
            Inside::Port(Port::Answer(code, body)) => answer(socket, &format!("{code} X"), body).await?,
            Inside::Cut(page) => {
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", page.len(), &page[..page.len() / 2]);
                send(socket, 0, head.as_bytes()).await?;
                return socket.close(None).await;
            }
            Inside::Once(page) => {
                answer(socket, "200 OK", page).await?;
                return socket.close(None).await;
            }
            Inside::Port(Port::Hang | Port::Refused) | Inside::Dead | Inside::Unreached => {}
        }
    }
    Ok(())
}

async fn answer(socket: &mut Socket, status: &str, body: &str) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let whole = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for piece in whole.as_bytes().chunks(700) {
        send(socket, 0, piece).await?;
    }
    Ok(())
}

async fn send(socket: &mut Socket, channel: u8, bytes: &[u8]) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let message = [&[channel], bytes].concat();
    socket.send(Message::Binary(Bytes::from(message))).await
}
