//! Whether something is allowed, by a `SelfSubjectAccessReview`: it is asked for the very verb, object and subresource.

use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::action::{Access, Permission};
use crate::apiserver::{self, Client, Trouble};
use crate::text::clean;

const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const LARGEST: usize = 64 * 1024;
const SENTENCE: usize = 300;

pub(super) async fn review(client: &Client, access: &Access, until: Instant) -> Permission {
    match ask(client, access, until).await {
        Ok(answer) if answer["status"]["allowed"] == true => Permission::Allowed,
        Ok(answer) if answer["status"]["allowed"] == false => {
            let reason = answer["status"]["reason"].as_str().filter(|r| !r.is_empty());
            let reason = reason.map(|r| format!(" ({})", clean(r, SENTENCE))).unwrap_or_default();
            Permission::Denied(format!("'{access}' is missing{reason}"))
        }
        Ok(_) => Permission::Unknown("the API server's review says nothing".to_owned()),
        Err(trouble) => Permission::Unknown(trouble.to_string()),
    }
}

async fn ask(client: &Client, access: &Access, until: Instant) -> Result<Value, Trouble> {
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "verb": access.verb,
            "group": access.group,
            "resource": access.resource,
            "subresource": access.subresource,
            "namespace": access.namespace.as_deref().unwrap_or_default(),
            "name": access.name,
        }},
    });
    let request = Request::post(PATH)
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json")
        .body(Body::from(body.to_string().into_bytes()))
        .map_err(|_| Trouble::Malformed("no request can be made for it".to_owned()))?;
    let answer = timeout_at(until, client.send(request)).await.map_err(|_| Trouble::Late)??;
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    apiserver::read(answer.into_body(), LARGEST, until, &mut body).await?;
    if !(200..300).contains(&status) {
        return Err(Trouble::said(status, &body));
    }
    serde_json::from_slice(&body).map_err(|error| Trouble::Malformed(error.to_string()))
}
