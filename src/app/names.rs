//! The names that are hidden while others look.

use super::App;
use crate::text::MaskRule;

impl App {
    /// Names are learned whether or not they are hidden, so that each keeps its number; and before anything is judged,
    /// for the first screen shows some.
    pub(super) fn learn_names(&mut self) {
        let (mask, snapshot) = (&mut self.mask, &self.snapshot);
        if let Some(target) = &snapshot.target {
            mask.learn(MaskRule::Namespace, &target.namespace);
        }
        for found in self.chooser.iter().flat_map(super::Chooser::all) {
            mask.learn(MaskRule::Namespace, &found.namespace);
            found.model.iter().for_each(|model| mask.learn(MaskRule::Model, model));
        }
        if let Some((_, facts)) = &snapshot.cluster {
            for node in facts.nodes.iter().flatten() {
                mask.learn(MaskRule::Node, &node.name);
            }
            for pod in &facts.pods {
                pod.node.iter().for_each(|node| mask.learn(MaskRule::Node, node));
                pod.ip.iter().for_each(|ip| mask.learn(MaskRule::Ip, ip));
            }
        }
        for endpoint in &snapshot.endpoints {
            let nodes = endpoint.placements.iter().filter_map(|p| p.node.as_ref());
            nodes.for_each(|node| mask.learn(MaskRule::Node, node));
            let models = endpoint.tracks.iter().filter_map(|t| t.model.as_ref());
            models.for_each(|model| mask.learn(MaskRule::Model, model));
            for slice in endpoint.tracks.iter().filter_map(|t| t.slice.as_ref()) {
                slice.model.iter().for_each(|model| mask.learn(MaskRule::Model, model));
                slice.tenant.iter().for_each(|tenant| mask.learn(MaskRule::Tenant, tenant));
            }
        }
        let nodes = snapshot.gpus.iter().filter_map(|g| g.id.node.as_ref());
        nodes.for_each(|node| mask.learn(MaskRule::Node, node));
        if let Some(d) = &self.diagnosis {
            d.target.iter().for_each(|target| mask.learn(MaskRule::Namespace, &target.namespace));
            let nodes = d.replicas.iter().filter_map(|r| r.node.as_ref());
            nodes.chain(d.gpus.iter().filter_map(|g| g.id.node.as_ref())).for_each(|n| mask.learn(MaskRule::Node, n));
            let models = d.model.iter().chain(d.slo.iter().filter_map(|s| s.model.as_ref()));
            models.for_each(|model| mask.learn(MaskRule::Model, model));
        }
    }
}
