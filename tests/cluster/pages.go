package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// What a pod's annotations say of its pages.
const (
	// Its /metrics, as it is.
	page = "kubelet.test/page"
	// The same, as what is counted in a second: counters grow by it while the pod is Ready.
	pagePerSecond = "kubelet.test/page-per-second"
)

// vllm is its page, as what is counted in a second. It is served by whatever is started as vLLM.
//
//go:embed vllm-per-second.prom
var vllm string

// doorway is a listener in this process: nobody but the kubelet comes in.
type doorway struct{ waiting chan net.Conn }

func newDoorway() *doorway { return &doorway{make(chan net.Conn)} }

func (d *doorway) Accept() (net.Conn, error) {
	conn, open := <-d.waiting
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (d *doorway) Close() error   { return nil }
func (d *doorway) Addr() net.Addr { return &net.IPAddr{} }

// called is a connection that knows which pod was meant.
type called struct {
	net.Conn
	pod string
}

type podKey struct{}

func rememberPod(ctx context.Context, conn net.Conn) context.Context {
	if conn, ok := conn.(*called); ok {
		return context.WithValue(ctx, podKey{}, conn.pod)
	}
	return ctx
}

// dial connects to a pod's port within this process, and to everything else as usual.
func (k *kubelet) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	k.mutex.Lock()
	key, is := k.byIP[host]
	k.mutex.Unlock()
	if !is {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return nil, err
	}
	return k.dialPod(ctx, key, int32(number))
}

func (k *kubelet) dialPod(ctx context.Context, key string, port int32) (net.Conn, error) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	pod, err := k.pod(key)
	// An engine opens its port once the model is loaded.
	if err != nil || !isReady(pod) || !listens(pod, port) {
		return nil, refused
	}
	ours, theirs := net.Pipe()
	select {
	case k.pages.waiting <- &called{theirs, key}:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (k *kubelet) pod(key string) (*core.Pod, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return nil, err
	}
	if k.pods == nil {
		return nil, errors.New("there are no pods yet")
	}
	return k.pods.Pods(namespace).Get(name)
}

func listens(pod *core.Pod, port int32) bool {
	for _, container := range pod.Spec.Containers {
		for _, open := range container.Ports {
			if open.ContainerPort == port {
				return true
			}
		}
	}
	return false
}

func (k *kubelet) servePage(w http.ResponseWriter, r *http.Request) {
	key, _ := r.Context().Value(podKey{}).(string)
	pod, err := k.pod(key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	k.mutex.Lock()
	began := k.began[string(pod.UID)]
	k.mutex.Unlock()
	switch {
	case r.URL.Path == "/metrics" || r.URL.Path == "/stats/prometheus":
		text, is := pageOf(pod, time.Since(began))
		if !is {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = fmt.Fprint(w, text)
	case r.URL.Path == "/health" || r.URL.Path == "/ping":
		w.WriteHeader(http.StatusOK)
	case r.URL.Path == "/v1/models":
		answer(w, map[string]any{"object": "list", "data": []any{map[string]any{"id": model(pod), "object": "model"}}})
	case r.URL.Path == "/v1/completions" && r.Method == http.MethodPost:
		complete(w, model(pod))
	default:
		http.NotFound(w, r)
	}
}

// complete answers with one token, as a stream.
func complete(w http.ResponseWriter, model string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	token, _ := json.Marshal(map[string]any{
		"object": "text_completion", "model": model,
		"choices": []any{map[string]any{"index": 0, "text": " a", "finish_reason": "length"}},
	})
	_, _ = fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", token)
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

// model is the name under which a pod serves.
func model(pod *core.Pod) string {
	for _, container := range pod.Spec.Containers {
		for _, arg := range container.Args {
			if name, is := strings.CutPrefix(arg, "--served-model-name="); is {
				return name
			}
		}
	}
	return "llama-3-70b"
}

// pageOf is a pod's page, if it has one.
func pageOf(pod *core.Pod, up time.Duration) (string, bool) {
	if text, is := pod.Annotations[page]; is {
		return text, true
	}
	if text, is := pod.Annotations[pagePerSecond]; is {
		return grown(text, up), true
	}
	for _, container := range pod.Spec.Containers {
		if strings.Contains(container.Image, "vllm") {
			return grown(strings.ReplaceAll(vllm, "MODEL", model(pod)), up), true
		}
	}
	return "", false
}

// grown is a page whose counters and histograms have counted for so long.
func grown(text string, up time.Duration) string {
	var out strings.Builder
	counts := false
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if kind, is := strings.CutPrefix(line, "# TYPE "); is {
			counts = strings.HasSuffix(kind, " counter") || strings.HasSuffix(kind, " histogram")
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if counts && err == nil && !strings.HasPrefix(line, "#") {
			line = line[:at+1] + strconv.FormatFloat(value*float64(int(up.Seconds())), 'g', -1, 64)
		}
		out.WriteString(line)
		out.WriteByte('\n')
	}
	return out.String()
}
