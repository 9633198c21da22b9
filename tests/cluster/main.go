// Command warroom-test-cluster is a Kubernetes control plane for tests, in one process on loopback: embedded etcd, the
// real kube-apiserver with RBAC, the real workload controllers, and a kubelet that binds pods and says that they run.
//
// It prints one line of JSON once it is ready, and ends with its standard input: with its parent.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
)

// version is that of k8s.io/kubernetes in go.mod.
const version = "v1.34.4"

// ready is the line that says how to reach the cluster.
type ready struct {
	Kubeconfig string  `json:"kubeconfig"`
	Server     string  `json:"server"`
	Version    string  `json:"version"`
	Log        string  `json:"log"`
	ReadyAfter float64 `json:"ready_after_s"`
}

func main() {
	dir := flag.String("dir", "", "where the kubeconfig, the log and the data lie; a new one under the temporary directory, and removed, if empty")
	nodes := flag.Int("nodes", 2, "how many nodes, of eight GPUs each")
	filling := flag.String("fill", "", "what stands in namespace fill before it is ready: pods=5000,deployments=1000")
	flag.Parse()
	if err := run(*dir, *nodes, *filling); err != nil {
		fmt.Fprintln(os.Stderr, "warroom-test-cluster:", err)
		os.Exit(1)
	}
}

// logInto has everything that Kubernetes' parts log in one file, each line once.
func logInto(file *os.File) error {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	err := flags.Parse([]string{"-logtostderr=false", "-one_output", "-stderrthreshold=FATAL"})
	klog.SetOutput(file)
	return err
}

func run(dir string, nodes int, filling string) error {
	began := time.Now()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		// Whoever started it is gone, or wants it to end.
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()

	fill, err := parseFill(filling)
	if err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "warroom-test-cluster-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	} else if err = os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = logInto(log); err != nil {
		return err
	}

	etcd, err := startEtcd(dir)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Close()

	authority, err := newAuthority(dir)
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	kubelet := newKubelet()
	api, err := newAPI(ctx, dir, etcd.Config().AdvertiseClientUrls[0].String(), authority, kubelet.dial)
	if err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- api.run(ctx) }()
	if err = api.wait(ctx, ended); err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	if err = installCRDs(ctx, api.client("kubectl")); err != nil {
		return fmt.Errorf("CRDs: %w", err)
	}
	if err = kubelet.start(ctx, api.client("kubelet"), authority, nodes); err != nil {
		return fmt.Errorf("kubelet: %w", err)
	}
	if err = startControllers(ctx, api.client("kube-controller-manager")); err != nil {
		return fmt.Errorf("controllers: %w", err)
	}
	if fill.deployments > 0 {
		client := kubernetes.NewForConfigOrDie(api.client("kubectl"))
		if err = fill.create(ctx, client, kubelet.ready.Load); err != nil {
			return fmt.Errorf("--fill: %w", err)
		}
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err = api.writeKubeconfig(kubeconfig); err != nil {
		return err
	}
	line := ready{kubeconfig, api.url, version, log.Name(), time.Since(began).Seconds()}
	if err = json.NewEncoder(os.Stdout).Encode(line); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		// Watches of a client that still hangs on would keep it for a minute.
		select {
		case err = <-ended:
		case <-time.After(3 * time.Second):
		}
	case err = <-ended:
	}
	if err != nil && strings.Contains(err.Error(), "context canceled") {
		return nil
	}
	return err
}
