package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// What a pod's annotations ask of the kubelet.
const (
	// How long after it was started a pod becomes Ready, as Go writes durations; "never" for never.
	readyAfter = "kubelet.test/ready-after"
	// How long a pod takes to end.
	stopAfter = "kubelet.test/stop-after"
	// How often its containers were restarted already; the last time for lack of memory.
	restarts = "kubelet.test/restarts"
	// Why no node takes it.
	unschedulable = "kubelet.test/unschedulable"
)

// kubelet binds pods to nodes and says that they run. Nothing runs: their pages are served by the kubelet itself.
type kubelet struct {
	client  *kubernetes.Clientset
	pods    listers.PodLister
	nodes   []string
	queue   workqueue.TypedRateLimitingInterface[string]
	pages   *doorway
	turn    atomic.Uint32
	address atomic.Uint32
	ready   atomic.Int64

	mutex sync.Mutex
	// When a pod was started here, by its UID: the API tells whole seconds only.
	began map[string]time.Time
	// Which pod has an address, as namespace/name.
	byIP map[string]string
}

func newKubelet() *kubelet {
	k := &kubelet{
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](
			20*time.Millisecond, 2*time.Second,
		)),
		began: map[string]time.Time{},
		byIP:  map[string]string{},
		pages: newDoorway(),
	}
	server := &http.Server{Handler: http.HandlerFunc(k.servePage), ConnContext: rememberPod, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(k.pages) }()
	return k
}

// start makes the nodes and looks after their pods until ctx ends.
func (k *kubelet) start(ctx context.Context, config *rest.Config, authority *authority, nodes int) error {
	var err error
	if k.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	port, err := k.listen(authority)
	if err != nil {
		return err
	}
	for i := range nodes {
		if err = k.makeNode(ctx, fmt.Sprintf("gpu-%d", i+1), port); err != nil {
			return err
		}
	}
	shared := informers.NewSharedInformerFactory(k.client, 0)
	informer := shared.Core().V1().Pods()
	k.pods = informer.Lister()
	add := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			k.queue.Add(key)
		}
	}
	_, err = informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, UpdateFunc: func(_, after any) { add(after) }, DeleteFunc: k.forget,
	})
	if err != nil {
		return err
	}
	shared.Start(ctx.Done())
	shared.WaitForCacheSync(ctx.Done())
	for range 16 {
		go k.work(ctx)
	}
	go func() {
		<-ctx.Done()
		k.queue.ShutDown()
	}()
	return nil
}

func (k *kubelet) makeNode(ctx context.Context, name string, port int) error {
	k.nodes = append(k.nodes, name)
	room := core.ResourceList{
		"cpu": resource.MustParse("256"), "memory": resource.MustParse("2Ti"), "pods": resource.MustParse("10000"),
		"nvidia.com/gpu": resource.MustParse("8"),
	}
	now := meta.Now()
	_, err := k.client.CoreV1().Nodes().Create(ctx, &core.Node{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{
			"kubernetes.io/hostname": name, "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
		}},
		Status: core.NodeStatus{
			Capacity: room, Allocatable: room,
			Conditions: []core.NodeCondition{{
				Type: core.NodeReady, Status: core.ConditionTrue, Reason: "KubeletReady",
				LastHeartbeatTime: now, LastTransitionTime: now,
			}},
			Addresses: []core.NodeAddress{
				{Type: core.NodeInternalIP, Address: "127.0.0.1"}, {Type: core.NodeHostName, Address: name},
			},
			DaemonEndpoints: core.NodeDaemonEndpoints{KubeletEndpoint: core.DaemonEndpoint{Port: int32(port)}},
			NodeInfo:        core.NodeSystemInfo{KubeletVersion: version, OperatingSystem: "linux", Architecture: "amd64"},
		},
	}, meta.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (k *kubelet) forget(object any) {
	if tomb, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tomb.Obj
	}
	pod, ok := object.(*core.Pod)
	if !ok {
		return
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	delete(k.began, string(pod.UID))
	delete(k.byIP, pod.Status.PodIP)
}

func (k *kubelet) work(ctx context.Context) {
	for {
		key, stop := k.queue.Get()
		if stop {
			return
		}
		again, err := k.step(ctx, key)
		switch {
		case err != nil && !errors.IsNotFound(err):
			k.queue.AddRateLimited(key)
		case again > 0:
			k.queue.AddAfter(key, again)
			fallthrough
		default:
			k.queue.Forget(key)
		}
		k.queue.Done(key)
	}
}

// step does the next thing for a pod, and says when to look again.
func (k *kubelet) step(ctx context.Context, key string) (time.Duration, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return 0, err
	}
	pod, err := k.pods.Pods(namespace).Get(name)
	if err != nil {
		return 0, err
	}
	switch {
	case pod.DeletionTimestamp != nil:
		return k.end(ctx, pod)
	case pod.Spec.NodeName == "":
		return 0, k.bind(ctx, pod)
	case pod.Status.StartTime == nil:
		return k.run(ctx, pod)
	case !isReady(pod):
		return k.run(ctx, pod)
	}
	return 0, nil
}

