package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// Labels of children.
const (
	ofOwner       = "roadstead.dev/owner"
	ofInstance    = "roadstead.dev/instance"
	ofApplication = "roadstead.dev/application"
	ofEnvironment = "roadstead.dev/environment"
	ofContainer   = "roadstead.dev/container"
	ofService     = "roadstead.dev/service"
	role          = "roadstead.dev/role"
)

type labels = map[string]string

// keep makes a child, or brings it up to date.
func (r *reconciler) keep(ctx context.Context, owner, child client.Object, marks labels, set func()) error {
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, child, func() error {
		all := child.GetLabels()
		if all == nil {
			all = labels{}
		}
		maps.Copy(all, marks)
		child.SetLabels(all)
		set()
		if _, namespace := child.(*corev1.Namespace); namespace {
			return nil // It outlives its Instance.
		}
		all[ofOwner] = string(owner.GetUID()) // The product's policies let its account touch nothing else.
		return controllerutil.SetControllerReference(owner, child, r.scheme)
	})
	return err
}

// settle overwrites what differs in what we say; what the server filled in is no difference, where we say nothing of it: 0 says something.
func settle[S any](have *S, want S) {
	if !equality.Semantic.DeepDerivative(want, *have) {
		*have = want
	}
}

func named(ns, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: ns, Name: name}
}

func namespaceOf(instance *Instance) string { return "instance-" + instance.Name }

// inside makes the namespace of an Instance and what holds in it.
func (r *reconciler) inside(ctx context.Context, instance *Instance) error {
	ns, marks := namespaceOf(instance), labels{ofInstance: instance.Name}
	namespace := &corev1.Namespace{ObjectMeta: named("", ns)}
	standards := labels{ofInstance: instance.Name, "roadstead.dev/plan": "Free", "roadstead.dev/state": "Active"}
	for _, mode := range []string{"audit", "enforce", "warn"} {
		standards["pod-security.kubernetes.io/"+mode] = "restricted"
	}
	if err := r.keep(ctx, instance, namespace, standards, func() {
		metav1.SetMetaDataAnnotation(&namespace.ObjectMeta, "roadstead.dev/name", instance.Spec.Name)
	}); err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: named(ns, "roadstead-operator")}
	if err := r.keep(ctx, instance, binding, marks, func() {
		binding.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "roadstead-instance"}
		binding.Subjects = []rbacv1.Subject{{Kind: "ServiceAccount", Name: "roadstead", Namespace: "roadstead-system"}}
	}); err != nil {
		return err
	}
	quota := &corev1.ResourceQuota{ObjectMeta: named(ns, "roadstead-quota")}
	hard := corev1.ResourceList{}
	for what, much := range instance.Spec.Quota {
		size, err := resource.ParseQuantity(much)
		if err != nil {
			return err
		}
		hard[corev1.ResourceName(what)] = size
	}
	if err := r.keep(ctx, instance, quota, marks, func() {
		settle(&quota.Spec, corev1.ResourceQuotaSpec{Hard: hard})
	}); err != nil {
		return err
	}
	isolation := networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Ingress"}}
	if err := r.policy(ctx, instance, named(ns, "roadstead-isolation"), marks, isolation); err != nil {
		return err
	}
	isolation.PodSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: ofService, Operator: "DoesNotExist"}}
	isolation.Ingress = from(metav1.LabelSelector{})
	return r.policy(ctx, instance, named(ns, "roadstead-inside"), marks, isolation)
}

func from(pods metav1.LabelSelector) []networkingv1.NetworkPolicyIngressRule {
	return []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &pods}}}}
}

func (r *reconciler) policy(ctx context.Context, owner client.Object, name metav1.ObjectMeta, marks labels, spec networkingv1.NetworkPolicySpec) error {
	policy := &networkingv1.NetworkPolicy{ObjectMeta: name}
	return r.keep(ctx, owner, policy, marks, func() { settle(&policy.Spec, spec) })
}

// variables keeps what an Environment's containers are told, and what it was made of.
func (r *reconciler) variables(ctx context.Context, environment *Environment, application *Application) (*corev1.Secret, error) {
	configuration, err := json.Marshal(application.Spec)
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{
		"ROADSTEAD_APPLICATION": []byte(application.Name),
		"ROADSTEAD_ENVIRONMENT": []byte(environment.Name),
		"ROADSTEAD_RELEASE":     []byte("1"),
		"PORT":                  []byte(strconv.Itoa(int(port(application)))),
		"configuration":         configuration,
	}
	for _, variable := range environment.Spec.Variables {
		data[variable.Name] = []byte(variable.Value)
	}
	secret := &corev1.Secret{ObjectMeta: named(environment.Namespace, environment.Name+"-1")}
	return secret, r.keep(ctx, environment, secret, labels{ofEnvironment: environment.Name}, func() { secret.Data = data })
}

