{{/* What a Viewer may do: read everything in the Instance but Secrets. */}}
{{- define "roadstead.rules.viewer" -}}
# What the team has declared, and what has become of it.
- apiGroups: [roadstead.dev]
  resources: [applications, environments, releases, managedservices, appcronjobs, databackups, datarestores]
  verbs: [get, list, watch]
# What runs for it, what it says, and what it uses.
- apiGroups: [""]
  resources: [pods, pods/log, services, persistentvolumeclaims, resourcequotas, limitranges, events]
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources: [deployments, statefulsets, replicasets]
  verbs: [get, list, watch]
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: [get, list, watch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, list, watch]
# What Backups hold.
- apiGroups: [snapshot.storage.k8s.io]
  resources: [volumesnapshots]
  verbs: [get, list, watch]
# `kubectl top pod`.
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [get, list]
{{- end }}

{{/*
What a Developer may do besides: change what runs. No Secrets, and no shell in a container: a shell shows every variable. That is no
wall against a Developer who means harm, for what runs can print the Secrets that it is given; it keeps them out of daily work.
Not even creating a Secret: one of type service-account-token, given to a container as a variable, would lend an Admin's rights.
*/}}
{{- define "roadstead.rules.developer" -}}
# What the team declares.
- apiGroups: [roadstead.dev]
  resources: [applications, environments, releases, managedservices, appcronjobs, databackups, datarestores]
  verbs: [create, update, patch, delete]
{{- end }}

{{/* What an Admin may do besides: Secrets, a shell, and who else may. */}}
{{- define "roadstead.rules.admin" -}}
# Sensitive variables, registry passwords, and credentials of services.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, patch, delete]
# Lifting the legal hold of a Backup: a verb of our own, which a policy asks for.
- apiGroups: [roadstead.dev]
  resources: [databackups]
  verbs: [release]
# A shell in a container, or a connection to it. Newer clusters ask for create, older ones for get.
- apiGroups: [""]
  resources: [pods/exec, pods/portforward]
  verbs: [get, create]
# Who else may: never more than an Admin may, which Kubernetes sees to.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [get, list, watch, create, update, patch, delete]
{{- end }}
