//! Kinds that own engines: what they are called in the API, and how they are scaled and rolled back. Whatever stands below
//! such an owner is put back by it within seconds, so that a change there would be a lie.
//!
//! Source: the definitions and the controllers of these kinds.

/// A kind that owns engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerKind {
    /// Its kind.
    pub kind: &'static str,
    /// Its API group.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its name in the plural.
    pub plural: &'static str,
    /// What kubectl takes before the name.
    pub short: &'static str,
    /// Where its pods' template is; `None` where it has several or none of its own.
    pub template: Option<&'static str>,
    /// Where its replicas are wanted.
    pub replicas: Option<&'static str>,
    /// How it is scaled to `N`; `{}` is its name.
    pub scale: &'static str,
    /// How it is rolled back; `{}` is its name.
    pub undo: &'static str,
}

/// All that are known.
pub const OWNERS: &[OwnerKind] = &[
    OwnerKind {
        kind: "LeaderWorkerSet",
        group: "leaderworkerset.x-k8s.io",
        version: "v1",
        plural: "leaderworkersets",
        short: "lws",
        template: Some("/spec/leaderWorkerTemplate/workerTemplate"),
        replicas: Some("/spec/replicas"),
        scale: "kubectl scale lws/{} --replicas=N",
        undo: "apply the manifest from before: it keeps no history once a rollout is done",
    },
    OwnerKind {
        kind: "InferenceService",
        group: "serving.kserve.io",
        version: "v1beta1",
        plural: "inferenceservices",
        short: "isvc",
        template: Some("/spec/predictor"),
        replicas: Some("/spec/predictor/minReplicas"),
        scale: "kubectl patch isvc/{} --type=merge -p '{\"spec\":{\"predictor\":{\"minReplicas\":N}}}'",
        undo: "kubectl edit isvc/{}, or revert it in Git: its Deployment is written anew from spec.predictor",
    },
    OwnerKind {
        kind: "LLMInferenceService",
        group: "serving.kserve.io",
        version: "v1alpha1",
        plural: "llminferenceservices",
        short: "llmisvc",
        template: Some("/spec/template"),
        replicas: Some("/spec/replicas"),
        scale: "kubectl patch llmisvc/{} --type=merge -p '{\"spec\":{\"replicas\":N}}'",
        undo: "kubectl edit llmisvc/{}, or revert it in Git: its workloads are compared with it and put back",
    },
    OwnerKind {
        kind: "Rollout",
        group: "argoproj.io",
        version: "v1alpha1",
        plural: "rollouts",
        short: "rollout",
        template: Some("/spec/template"),
        replicas: Some("/spec/replicas"),
        scale: "kubectl scale rollout/{} --replicas=N",
        undo: "kubectl argo rollouts undo {}",
    },
    OwnerKind {
        kind: "RayService",
        group: "ray.io",
        version: "v1",
        plural: "rayservices",
        short: "rayservice",
        template: Some("/spec/rayClusterConfig/headGroupSpec/template"),
        replicas: None,
        scale: "kubectl edit rayservice/{}: num_replicas in spec.serveConfigV2",
        undo: "apply the manifest from before: a new cluster is started beside the old one, so twice the GPUs are needed",
    },
    OwnerKind {
        kind: "DynamoGraphDeployment",
        group: "nvidia.com",
        version: "v1alpha1",
        plural: "dynamographdeployments",
        short: "dgd",
        template: None,
        replicas: None,
        scale: "kubectl edit dgd/{}: spec.services.*.replicas",
        undo: "apply the manifest from before: its Deployments are written anew from spec.services",
    },
];

impl OwnerKind {
    /// The kind of this name.
    pub fn named(kind: &str) -> Option<&'static Self> {
        OWNERS.iter().find(|owner| owner.kind == kind)
    }

    /// How the object of this name is scaled.
    pub fn scale_line(&self, name: &str) -> String {
        self.scale.replacen("{}", name, 1)
    }

    /// How the object of this name is rolled back.
    pub fn undo_line(&self, name: &str) -> String {
        self.undo.replacen("{}", name, 1)
    }
}
