// The peer of the benchmark: what our kinds would be on controller-runtime, the library that most operators are made with.
//
// Written as a careful engineer writes such an operator today: typed kinds, one reconciler for each, everything read from the cache,
// children by CreateOrUpdate with what the server fills in left alone, owners by reference and watched, one status write at the end and
// only where it changed, 16 at once, no client-side limit of requests, no leader to elect, managedFields kept out of memory. One thing is
// ahead of its day, in its favour: reads wait for the writes before them, which the library still calls an experiment; nothing conflicts.
//
// It makes for an Instance, an Application, an Environment, a Service and a Cronjob the children that the operator makes where no pod
// ever runs. What it leaves out makes it cheaper, never dearer: Releases with their history (of an Environment only its variables are
// kept, in a Secret), rotation, backups, copies, templates, quotas of a plan, repair of what others own, the reasons why something does
// not go on, Events. So compare it by the write or by the child.
package main

import (
	"flag"
	"net/http"
	"os"
	"sync/atomic"

	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "where /metrics and /readyz answer")
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.Level(zapcore.WarnLevel)))
	if err := run(*listen); err != nil {
		ctrl.Log.Error(err, "it ends")
		os.Exit(1)
	}
}

func run(listen string) error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	register(scheme)
	var synced atomic.Bool
	ready := func(answer http.ResponseWriter, _ *http.Request) {
		if !synced.Load() {
			answer.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	manager, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Scheme:     scheme,
		Cache:      cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		Client:     client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
		Controller: config.Controller{MaxConcurrentReconciles: 16},
		Metrics: server.Options{
			BindAddress:   listen,
			ExtraHandlers: map[string]http.Handler{"/readyz": http.HandlerFunc(ready)},
		},
	})
	if err != nil {
		return err
	}
	context := ctrl.SetupSignalHandler()
	if err := setUp(context, manager); err != nil {
		return err
	}
	go func() { synced.Store(manager.GetCache().WaitForCacheSync(context)) }()
	return manager.Start(context)
}
