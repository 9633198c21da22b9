package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	client "k8s.io/client-go/tools/remotecommand"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
	streaming "k8s.io/kubelet/pkg/cri/streaming/remotecommand"
	"k8s.io/utils/exec"
)

// What a container writes: the pod's log, and what it wrote before its last restart.
const (
	logOf       = "kubelet.test/log"
	previousLog = "kubelet.test/previous-log"
)

// How long a stream may idle, and take to come up, as a kubelet has it.
const (
	idle  = 4 * time.Hour
	comes = 30 * time.Second
)

// listen opens the kubelet's own door, to which the API server hands logs, exec and port-forward on.
func (k *kubelet) listen(authority *authority) (int, error) {
	_, _, pair, err := authority.issue("kubelet")
	if err != nil {
		return 0, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	})
	if err != nil {
		return 0, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.serveLog)
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", k.serveExec)
	mux.HandleFunc("/portForward/{namespace}/{pod}", k.servePortForward)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func (k *kubelet) podOf(w http.ResponseWriter, r *http.Request) *core.Pod {
	pod, err := k.pod(r.PathValue("namespace") + "/" + r.PathValue("pod"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return nil
	}
	return pod
}

func (k *kubelet) serveLog(w http.ResponseWriter, r *http.Request) {
	pod := k.podOf(w, r)
	if pod == nil {
		return
	}
	container, query := r.PathValue("container"), r.URL.Query()
	text, is := pod.Annotations[logOf]
	if !is {
		text = fmt.Sprintf("INFO starting %s\nINFO Application startup complete.\n", container)
	}
	if query.Get("previous") == "true" {
		if text, is = pod.Annotations[previousLog]; !is {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, "previous terminated container %q in pod %q not found", container, pod.Name)
			return
		}
	}
	k.mutex.Lock()
	began := k.began[string(pod.UID)]
	k.mutex.Unlock()
	stamp := func(at time.Time, line string) string {
		if query.Get("timestamps") == "true" {
			return at.UTC().Format(time.RFC3339Nano) + " " + line + "\n"
		}
		return line + "\n"
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if tail, err := strconv.Atoi(query.Get("tailLines")); err == nil && tail < len(lines) {
		lines = lines[len(lines)-tail:]
	}
	var said strings.Builder
	for _, line := range lines {
		said.WriteString(stamp(began, line))
	}
	whole := said.String()
	if limit, err := strconv.Atoi(query.Get("limitBytes")); err == nil && limit < len(whole) {
		whole = whole[:limit]
	}
	_, _ = io.WriteString(w, whole)
	for beat := 1; query.Get("follow") == "true"; beat++ {
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case now := <-time.After(time.Second):
			if _, err := io.WriteString(w, stamp(now, fmt.Sprintf("INFO beat %d", beat))); err != nil {
				return
			}
		}
	}
}

func (k *kubelet) serveExec(w http.ResponseWriter, r *http.Request) {
	pod := k.podOf(w, r)
	if pod == nil {
		return
	}
	options, err := streaming.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	streaming.ServeExec(
		w, r, shell{}, pod.Name, pod.UID, r.PathValue("container"), r.URL.Query()["command"], options, idle, comes,
		remotecommand.SupportedStreamingProtocols,
	)
}

// shell knows three programs: echo, cat of its standard input, and false.
type shell struct{}

func (shell) ExecInContainer(
	_ context.Context, _ string, _ types.UID, container string, command []string, in io.Reader,
	out, fault io.WriteCloser, _ bool, _ <-chan client.TerminalSize, _ time.Duration,
) error {
	switch command[0] {
	case "echo":
		_, err := fmt.Fprintln(out, strings.Join(command[1:], " "))
		return err
	case "cat":
		if in == nil {
			return nil
		}
		_, err := io.Copy(out, in)
		return err
	case "false":
		return exec.CodeExitError{Err: fmt.Errorf("exit status 1"), Code: 1}
	}
	if fault != nil {
		_, _ = fmt.Fprintf(fault, "%s: no %q is there\n", container, command[0])
	}
	return exec.CodeExitError{Err: fmt.Errorf("exit status 127"), Code: 127}
}

func (k *kubelet) servePortForward(w http.ResponseWriter, r *http.Request) {
	pod := k.podOf(w, r)
	if pod == nil {
		return
	}
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(
		w, r, forwarder{k, pod.Namespace + "/" + pod.Name}, pod.Name, pod.UID, options, idle, comes,
		portforward.SupportedProtocols,
	)
}

type forwarder struct {
	kubelet *kubelet
	pod     string
}

func (f forwarder) PortForward(
	ctx context.Context, _ string, _ types.UID, port int32, stream io.ReadWriteCloser,
) error {
	conn, err := f.kubelet.dialPod(ctx, f.pod, port)
	if err != nil {
		return err
	}
	defer conn.Close()
	ended := make(chan error, 2)
	copying := func(to io.Writer, from io.Reader) {
		_, err := io.Copy(to, from)
		ended <- err
	}
	go copying(conn, stream)
	go copying(stream, conn)
	return <-ended
}
