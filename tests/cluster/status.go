package main

import (
	"slices"
	"strconv"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func isReady(pod *core.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c core.PodCondition) bool {
		return c.Type == core.PodReady && c.Status == core.ConditionTrue
	})
}

// status is what a kubelet says of a pod that runs.
func status(pod *core.Pod, began time.Time, ip string, ready bool) core.PodStatus {
	started, now := meta.NewTime(began), meta.Now()
	truth := func(is bool) core.ConditionStatus {
		if is {
			return core.ConditionTrue
		}
		return core.ConditionFalse
	}
	condition := func(kind core.PodConditionType, is bool, since meta.Time) core.PodCondition {
		made := core.PodCondition{Type: kind, Status: truth(is), LastTransitionTime: since}
		if !is {
			made.Reason, made.Message = "ContainersNotReady", "containers with unready status"
		}
		return made
	}
	after := *pod.Status.DeepCopy()
	after.Phase, after.HostIP, after.PodIP = core.PodRunning, "127.0.0.1", ip
	after.PodIPs = []core.PodIP{{IP: ip}}
	after.StartTime = &started
	after.QOSClass = pod.Status.QOSClass
	after.Conditions = []core.PodCondition{
		condition(core.PodReadyToStartContainers, true, started),
		condition(core.PodInitialized, true, started),
		condition(core.PodReady, ready, now),
		condition(core.ContainersReady, ready, now),
		condition(core.PodScheduled, true, pod.CreationTimestamp),
	}
	after.ContainerStatuses = nil
	times, _ := strconv.ParseInt(pod.Annotations[restarts], 10, 32)
	for _, container := range pod.Spec.Containers {
		up := true
		said := core.ContainerStatus{
			Name: container.Name, Image: container.Image, ImageID: "sha256:" + container.Image,
			ContainerID: "containerd://" + string(pod.UID), Ready: ready, Started: &up, RestartCount: int32(times),
			State: core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: started}},
		}
		if times > 0 {
			said.LastTerminationState.Terminated = &core.ContainerStateTerminated{
				ExitCode: 137, Reason: "OOMKilled", StartedAt: meta.NewTime(began.Add(-time.Minute)), FinishedAt: started,
			}
		}
		after.ContainerStatuses = append(after.ContainerStatuses, said)
	}
	return after
}
