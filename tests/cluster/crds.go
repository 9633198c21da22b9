package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// kind is a resource that some controller brings along. There is no such controller here: any field is taken, and
// nobody acts on it.
type kind struct {
	group, version, name, plural string
	// Where a selector of its pods stands in the status, if it has a /scale.
	selector string
}

var kinds = []kind{
	{"serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices", ""},
	{"serving.kserve.io", "v1alpha1", "LLMInferenceService", "llminferenceservices", ""},
	{"leaderworkerset.x-k8s.io", "v1", "LeaderWorkerSet", "leaderworkersets", ".status.hpaPodSelector"},
	{"argoproj.io", "v1alpha1", "Rollout", "rollouts", ".status.selector"},
	{"argoproj.io", "v1alpha1", "Application", "applications", ""},
	{"keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", ""},
	{"kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations", ""},
	{"helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases", ""},
	{"gateway.networking.k8s.io", "v1", "Gateway", "gateways", ""},
	{"gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", ""},
	{"inference.networking.k8s.io", "v1", "InferencePool", "inferencepools", ""},
	{"ray.io", "v1", "RayService", "rayservices", ""},
	{"nvidia.com", "v1alpha1", "DynamoGraphDeployment", "dynamographdeployments", ""},
}

func (k kind) definition() *extensions.CustomResourceDefinition {
	any := true
	version := extensions.CustomResourceDefinitionVersion{
		Name: k.version, Served: true, Storage: true,
		Schema: &extensions.CustomResourceValidation{OpenAPIV3Schema: &extensions.JSONSchemaProps{
			Type: "object",
			Properties: map[string]extensions.JSONSchemaProps{
				"spec":   {Type: "object", XPreserveUnknownFields: &any},
				"status": {Type: "object", XPreserveUnknownFields: &any},
			},
		}},
		Subresources: &extensions.CustomResourceSubresources{Status: &extensions.CustomResourceSubresourceStatus{}},
	}
	if k.selector != "" {
		version.Subresources.Scale = &extensions.CustomResourceSubresourceScale{
			SpecReplicasPath: ".spec.replicas", StatusReplicasPath: ".status.replicas", LabelSelectorPath: &k.selector,
		}
	}
	return &extensions.CustomResourceDefinition{
		ObjectMeta: meta.ObjectMeta{
			Name: k.plural + "." + k.group,
			// Groups of Kubernetes' own name want to know who approved of this.
			Annotations: map[string]string{"api-approved.kubernetes.io": "unapproved, for tests"},
		},
		Spec: extensions.CustomResourceDefinitionSpec{
			Group: k.group, Scope: extensions.NamespaceScoped,
			Names: extensions.CustomResourceDefinitionNames{
				Kind: k.name, ListKind: k.name + "List", Plural: k.plural, Singular: strings.ToLower(k.name),
			},
			Versions: []extensions.CustomResourceDefinitionVersion{version},
		},
	}
}

// installCRDs makes them all, and returns when all are served.
func installCRDs(ctx context.Context, config *rest.Config) error {
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return err
	}
	definitions := client.ApiextensionsV1().CustomResourceDefinitions()
	for _, kind := range kinds {
		_, err = definitions.Create(ctx, kind.definition(), meta.CreateOptions{})
		if err != nil && !errors.IsAlreadyExists(err) {
			return err
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		list, err := definitions.List(ctx, meta.ListOptions{})
		if err != nil {
			return err
		}
		served := 0
		for _, definition := range list.Items {
			for _, condition := range definition.Status.Conditions {
				if condition.Type == extensions.Established && condition.Status == extensions.ConditionTrue {
					served++
				}
			}
		}
		if served >= len(kinds) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d are served after a minute", served, len(kinds))
		}
	}
}
