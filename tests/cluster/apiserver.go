package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// api is a kube-apiserver in this process.
type api struct {
	url       string
	token     string
	bastion   string
	authority *authority
	run       func(context.Context) error
}

// auditing writes down what everybody asks for but the administrator, whose the cluster's own parts are.
const auditing = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [admin]
- level: Metadata
`

func newToken() (string, error) {
	secret := make([]byte, 24)
	_, err := rand.Read(secret)
	return hex.EncodeToString(secret), err
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newAPI prepares the server. It reaches pods through dial, because their addresses are of no network.
func newAPI(ctx context.Context, dir, etcd string, authority *authority, dial dialer) (*api, error) {
	certificate, key, _, err := authority.issue("kube-apiserver")
	if err != nil {
		return nil, err
	}
	token, err := newToken()
	if err != nil {
		return nil, err
	}
	bastion, err := newToken()
	if err != nil {
		return nil, err
	}
	tokens, policy := filepath.Join(dir, "tokens.csv"), filepath.Join(dir, "audit-policy.yaml")
	known := token + ",admin,admin,system:masters\n" + bastion + ",bastion,bastion\n"
	if err = os.WriteFile(tokens, []byte(known), 0o600); err != nil {
		return nil, err
	}
	if err = os.WriteFile(policy, []byte(auditing), 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	set := options.NewServerRunOptions()
	set.SecureServing.Listener = listener
	set.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	set.SecureServing.ExternalAddress = net.IPv4(127, 0, 0, 1)
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, part := range set.Flags().FlagSets {
		flags.AddFlagSet(part)
	}
	err = flags.Parse([]string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--tls-cert-file=" + certificate,
		"--tls-private-key-file=" + key,
		"--token-auth-file=" + tokens,
		"--authorization-mode=RBAC",
		"--audit-policy-file=" + policy,
		"--audit-log-path=" + filepath.Join(dir, "audit.log"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + key,
		"--service-account-signing-key-file=" + key,
		"--service-cluster-ip-range=10.96.0.0/16",
		"--kubelet-certificate-authority=" + authority.path,
		"--kubelet-preferred-address-types=InternalIP",
		"--endpoint-reconciler-type=none",
		// There is no controller that makes a ServiceAccount in each namespace, and none that takes the first taint off
		// a node.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
		"--profiling=false",
		// A field of pods that older clients do not know.
		"--feature-gates=HostnameOverride=true",
	})
	if err != nil {
		return nil, err
	}
	if err = set.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := set.Complete(ctx)
	if err != nil {
		return nil, err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return nil, fmt.Errorf("%v", errs)
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return nil, err
	}
	config.KubeAPIs.ControlPlane.Extra.ProxyTransport.DialContext = dial
	whole, err := config.Complete()
	if err != nil {
		return nil, err
	}
	server, err := app.CreateServerChain(whole)
	if err != nil {
		return nil, err
	}
	prepared, err := server.PrepareRun()
	if err != nil {
		return nil, err
	}
	return &api{
		url:       fmt.Sprintf("https://127.0.0.1:%d", set.SecureServing.BindPort),
		token:     token,
		bastion:   bastion,
		authority: authority,
		run:       prepared.Run,
	}, nil
}

// wait returns once the server says that it is ready.
func (a *api) wait(ctx context.Context, ended <-chan error) error {
	client := kubernetes.NewForConfigOrDie(a.client("kubectl"))
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it is not ready within 2 min: %w", err)
		}
		select {
		case err = <-ended:
			return fmt.Errorf("it ended before it was ready: %v", err)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
}

// client is how a part of the cluster speaks to the server, under its own name, which stands in managedFields.
func (a *api) client(agent string) *rest.Config {
	return &rest.Config{
		Host: a.url, BearerToken: a.token, TLSClientConfig: rest.TLSClientConfig{CAData: a.authority.pem},
		UserAgent: agent + "/" + version + " (linux/amd64) kubernetes/test", QPS: -1, Timeout: 0,
	}
}

func (a *api) writeKubeconfig(path string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: a.url, CertificateAuthorityData: a.authority.pem}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: a.token}
	config.AuthInfos["bastion"] = &clientcmdapi.AuthInfo{Token: a.bastion}
	config.Contexts["bastion"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "bastion", Namespace: "default"}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "admin", Namespace: "default"}
	config.CurrentContext = "test"
	return clientcmd.WriteToFile(*config, path)
}