func port(application *Application) int32 {
	if application.Spec.Port != 0 {
		return application.Spec.Port
	}
	return 80
}

// container makes what runs of an Environment, and the address of what answers.
func (r *reconciler) container(ctx context.Context, environment *Environment, application *Application, container Container, secret *corev1.Secret) (*appsv1.Deployment, error) {
	name := named(environment.Namespace, environment.Name+"-"+container.Name)
	marks := labels{ofEnvironment: environment.Name, ofContainer: container.Name}
	deployment := &appsv1.Deployment{ObjectMeta: name}
	spec := deploymentSpec(application, container, secret, marks)
	if err := r.keep(ctx, environment, deployment, marks, func() { settle(&deployment.Spec, spec) }); err != nil {
		return nil, err
	}
	if container.Kind != "Web" {
		return deployment, nil
	}
	address := &corev1.Service{ObjectMeta: name}
	http := corev1.ServicePort{Name: "http", Port: 80, TargetPort: intstr.FromString("http"), Protocol: "TCP", AppProtocol: ptr.To("http")}
	return deployment, r.keep(ctx, environment, address, marks, func() {
		settle(&address.Spec, corev1.ServiceSpec{Type: "ClusterIP", Selector: marks, Ports: []corev1.ServicePort{http}})
	})
}

func deploymentSpec(application *Application, container Container, secret *corev1.Secret, marks labels) appsv1.DeploymentSpec {
	runs := corev1.Container{
		Name: container.Name, Image: application.Spec.Image, Command: container.Command,
		Resources: small("50m", "64Mi"), SecurityContext: restricted(),
	}
	for _, key := range []string{"ROADSTEAD_APPLICATION", "ROADSTEAD_ENVIRONMENT", "ROADSTEAD_RELEASE", "PORT", "STAGE"} {
		if _, told := secret.Data[key]; told {
			runs.Env = append(runs.Env, corev1.EnvVar{Name: key, ValueFrom: of(secret.Name, key)})
		}
	}
	least := int32(5)
	if container.Kind == "Web" {
		least = 0
		handler := corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}}
		runs.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: port(application), Protocol: "TCP"}}
		runs.StartupProbe = &corev1.Probe{ProbeHandler: handler, FailureThreshold: 150, PeriodSeconds: 2, TimeoutSeconds: 5, SuccessThreshold: 1}
		runs.ReadinessProbe = &corev1.Probe{ProbeHandler: handler, FailureThreshold: 3, PeriodSeconds: 5, TimeoutSeconds: 5, SuccessThreshold: 1}
		runs.LivenessProbe = &corev1.Probe{ProbeHandler: handler, FailureThreshold: 6, PeriodSeconds: 10, TimeoutSeconds: 5, SuccessThreshold: 1}
		runs.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}}
	}
	pod := podSpec(runs, 1000, 30)
	for _, key := range []string{"kubernetes.io/hostname", "topology.kubernetes.io/zone"} {
		pod.TopologySpreadConstraints = append(pod.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: "ScheduleAnyway",
			LabelSelector: &metav1.LabelSelector{MatchLabels: marks}, MatchLabelKeys: []string{"pod-template-hash"},
		})
	}
	all := maps.Clone(marks)
	all[ofApplication] = application.Name
	quarter, none := intstr.FromString("25%"), intstr.FromInt32(0)
	return appsv1.DeploymentSpec{
		Replicas: ptr.To[int32](1), MinReadySeconds: least,
		ProgressDeadlineSeconds: ptr.To[int32](600), RevisionHistoryLimit: ptr.To[int32](2),
		Selector: &metav1.LabelSelector{MatchLabels: marks},
		Strategy: appsv1.DeploymentStrategy{Type: "RollingUpdate", RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &quarter, MaxUnavailable: &none}},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: all}, Spec: pod},
	}
}

// What every pod is allowed, and no more.
func podSpec(runs corev1.Container, user, grace int64) corev1.PodSpec {
	return corev1.PodSpec{
		Containers: []corev1.Container{runs}, AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false),
		TerminationGracePeriodSeconds: &grace,
		SecurityContext: &corev1.PodSecurityContext{
			FSGroup: &user, RunAsGroup: &user, RunAsUser: &user, RunAsNonRoot: ptr.To(true),
			SeccompProfile: &corev1.SeccompProfile{Type: "RuntimeDefault"},
		},
	}
}

