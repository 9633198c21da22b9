package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// filling is what stands in a cluster before anybody looks: many Deployments of nothing in particular.
type filling struct{ pods, deployments int }

func parseFill(text string) (filling, error) {
	var parsed filling
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		key, number, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return parsed, fmt.Errorf("--fill: %q is no number of %s", number, key)
		}
		switch key {
		case "pods":
			parsed.pods = n
		case "deployments":
			parsed.deployments = n
		default:
			return parsed, fmt.Errorf("--fill: %q is neither pods nor deployments", key)
		}
	}
	if parsed.pods > 0 && parsed.deployments == 0 {
		return parsed, fmt.Errorf("--fill: pods need deployments")
	}
	return parsed, nil
}

// create makes them in namespace fill, and returns when all their pods are Ready.
func (f filling) create(ctx context.Context, client *kubernetes.Clientset, ready func() int64) error {
	space := &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: "fill"}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, space, meta.CreateOptions{}); err != nil {
		return err
	}
	numbers, failed := make(chan int), make(chan error, 8)
	for range cap(failed) {
		go func() {
			var first error
			for n := range numbers {
				replicas := f.pods / f.deployments
				if n < f.pods%f.deployments {
					replicas++
				}
				made := filler(fmt.Sprintf("filler-%04d", n), int32(replicas))
				if _, err := client.AppsV1().Deployments("fill").Create(ctx, made, meta.CreateOptions{}); first == nil {
					first = err
				}
			}
			failed <- first
		}()
	}
	for n := range f.deployments {
		numbers <- n
	}
	close(numbers)
	for range cap(failed) {
		if err := <-failed; err != nil {
			return err
		}
	}
	for ready() < int64(f.pods) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

func filler(name string, replicas int32) *apps.Deployment {
	labels := map[string]string{"app": name}
	return &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels},
		Spec: apps.DeploymentSpec{
			Replicas: &replicas,
			Selector: &meta.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{
				ObjectMeta: meta.ObjectMeta{Labels: labels},
				Spec: core.PodSpec{Containers: []core.Container{{
					Name: "app", Image: "registry.test/filler:1",
					Ports: []core.ContainerPort{{Name: "http", ContainerPort: 8080}},
				}}},
			},
		},
	}
}
