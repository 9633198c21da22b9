//! `services/proxy`: what stands behind a Service that is no part of the simulation, such as a real Prometheus on this
//! machine. A GET is passed on, once, and its answer is passed back; nothing else is.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Shared;
use super::ask::{Ask, Target};
use super::reply::{JSON, Reply};
use crate::sim::cluster::json::list;
use crate::sim::cluster::{Kind, Refusal};

/// Of an answer, in bytes.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// For a whole answer, as long as kube-apiserver waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Service behind which something of this machine stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// Where that is.
    pub to: SocketAddr,
}

/// Passes a request on.
pub(super) async fn answer(shared: &Shared, ask: &Ask, target: &Target<'_>) -> Result<Reply, Refusal> {
    let (name, port) = target.name.split_once(':').unwrap_or((target.name, ""));
    {
        let held = shared.world();
        let Some(service) = held.world.cluster.store().get(Kind::Service, target.space(), name) else {
            return Err(Refusal::not_found(target.names, name));
        };
        let open = |p: &Value| p["name"] == port || p["port"].as_u64().is_some_and(|number| number.to_string() == port);
        if !port.is_empty() && !list(service, "/spec/ports").iter().any(open) {
            let message = format!("no service port {port:?} found for service {name:?}");
            return Err(Refusal::new(503, "ServiceUnavailable", crate::text::clean(&message, 200)));
        }
    }
    let behind = shared.forwards.iter().find(|f| f.namespace == target.space() && f.service == name);
    let Some(forward) = behind else {
        let message = format!("no endpoints available for service {name:?}");
        return Err(Refusal::new(503, "ServiceUnavailable", message));
    };
    let unreached = |why: String| {
        Refusal::new(
            503,
            "ServiceUnavailable",
            format!("error trying to reach service: {}", crate::text::clean(&why, 200)),
        )
    };
    let path = format!("/{}{}", target.part[1..].join("/"), ask.query());
    match timeout(PATIENCE, get(forward.to, &path, ask.plain_header("x-scope-orgid"))).await {
        Ok(Ok((status, body))) => Ok(Reply::text(status, body).typed(JSON)),
        Ok(Err(error)) => Err(unreached(format!("dial tcp {}: {error}", forward.to))),
        Err(_) => Err(unreached("context deadline exceeded".to_owned())),
    }
}

/// The old HTTP is enough: its answers come whole and unpacked, and end with the connection.
async fn get(to: SocketAddr, path: &str, tenant: &str) -> std::io::Result<(u16, String)> {
    let wrong = || std::io::Error::other("its answer is no HTTP");
    let tenant = if tenant.is_empty() { String::new() } else { format!("x-scope-orgid: {tenant}\r\n") };
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: {to}\r\n{tenant}\r\n").as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut bytes).await?;
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(wrong)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(wrong)?;
    Ok((status, String::from_utf8_lossy(&bytes[end + 4..]).into_owned()))
}