func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
}

func small(cpu, memory string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}}
}

func of(secret, key string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key}}
}

// engine makes what runs of a Service, its password, and how it is reached.
func (r *reconciler) engine(ctx context.Context, service *Service, class *ServiceClass) (*appsv1.StatefulSet, error) {
	ns, marks := service.Namespace, labels{ofService: service.Name}
	workers := labels{ofService: service.Name, role: "worker"}
	account := &corev1.Secret{ObjectMeta: named(ns, fmt.Sprintf("d1-%.8s-%s", service.UID, service.Name))}
	if err := r.keep(ctx, service, account, marks, func() {
		if account.Data == nil {
			account.Data = map[string][]byte{"database": []byte("app"), "username": []byte("app"), "password": []byte(rand.Text())}
		}
	}); err != nil {
		return nil, err
	}
	fence := networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: workers}, PolicyTypes: []networkingv1.PolicyType{"Ingress"},
		Ingress: from(metav1.LabelSelector{MatchLabels: marks}),
	}
	if err := r.policy(ctx, service, named(ns, service.Name), marks, fence); err != nil {
		return nil, err
	}
	var ports []corev1.ServicePort
	for _, port := range class.Spec.Ports {
		ports = append(ports, corev1.ServicePort{Name: port.Name, Port: port.Port, Protocol: "TCP", TargetPort: intstr.FromInt32(port.Port)})
	}
	addresses := map[string]corev1.ServiceSpec{
		service.Name:              {Selector: workers, Ports: ports},
		service.Name + "-workers": {Selector: workers, Ports: ports, ClusterIP: "None", PublishNotReadyAddresses: true},
	}
	for name, spec := range addresses {
		address := &corev1.Service{ObjectMeta: named(ns, name)}
		if err := r.keep(ctx, service, address, marks, func() { settle(&address.Spec, spec) }); err != nil {
			return nil, err
		}
	}
	credentials := &corev1.Secret{ObjectMeta: named(ns, service.Name+"-credentials")}
	if err := r.keep(ctx, service, credentials, marks, func() {
		credentials.Data = maps.Clone(account.Data)
		credentials.Data["host"] = fmt.Appendf(nil, "%s.%s.svc", service.Name, ns)
		credentials.Data["port"] = fmt.Append(nil, class.Spec.Ports[0].Port)
		credentials.Data["provider"] = []byte("roadstead")
		credentials.Data["type"] = []byte(class.Spec.Ports[0].Name)
	}); err != nil {
		return nil, err
	}
	set := &appsv1.StatefulSet{ObjectMeta: named(ns, service.Name)}
	spec := setSpec(service, class, account.Name, workers)
	return set, r.keep(ctx, service, set, workers, func() { settle(&set.Spec, spec) })
}

func setSpec(service *Service, class *ServiceClass, account string, workers labels) appsv1.StatefulSetSpec {
	volume := fmt.Sprintf("d1-%.8s", service.UID)
	probe := corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: class.Spec.Readiness.Command}}
	runs := corev1.Container{
		Name: "engine", Image: class.Spec.Image, Command: class.Spec.Command, Resources: small("50m", "1Gi"), SecurityContext: restricted(),
		Env:            []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: of(account, "password")}},
		StartupProbe:   &corev1.Probe{ProbeHandler: probe, FailureThreshold: 450, PeriodSeconds: 2, TimeoutSeconds: 5, SuccessThreshold: 1},
		ReadinessProbe: &corev1.Probe{ProbeHandler: probe, FailureThreshold: 3, PeriodSeconds: 5, TimeoutSeconds: 5, SuccessThreshold: 1},
		VolumeMounts:   []corev1.VolumeMount{{Name: volume, MountPath: class.Spec.Data.MountPath}},
	}
	for _, port := range class.Spec.Ports {
		runs.Ports = append(runs.Ports, corev1.ContainerPort{Name: port.Name, ContainerPort: port.Port, Protocol: "TCP"})
	}
	return appsv1.StatefulSetSpec{
		Replicas: ptr.To[int32](1), RevisionHistoryLimit: ptr.To[int32](2), PodManagementPolicy: "Parallel",
		ServiceName: service.Name + "-workers", Selector: &metav1.LabelSelector{MatchLabels: workers},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: workers}, Spec: podSpec(runs, class.Spec.User, 60)},
		VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
			ObjectMeta: metav1.ObjectMeta{Name: volume, Labels: labels{ofService: service.Name}},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{"ReadWriteOnce"},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse(class.Spec.Data.Size)}},
			},
		}},
	}
}
