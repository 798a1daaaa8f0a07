package main

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// What else an object is found by.
const (
	byApplication = "spec.applicationRef.name"
	byEnvironment = "spec.environmentRef.name"
	byClass       = "spec.classRef.name"
)

type reconciler struct {
	client.Client
	scheme *runtime.Scheme
}

func setUp(ctx context.Context, manager ctrl.Manager) error {
	r := &reconciler{manager.GetClient(), manager.GetScheme()}
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	index := manager.GetFieldIndexer()
	new := func(name string, of client.Object) *builder.Builder {
		return ctrl.NewControllerManagedBy(manager).Named(name).For(of, changed)
	}
	return errors.Join(
		index.IndexField(ctx, &Environment{}, byApplication, func(o client.Object) []string {
			return []string{o.(*Environment).Spec.ApplicationRef.Name}
		}),
		index.IndexField(ctx, &Cronjob{}, byEnvironment, func(o client.Object) []string {
			return []string{o.(*Cronjob).Spec.EnvironmentRef.Name}
		}),
		index.IndexField(ctx, &Service{}, byClass, func(o client.Object) []string {
			return []string{o.(*Service).Spec.ClassRef.Name}
		}),
		new("instance", &Instance{}).
			Owns(&rbacv1.RoleBinding{}).Owns(&corev1.ResourceQuota{}).Owns(&networkingv1.NetworkPolicy{}).
			Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(instanceOf)).
			Complete(reconcile.AsReconciler(r.Client, reconcile.TypedFunc[*Instance](r.instance))),
		new("application", &Application{}).
			Watches(&Environment{}, handler.EnqueueRequestsFromMapFunc(applicationOf), changed).
			Complete(reconcile.AsReconciler(r.Client, reconcile.TypedFunc[*Application](r.application))),
		new("environment", &Environment{}).
			Owns(&corev1.Secret{}).Owns(&appsv1.Deployment{}).Owns(&corev1.Service{}).
			Watches(&Application{}, users[EnvironmentSpec](r, byApplication), changed).
			Complete(reconcile.AsReconciler(r.Client, reconcile.TypedFunc[*Environment](r.environment))),
		new("service", &Service{}).
			Owns(&corev1.Secret{}).Owns(&appsv1.StatefulSet{}).Owns(&corev1.Service{}).Owns(&networkingv1.NetworkPolicy{}).
			Watches(&ServiceClass{}, users[ServiceSpec](r, byClass), changed).
			Complete(reconcile.AsReconciler(r.Client, reconcile.TypedFunc[*Service](r.service))),
		new("cronjob", &Cronjob{}).
			Watches(&Environment{}, users[CronjobSpec](r, byEnvironment)).
			Complete(reconcile.AsReconciler(r.Client, reconcile.TypedFunc[*Cronjob](r.cronjob))),
	)
}

func instanceOf(_ context.Context, namespace client.Object) []reconcile.Request {
	name := namespace.GetLabels()[ofInstance]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
}

func applicationOf(_ context.Context, environment client.Object) []reconcile.Request {
	name := environment.(*Environment).Spec.ApplicationRef.Name
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: environment.GetNamespace(), Name: name}}}
}

// users wakes whoever names an object.
func users[S Copied[S]](r *reconciler, by string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, used client.Object) []reconcile.Request {
		var list List[S]
		named := client.MatchingFields{by: used.GetName()}
		if r.List(ctx, &list, named, client.InNamespace(used.GetNamespace())) != nil {
			return nil
		}
		var requests []reconcile.Request
		for i := range list.Items {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
		return requests
	})
}

func (r *reconciler) instance(ctx context.Context, instance *Instance) (ctrl.Result, error) {
	if err := r.inside(ctx, instance); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, tell(ctx, r, instance, func(status *Status) string {
		status.Namespace = namespaceOf(instance)
		return "Active"
	})
}

