//! Which proxy a server is reached through where only the environment says: by the rules of Go's `net/http`, because that
//! is what kubectl does on the same machine. A proxy that the kubeconfig names holds before all of it.
//!
//! Source: golang.org/x/net/http/httpproxy, `config.useProxy`.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

/// What the environment says; each is empty where it says nothing.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// For `http://` servers.
    pub http: String,
    /// For `https://` servers.
    pub https: String,
    /// Whoever is reached without one.
    pub no: String,
}

impl Proxies {
    /// Of this process. The upper-case name comes first, as in Go.
    #[expect(clippy::disallowed_methods, reason = "kubectl's names, which are nobody's configuration here")]
    pub(super) fn of_environment() -> Self {
        let any = |name: &str| {
            let value = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
            value(name).or_else(|| value(&name.to_ascii_lowercase())).unwrap_or_default()
        };
        Self { http: any("HTTP_PROXY"), https: any("HTTPS_PROXY"), no: any("NO_PROXY") }
    }

    /// The proxy for a server, if it is reached through one; the error names a proxy that is no URL, without its password.
    pub fn proxy(&self, server: &Uri) -> Result<Option<Uri>, String> {
        let https = server.scheme_str() == Some("https");
        let named = if https { &self.https } else { &self.http };
        if named.is_empty() || !self.is_used_for(server, if https { 443 } else { 80 }) {
            return Ok(None);
        }
        // As in Go, a host and port alone are an HTTP proxy.
        let whole = if named.contains("://") { named.clone() } else { format!("http://{named}") };
        let variable = if https { "HTTPS_PROXY" } else { "HTTP_PROXY" };
        let uri: Uri = whole.parse().map_err(|_| format!("{variable} is no URL of a proxy"))?;
        let known = matches!(uri.scheme_str(), Some("http" | "https" | "socks5"));
        if known && uri.host().is_some() { Ok(Some(uri)) } else { Err(format!("{variable} is no URL of a proxy")) }
    }

    fn is_used_for(&self, server: &Uri, usual_port: u16) -> bool {
        let host = bare(server.host().unwrap_or_default()).to_ascii_lowercase();
        let host = host.trim_end_matches('.');
        let ip: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
            return false;
        }
        let port = server.port_u16().unwrap_or(usual_port);
        !self.no.split(',').map(str::trim).filter(|e| !e.is_empty()).any(|entry| excepts(entry, host, ip, port))
    }
}

/// Whether an entry of `NO_PROXY` excepts a host.
fn excepts(entry: &str, host: &str, ip: Option<IpAddr>, port: u16) -> bool {
    let entry = entry.to_ascii_lowercase();
    if entry == "*" {
        return true;
    }
    if let (Ok(net), Some(ip)) = (entry.parse::<IpNet>(), ip) {
        return net.contains(&ip);
    }
    // `host:port`, `[v6]:port`, or no port; a bare IPv6 address has colons of its own.
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, digits)) if entry.parse::<IpAddr>().is_err() => match digits.parse::<u16>() {
            Ok(port) => (bare(name).to_owned(), Some(port)),
            Err(_) => return false,
        },
        _ => (bare(&entry).to_owned(), None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    if let Ok(excepted) = name.parse::<IpAddr>() {
        return ip == Some(excepted);
    }
    // `.example.org` and `*.example.org` mean those below it, `example.org` itself too.
    let name = name.strip_prefix('*').unwrap_or(&name);
    match name.strip_prefix('.') {
        Some(domain) => !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
        None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
    }
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_through(no: &str, server: &str) -> bool {
        let proxies = Proxies { http: "proxy:1".to_owned(), https: "http://proxy:3128".to_owned(), no: no.to_owned() };
        proxies.proxy(&server.parse().expect("a URL")).expect("a proxy").is_some()
    }

    #[test]
    fn who_is_excepted_is_decided_as_in_go() {
        // The table of golang.org/x/net/http/httpproxy's own tests, and what people write besides.
        for (no, server, through) in [
            ("", "https://k8s.example.org", true),
            ("", "https://localhost:6443", false),
            ("", "http://127.0.0.2:80", false),
            ("", "https://[::1]:6443", false),
            ("*", "https://k8s.example.org", false),
            ("example.org", "https://example.org", false),
            ("example.org", "https://k8s.example.org", false),
            ("example.org", "https://notexample.org", true),
            (".example.org", "https://example.org", true),
            (".example.org", "https://k8s.example.org", false),
            ("*.example.org", "https://k8s.example.org", false),
            ("example.org:6443", "https://k8s.example.org:6443", false),
            ("example.org:6443", "https://k8s.example.org", true),
            ("10.0.0.0/8", "https://10.1.2.3:6443", false),
            ("10.0.0.0/8", "https://11.1.2.3:6443", true),
            ("10.0.0.0/8", "https://k8s.example.org", true),
            ("10.1.2.3", "https://10.1.2.3:6443", false),
            ("10.1.2.3:443", "https://10.1.2.3:6443", true),
            ("fd00::/8", "https://[fd00::1]:6443", false),
            ("[fd00::1]:6443", "https://[fd00::1]:6443", false),
            (" a , EXAMPLE.org ", "https://k8s.Example.org", false),
            ("example.org:x", "https://example.org", true),
        ] {
            assert_eq!(goes_through(no, server), through, "NO_PROXY={no:?} {server}");
        }
    }

    #[test]
    fn a_proxy_is_a_url_or_a_host_and_a_wrong_one_is_named_without_its_password() {
        let with = |https: &str| Proxies { https: https.to_owned(), ..Proxies::default() };
        let server: Uri = "https://k8s.example.org".parse().expect("a URL");
        let proxy = |https: &str| with(https).proxy(&server).map(|p| p.map(|p| p.to_string()));
        assert_eq!(proxy("proxy:3128"), Ok(Some("http://proxy:3128/".to_owned())));
        assert_eq!(proxy("socks5://proxy:1080"), Ok(Some("socks5://proxy:1080/".to_owned())));
        assert_eq!(proxy(""), Ok(None), "that of http:// is not that of https://");
        let error = proxy("ftp://me:s3cret@proxy").expect_err("no such proxy");
        assert!(error.contains("HTTPS_PROXY") && !error.contains("s3cret"), "{error}");
    }
}
