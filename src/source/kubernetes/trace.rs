//! Which gateway leads to the workload, by the objects that say so: from its pods' labels to Services and `InferencePools`, to
//! the `HTTPRoutes` and Ingresses that name those, to Gateways and controllers, to their pods. Whatever may not be read or is
//! not there is told; which steps are asked for at all depends on whether those before them led anywhere.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Pace;
use super::census::{Neighbour, neighbour, pods_of};
use super::find::{Where, list};
use super::resolve::Place;
use super::resource::terms;
use crate::apiserver::{Client, Trouble};
use crate::decode::kubernetes::doors::{Backends, Pool, controller, gateways, ingress_class, plain, pool, service};
use crate::domain::{At, Role, SourceState, Watch, WorkloadRef};

/// The most doors that are looked behind, and pods of each.
const MOST_DOORS: usize = 4;

const HERE: Where<'_> = Where { everywhere: false, labels: None };
const GATEWAY_API: &str = "gateway.networking.k8s.io";
const NETWORKING: &str = "networking.k8s.io";
/// `InferencePools`, the newer group first.
pub(super) const POOLS: [(&str, &str); 2] =
    [("inference.networking.k8s.io", "v1"), ("inference.networking.x-k8s.io", "v1alpha2")];
/// Where Envoy Gateway runs the proxies of everybody's Gateways, as its chart has it.
const ENVOY_GATEWAY: &str = "envoy-gateway-system";
/// The page of an endpoint picker.
const PICKER: Page = (9090, "/metrics");

type Page = (u16, &'static str);

/// An Ingress controller: how its class names it, what that class is usually called, and where its pods and their page are.
struct Controller {
    called: &'static str,
    class: &'static str,
    namespace: &'static str,
    labels: &'static str,
    page: Page,
}

/// As their charts set them, all by default.
const CONTROLLERS: &[Controller] = &[
    Controller {
        called: "k8s.io/ingress-nginx",
        class: "nginx",
        namespace: "ingress-nginx",
        labels: "app.kubernetes.io/name=ingress-nginx,app.kubernetes.io/component=controller",
        page: (10_254, "/metrics"),
    },
    Controller {
        called: "traefik.io/ingress-controller",
        class: "traefik",
        namespace: "traefik",
        labels: "app.kubernetes.io/name=traefik",
        page: (9100, "/metrics"),
    },
    Controller {
        called: "haproxy.org/ingress-controller",
        class: "haproxy",
        namespace: "haproxy-controller",
        labels: "app.kubernetes.io/name=kubernetes-ingress",
        page: (1024, "/metrics"),
    },
    Controller {
        called: "ingress-controllers.konghq.com/kong",
        class: "kong",
        namespace: "kong",
        labels: "app.kubernetes.io/name=kong",
        page: (8100, "/metrics"),
    },
    Controller {
        called: "istio.io/ingress-controller",
        class: "istio",
        namespace: "istio-system",
        labels: "istio=ingressgateway",
        page: (15_020, "/stats/prometheus"),
    },
    Controller {
        called: "projectcontour.io/",
        class: "contour",
        namespace: "projectcontour",
        labels: "app.kubernetes.io/name=contour,app.kubernetes.io/component=envoy",
        page: (8002, "/stats/prometheus"),
    },
];

/// A door: along which objects it was found, and where its pods may be, in the order in which they are looked for.
struct Door {
    trail: String,
    /// Namespaces (`None`: all) and labels.
    places: Vec<(Option<String>, String)>,
    page: Option<Page>,
}

/// What was found, and what was not.
#[derive(Debug, Default)]
pub(super) struct Traced {
    /// Pages of gateways, each with the trail that led there.
    pub(super) neighbours: Vec<Neighbour>,
    /// What may not be read or is not there, each with its remedy.
    untold: Vec<String>,
    denied: bool,
}

impl Traced {
    /// How it went. `guessed`: a gateway was found by its labels alone.
    pub(super) fn watch(&self, now: At, guessed: bool) -> Watch {
        let state = match () {
            () if !self.neighbours.is_empty() => SourceState::Live,
            () if self.denied => SourceState::Denied,
            () if guessed => SourceState::Live,
            () => SourceState::Absent,
        };
        let error = (state != SourceState::Live).then(|| self.untold.join("; "));
        let heard = (state != SourceState::Denied).then_some(now);
        Watch { resource: "routes to gateways", state, heard, error: error.filter(|e| !e.is_empty()) }
    }
}

/// Follows them all.
pub(super) async fn trace(
    client: &Client,
    target: &WorkloadRef,
    labels: &BTreeMap<String, String>,
    pace: Pace,
) -> Traced {
    let place = Place { client, context: &target.context, namespace: &target.namespace, deadline: pace.deadline };
    let mut tracer = Tracer { place, pace, labels, traced: Traced::default(), services: Vec::new() };
    for door in tracer.doors().await.into_iter().take(MOST_DOORS) {
        tracer.open(door).await;
    }
    tracer.traced
}

/// On the way.
struct Tracer<'a> {
    place: Place<'a>,
    pace: Pace,
    labels: &'a BTreeMap<String, String>,
    traced: Traced,
    /// All of the namespace.
    services: Vec<Value>,
}