func (r *reconciler) application(ctx context.Context, application *Application) (ctrl.Result, error) {
	var environments List[EnvironmentSpec]
	named := client.MatchingFields{byApplication: application.Name}
	if err := r.List(ctx, &environments, named, client.InNamespace(application.Namespace)); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, tell(ctx, r, application, func(status *Status) string {
		status.Environments = int32(len(environments.Items))
		return "Active"
	})
}

func (r *reconciler) environment(ctx context.Context, environment *Environment) (ctrl.Result, error) {
	application := &Application{}
	if missing, err := r.misses(ctx, environment, application, environment.Spec.ApplicationRef); missing || err != nil {
		return ctrl.Result{}, err
	}
	secret, err := r.variables(ctx, environment, application)
	if err != nil {
		return ctrl.Result{}, err
	}
	ready := true
	for _, container := range application.Spec.Containers {
		deployment, err := r.container(ctx, environment, application, container, secret)
		if err != nil {
			return ctrl.Result{}, err
		}
		rolled := deployment.Status.ObservedGeneration >= deployment.Generation
		ready = ready && rolled && deployment.Status.AvailableReplicas >= *deployment.Spec.Replicas
	}
	return ctrl.Result{}, tell(ctx, r, environment, func(status *Status) string {
		status.URL = fmt.Sprintf("http://%s-web.%s.svc", environment.Name, environment.Namespace)
		return map[bool]string{true: "Active", false: "Deploying"}[ready]
	})
}

func (r *reconciler) service(ctx context.Context, service *Service) (ctrl.Result, error) {
	class := &ServiceClass{}
	if missing, err := r.misses(ctx, service, class, service.Spec.ClassRef); missing || err != nil {
		return ctrl.Result{}, err
	}
	set, err := r.engine(ctx, service, class)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, tell(ctx, r, service, func(status *Status) string {
		status.Credentials = &Reference{Name: service.Name + "-credentials"}
		return map[bool]string{true: "Active", false: "Provisioning"}[set.Status.ReadyReplicas > 0]
	})
}

// As the operator does, it waits for a first rollout before there is an image to run in: where no pod runs, for ever.
func (r *reconciler) cronjob(ctx context.Context, cronjob *Cronjob) (ctrl.Result, error) {
	if missing, err := r.misses(ctx, cronjob, &Environment{}, cronjob.Spec.EnvironmentRef); missing || err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, tell(ctx, r, cronjob, func(*Status) string { return "Waiting" })
}

// misses reads what an object names, and says so where it is not there.
func (r *reconciler) misses(ctx context.Context, of declared, used client.Object, name Reference) (bool, error) {
	err := r.Get(ctx, types.NamespacedName{Namespace: namespaceFor(used, of), Name: name.Name}, used)
	if !apierrors.IsNotFound(err) {
		return false, err
	}
	return true, tell(ctx, r, of, func(*Status) string { return "Missing" })
}

// Classes have no namespace; all else is beside who names it.
func namespaceFor(used client.Object, of client.Object) string {
	if _, class := used.(*ServiceClass); class {
		return ""
	}
	return of.GetNamespace()
}

type declared interface {
	client.Object
	status() *Status
}

// tell writes the status, once, and only where it changed.
func tell(ctx context.Context, r *reconciler, of declared, say func(*Status) string) error {
	before := of.DeepCopyObject().(declared)
	status := of.status()
	status.State = say(status)
	status.ObservedGeneration = of.GetGeneration()
	ready := metav1.Condition{Type: "Ready", Reason: status.State, Message: "It is as declared.", Status: metav1.ConditionTrue}
	if status.State != "Active" {
		ready.Status, ready.Message = metav1.ConditionFalse, "It is not there yet, or what it names is not."
	}
	ready.ObservedGeneration = of.GetGeneration()
	meta.SetStatusCondition(&status.Conditions, ready)
	if equality.Semantic.DeepEqual(before.status(), status) {
		return nil
	}
	return r.Status().Patch(ctx, of, client.MergeFrom(before))
}
