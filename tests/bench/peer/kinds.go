package main

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Copied is what a kind is declared with, as far as it is read here.
type Copied[S any] interface{ copied() S }

// Kind is an object that people declare.
type Kind[S Copied[S]] struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   S      `json:"spec"`
	Status Status `json:"status,omitzero"`
}

// List is many of them.
type List[S Copied[S]] struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Kind[S] `json:"items"`
}

// Status is what is said of each of them.
type Status struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	State              string             `json:"state,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Environments       int32              `json:"environments,omitempty"`
	Namespace          string             `json:"namespace,omitempty"`
	URL                string             `json:"url,omitempty"`
	Credentials        *Reference         `json:"credentialsSecretRef,omitempty"`
}

// Reference names another object.
type Reference struct {
	Name string `json:"name"`
}

// The kinds.
type (
	Instance     = Kind[InstanceSpec]
	Application  = Kind[ApplicationSpec]
	Environment  = Kind[EnvironmentSpec]
	Service      = Kind[ServiceSpec]
	ServiceClass = Kind[ServiceClassSpec]
	Cronjob      = Kind[CronjobSpec]
)

// InstanceSpec is where a team's objects live.
type InstanceSpec struct {
	Name  string            `json:"name"`
	Quota map[string]string `json:"quota,omitempty"`
}

// ApplicationSpec is what runs.
type ApplicationSpec struct {
	Image      string      `json:"image,omitempty"`
	Port       int32       `json:"port,omitempty"`
	Containers []Container `json:"containers,omitempty"`
}

// Container is a part of it.
type Container struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	Command []string `json:"command,omitempty"`
}

// EnvironmentSpec is where it runs.
type EnvironmentSpec struct {
	ApplicationRef Reference  `json:"applicationRef"`
	Variables      []Variable `json:"variables,omitempty"`
}

// Variable is told to every container.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// ServiceSpec is a database or the like.
type ServiceSpec struct {
	ClassRef Reference `json:"classRef"`
}

// ServiceClassSpec is how such a one is run.
type ServiceClassSpec struct {
	Image     string   `json:"image"`
	User      int64    `json:"user"`
	Ports     []Port   `json:"ports"`
	Command   []string `json:"command,omitempty"`
	Data      Data     `json:"data"`
	Readiness struct {
		Command []string `json:"command,omitempty"`
	} `json:"readiness"`
}

// Port is where it answers.
type Port struct {
	Name string `json:"name"`
	Port int32  `json:"port"`
}

// Data is what it keeps.
type Data struct {
	MountPath string `json:"mountPath"`
	Size      string `json:"size"`
}

// CronjobSpec is what runs now and then.
type CronjobSpec struct {
	EnvironmentRef Reference `json:"environmentRef"`
}

func (s InstanceSpec) copied() InstanceSpec {
	s.Quota = maps.Clone(s.Quota)
	return s
}

func (s ApplicationSpec) copied() ApplicationSpec {
	s.Containers = slices.Clone(s.Containers)
	for i := range s.Containers {
		s.Containers[i].Command = slices.Clone(s.Containers[i].Command)
	}
	return s
}

func (s EnvironmentSpec) copied() EnvironmentSpec {
	s.Variables = slices.Clone(s.Variables)
	return s
}

func (s ServiceSpec) copied() ServiceSpec { return s }

func (s ServiceClassSpec) copied() ServiceClassSpec {
	s.Ports = slices.Clone(s.Ports)
	s.Command = slices.Clone(s.Command)
	s.Readiness.Command = slices.Clone(s.Readiness.Command)
	return s
}

func (s CronjobSpec) copied() CronjobSpec { return s }

func (s Status) copied() Status {
	s.Conditions = slices.Clone(s.Conditions)
	if s.Credentials != nil {
		credentials := *s.Credentials
		s.Credentials = &credentials
	}
	return s
}

func (k *Kind[S]) copied() *Kind[S] {
	return &Kind[S]{k.TypeMeta, *k.ObjectMeta.DeepCopy(), k.Spec.copied(), k.Status.copied()}
}

// DeepCopyObject is asked for by the library.
func (k *Kind[S]) DeepCopyObject() runtime.Object { return k.copied() }

// DeepCopyObject is asked for by the library.
func (l *List[S]) DeepCopyObject() runtime.Object {
	list := &List[S]{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		list.Items = append(list.Items, *l.Items[i].copied())
	}
	return list
}

func (k *Kind[S]) status() *Status { return &k.Status }

func register(scheme *runtime.Scheme) {
	group := schema.GroupVersion{Group: "roadstead.dev", Version: "v1alpha1"}
	add[InstanceSpec](scheme, group.WithKind("Instance"))
	add[ApplicationSpec](scheme, group.WithKind("Application"))
	add[EnvironmentSpec](scheme, group.WithKind("Environment"))
	add[ServiceSpec](scheme, group.WithKind("Service"))
	add[ServiceClassSpec](scheme, group.WithKind("ServiceClass"))
	add[CronjobSpec](scheme, group.WithKind("Cronjob"))
	metav1.AddToGroupVersion(scheme, group)
}

func add[S Copied[S]](scheme *runtime.Scheme, kind schema.GroupVersionKind) {
	scheme.AddKnownTypeWithName(kind, &Kind[S]{})
	scheme.AddKnownTypeWithName(kind.GroupVersion().WithKind(kind.Kind+"List"), &List[S]{})
}