impl Tracer<'_> {
    /// The doors that lead to the workload: those of Gateways, else of Ingresses, else of Gateways by routes of other
    /// namespaces, else of endpoint pickers, which see the requests and carry none.
    async fn doors(&mut self) -> Vec<Door> {
        let mut backends = Backends::default();
        self.services = self.list("Services", ("", "v1", "services")).await;
        backends.services = self.services.iter().filter_map(|s| service(s, self.labels)).collect();
        let routes = self.list("HTTPRoutes", (GATEWAY_API, "v1", "httproutes")).await;
        let mut doors = self.of_routes(&routes, &backends);
        if !doors.is_empty() {
            return doors;
        }
        backends.pools = self.pools().await;
        doors = self.of_routes(&routes, &backends);
        if doors.is_empty() && !backends.services.is_empty() {
            doors = self.of_ingresses(&backends).await;
        }
        if doors.is_empty() && !(backends.services.is_empty() && backends.pools.is_empty()) {
            let elsewhere = self.routes_elsewhere().await;
            doors = self.of_routes(&elsewhere, &backends);
        }
        if doors.is_empty() {
            doors = backends.pools.iter().filter_map(|p| self.of_picker(&p.name, p.picker.as_ref()?)).collect();
        }
        if doors.is_empty() && !self.traced.denied {
            let (seen, selects) = (backends.services.join(", "), "no Service here selects its pods".to_owned());
            let what = if seen.is_empty() { selects } else { format!("no HTTPRoute and no Ingress leads to {seen}") };
            self.traced.untold.insert(0, format!("{what}: name the gateway's pods with gateway.selector"));
        }
        doors
    }

    /// The routes of all namespaces: whoever runs the gateway may keep them beside it.
    async fn routes_elsewhere(&mut self) -> Vec<Value> {
        let everywhere = Where { everywhere: true, labels: None };
        match list(&self.place, everywhere, (GATEWAY_API, "v1", "httproutes")).await {
            Ok((routes, _)) => routes,
            Err(Trouble::Denied(_)) => {
                self.traced.denied = true;
                let allow =
                    "allow 'list' on 'httproutes' in all namespaces, or name the gateway's pods with gateway.selector";
                self.traced.untold.push(format!("HTTPRoutes of other namespaces may not be listed; {allow}"));
                Vec::new()
            }
            // That there are none was said of this namespace's.
            Err(_) => Vec::new(),
        }
    }

    async fn pools(&mut self) -> Vec<Pool> {
        let (mut all, mut missed) = (Vec::new(), Vec::new());
        for (group, version) in POOLS {
            match list(&self.place, HERE, (group, version, "inferencepools")).await {
                Ok((pools, _)) => all.extend(pools.iter().filter_map(|p| pool(p, self.labels))),
                Err(trouble) => missed.push(trouble),
            }
        }
        // One of the groups is enough: most clusters have none or one.
        let absent = |trouble: &Trouble| matches!(trouble, Trouble::NotFound(_));
        for trouble in missed.iter().filter(|t| !absent(t) || missed.len() == POOLS.len()) {
            self.miss("inferencepools", trouble, "InferencePools");
        }
        all
    }

    fn of_routes(&self, routes: &[Value], backends: &Backends) -> Vec<Door> {
        let mut doors: Vec<Door> = Vec::new();
        for route in routes {
            let name = plain(&route["metadata"]["name"]).unwrap_or_default();
            let called = match plain(&route["metadata"]["namespace"]) {
                Some(space) if space != self.place.namespace => format!("{space}/{name}"),
                _ => name,
            };
            for (namespace, gateway) in gateways(route, self.place.namespace, backends) {
                let by_name = format!("{GATEWAY_API}/gateway-name={gateway}");
                let owned = format!(
                    "gateway.envoyproxy.io/owning-gateway-name={gateway},\
                     gateway.envoyproxy.io/owning-gateway-namespace={namespace}"
                );
                doors.push(Door {
                    trail: format!("HTTPRoute {called} of Gateway {gateway}"),
                    places: vec![
                        (Some(namespace.clone()), by_name),
                        (Some(namespace), owned.clone()),
                        (Some(ENVOY_GATEWAY.to_owned()), owned),
                    ],
                    page: None,
                });
            }
        }
        doors
    }

    async fn of_ingresses(&mut self, backends: &Backends) -> Vec<Door> {
        let ingresses = self.list("Ingresses", (NETWORKING, "v1", "ingresses")).await;
        let here: Vec<(String, Option<String>)> = ingresses
            .iter()
            .filter_map(|i| Some((plain(&i["metadata"]["name"])?, ingress_class(i, backends)?)))
            .collect();
        if here.is_empty() {
            return Vec::new();
        }
        let everywhere = Where { everywhere: true, labels: None };
        // Where classes may not be read, what they are usually called has to do.
        let classes = list(&self.place, everywhere, (NETWORKING, "v1", "ingressclasses")).await;
        let mut doors = Vec::new();
        for (ingress, class) in here {
            let said = classes.as_ref().ok().and_then(|(classes, _)| controller(classes, class.as_deref()));
            let known = CONTROLLERS.iter().find(|known| match said {
                Some(said) => said.starts_with(known.called),
                None => class.as_deref() == Some(known.class),
            });
            let Some(known) = known else {
                let by = said.map(|s| crate::text::clean(s, 80)).or(class);
                let by = by.map_or("a class that cannot be read".to_owned(), |by| format!("'{by}'"));
                self.traced.untold.push(format!(
                    "Ingress {ingress} is served by {by}, whose pods are not known: name them with gateway.selector"
                ));
                if let Err(trouble) = &classes {
                    self.miss("ingressclasses", trouble, "");
                }
                continue;
            };
            let own = self.place.namespace.to_owned();
            let labels = known.labels.to_owned();
            doors.push(Door {
                trail: format!("Ingress {ingress} of {}", known.called.trim_end_matches('/')),
                places: vec![
                    (None, labels.clone()),
                    (Some(known.namespace.to_owned()), labels.clone()),
                    (Some(own), labels),
                ],
                page: Some(known.page),
            });
        }
        doors
    }

    fn of_picker(&self, pool: &str, picker: &str) -> Option<Door> {
        let service = self.services.iter().find(|s| s["metadata"]["name"].as_str() == Some(picker))?;
        let labels = terms(&service["spec"]["selector"])?;
        Some(Door {
            trail: format!("InferencePool {pool}, its endpoint picker {picker}"),
            places: vec![(Some(self.place.namespace.to_owned()), labels)],
            page: Some(PICKER),
        })
    }

    /// Looks for a door's pods.
    async fn open(&mut self, door: Door) {
        let mut denied: Vec<String> = Vec::new();
        for (namespace, labels) in &door.places {
            match pods_of(self.place.client, namespace.as_deref(), labels, self.pace).await {
                Ok(pods) => {
                    let found = pods.iter().filter_map(|pod| neighbour(pod, Role::Gateway, door.page));
                    let found: Vec<Neighbour> =
                        found.take(MOST_DOORS).map(|n| Neighbour { found: Some(door.trail.clone()), ..n }).collect();
                    if !found.is_empty() {
                        let new = |n: &Neighbour| !self.traced.neighbours.iter().any(|k| k.pod == n.pod);
                        let new: Vec<Neighbour> = found.into_iter().filter(new).collect();
                        self.traced.neighbours.extend(new);
                        return;
                    }
                }
                Err(Trouble::Denied(_)) => denied.extend(namespace.clone()),
                Err(trouble) => self.traced.untold.push(format!("{}: its pods: {trouble}", door.trail)),
            }
        }
        let trail = door.trail;
        if denied.is_empty() {
            self.traced.untold.push(format!("{trail}: no running pod of it is found by its labels"));
        } else {
            self.traced.denied = true;
            denied.dedup();
            let allow: Vec<String> = denied.iter().map(|n| format!(" --neighbour {n}")).collect();
            self.traced.untold.push(format!("{trail}: its pods may not be listed; warroom rbac{}", allow.concat()));
        }
    }

    /// All objects of a kind in the namespace; what may not be read or is not there is told.
    async fn list(&mut self, called: &str, kind: (&str, &str, &str)) -> Vec<Value> {
        match list(&self.place, HERE, kind).await {
            Ok((objects, _)) => objects,
            Err(trouble) => {
                self.miss(kind.2, &trouble, called);
                Vec::new()
            }
        }
    }

    fn miss(&mut self, resource: &str, trouble: &Trouble, called: &str) {
        let told = match trouble {
            Trouble::Denied(_) => {
                self.traced.denied = true;
                format!("{resource}: {trouble}; allow 'list' on '{resource}'")
            }
            Trouble::NotFound(_) => format!("this cluster has no {called}"),
            other => format!("{resource}: {other}"),
        };
        if !self.traced.untold.contains(&told) {
            self.traced.untold.push(told);
        }
    }
}
