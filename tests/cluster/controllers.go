package main

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/kubernetes/pkg/controller/daemon"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/endpoint"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/statefulset"
	resourceclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
)

const workers = 10

// startControllers starts those that own workloads, as kube-controller-manager does, and returns when all have seen
// what there is.
func startControllers(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	metadataClient, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, 12*time.Hour)
	ofMetadata := metadatainformer.NewSharedInformerFactory(metadataClient, 12*time.Hour)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	apps, core := shared.Apps().V1(), shared.Core().V1()

	deployments, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), core.Pods(), client)
	if err != nil {
		return err
	}
	go deployments.Run(ctx, workers)
	go replicaset.NewReplicaSetController(
		ctx, apps.ReplicaSets(), core.Pods(), client, replicaset.BurstReplicas,
	).Run(ctx, workers)
	go statefulset.NewStatefulSetController(
		ctx, core.Pods(), apps.StatefulSets(), core.PersistentVolumeClaims(), apps.ControllerRevisions(), client,
	).Run(ctx, workers)
	daemons, err := daemon.NewDaemonSetsController(
		ctx, apps.DaemonSets(), apps.ControllerRevisions(), core.Pods(), core.Nodes(), client,
		flowcontrol.NewBackOff(time.Second, 15*time.Minute),
	)
	if err != nil {
		return err
	}
	go daemons.Run(ctx, 2)
	go endpointslice.NewController(
		ctx, core.Pods(), core.Services(), core.Nodes(), shared.Discovery().V1().EndpointSlices(), 100, client,
		500*time.Millisecond,
	).Run(ctx, workers)

	// services/proxy still looks at these.
	go endpoint.NewEndpointController(
		ctx, core.Pods(), core.Services(), core.Endpoints(), client, 500*time.Millisecond,
	).Run(ctx, workers)

	if err = startAutoscaler(ctx, config, client, mapper, shared); err != nil {
		return err
	}

	started := make(chan struct{})
	graph := garbagecollector.NewDependencyGraphBuilder(
		ctx, metadataClient, mapper, map[schema.GroupResource]struct{}{{Resource: "events"}: {}, {Group: "events.k8s.io", Resource: "events"}: {}},
		informerfactory.NewInformerFactory(shared, ofMetadata), started,
	)
	collector, err := garbagecollector.NewComposedGarbageCollector(ctx, client, metadataClient, mapper, graph)
	if err != nil {
		return err
	}
	go collector.Run(ctx, workers, 30*time.Second)
	go collector.Sync(ctx, client.Discovery(), 5*time.Second)

	shared.Start(ctx.Done())
	ofMetadata.Start(ctx.Done())
	close(started)
	shared.WaitForCacheSync(ctx.Done())
	return nil
}

// startAutoscaler starts the HPA controller. Where no metrics API is registered it says so on the HPA, and keeps its
// bounds all the same.
func startAutoscaler(
	ctx context.Context, config *rest.Config, client *kubernetes.Clientset,
	mapper *restmapper.DeferredDiscoveryRESTMapper, shared informers.SharedInformerFactory,
) error {
	available := custom_metrics.NewAvailableAPIsGetter(client.Discovery())
	go custom_metrics.PeriodicallyInvalidate(available, 15*time.Second, ctx.Done())
	resources, err := resourceclient.NewForConfig(config)
	if err != nil {
		return err
	}
	external, err := external_metrics.NewForConfig(config)
	if err != nil {
		return err
	}
	scales, err := scale.NewForConfig(
		config, mapper, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(client.Discovery()),
	)
	if err != nil {
		return err
	}
	go podautoscaler.NewHorizontalController(
		ctx, client.CoreV1(), scales, client.AutoscalingV2(), mapper,
		metrics.NewRESTMetricsClient(resources, custom_metrics.NewForConfig(config, mapper, available), external),
		shared.Autoscaling().V2().HorizontalPodAutoscalers(), shared.Core().V1().Pods(),
		2*time.Second, 5*time.Minute, 0.1, 5*time.Minute, 30*time.Second,
	).Run(ctx, 2)
	return nil
}