func (k *kubelet) end(ctx context.Context, pod *core.Pod) (time.Duration, error) {
	takes, _ := time.ParseDuration(pod.Annotations[stopAfter])
	// It began when the grace period did, which ends at the deletion's time.
	began := pod.DeletionTimestamp.Time
	if grace := pod.DeletionGracePeriodSeconds; grace != nil {
		began = began.Add(-time.Duration(*grace) * time.Second)
	}
	if left := time.Until(began.Add(takes)); pod.Spec.NodeName != "" && left > 0 {
		return left, nil
	}
	now, uid := int64(0), pod.UID
	return 0, k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, meta.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &uid},
	})
}

// bind does what a scheduler does, but counts nothing: nodes take turns.
func (k *kubelet) bind(ctx context.Context, pod *core.Pod) error {
	if why := pod.Annotations[unschedulable]; why != "" {
		if len(pod.Status.Conditions) > 0 {
			return nil
		}
		after := pod.DeepCopy()
		after.Status.Conditions = []core.PodCondition{{
			Type: core.PodScheduled, Status: core.ConditionFalse, Reason: core.PodReasonUnschedulable,
			Message: why, LastTransitionTime: meta.Now(),
		}}
		_, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, after, meta.UpdateOptions{})
		return err
	}
	node := k.nodes[int(k.turn.Add(1))%len(k.nodes)]
	if wanted := nodeOfDaemon(pod); wanted != "" {
		node = wanted
	} else if wanted = pod.Spec.NodeSelector["kubernetes.io/hostname"]; wanted != "" {
		node = wanted
	}
	return k.client.CoreV1().Pods(pod.Namespace).Bind(ctx, &core.Binding{
		ObjectMeta: meta.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
		Target:     core.ObjectReference{Kind: "Node", Name: node},
	}, meta.CreateOptions{})
}

// nodeOfDaemon is where the DaemonSet controller wants a pod.
func nodeOfDaemon(pod *core.Pod) string {
	affinity := pod.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == "metadata.name" && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return ""
}

// run starts a pod, and makes it Ready when it is time.
func (k *kubelet) run(ctx context.Context, pod *core.Pod) (time.Duration, error) {
	k.mutex.Lock()
	began, known := k.began[string(pod.UID)]
	if !known {
		began = time.Now()
		k.began[string(pod.UID)] = began
	}
	k.mutex.Unlock()

	wait := pod.Annotations[readyAfter]
	takes, _ := time.ParseDuration(wait)
	left := time.Until(began.Add(takes))
	ready := wait != "never" && left <= 0
	if !ready && pod.Status.StartTime != nil {
		return left, nil
	}
	ip := pod.Status.PodIP
	if ip == "" {
		n := k.address.Add(1)
		ip = net.IPv4(10, 244, byte(n>>8), byte(n)).String()
	}
	k.mutex.Lock()
	k.byIP[ip] = pod.Namespace + "/" + pod.Name
	k.mutex.Unlock()
	after := pod.DeepCopy()
	after.Status = status(pod, began, ip, ready)
	_, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, after, meta.UpdateOptions{})
	if err != nil {
		return 0, err
	}
	if ready {
		k.ready.Add(1)
		return 0, nil
	}
	return left, nil
}
