{{/* Name of everything in the chart. Fixed: the roles are cluster-scoped, and a cluster has one operator. */}}
{{- define "roadstead.fullname" -}}
roadstead
{{- end }}

{{/* Name of the operator's ServiceAccount. */}}
{{- define "roadstead.serviceAccountName" -}}
roadstead
{{- end }}

{{/* The operator as the API server authenticates it: what policies compare request.userInfo.username with. */}}
{{- define "roadstead.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "roadstead.serviceAccountName" . }}
{{- end }}

{{/* Labels that select the operator's pods. Never changed: a Deployment's selector is immutable. */}}
{{- define "roadstead.selector" -}}
app.kubernetes.io/name: roadstead
app.kubernetes.io/component: operator
{{- end }}

{{/* Labels on every object of the chart. */}}
{{- define "roadstead.labels" -}}
app.kubernetes.io/name: roadstead
app.kubernetes.io/part-of: roadstead
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{/* The operator's image. */}}
{{- define "roadstead.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* What restricted Pod Security asks of a container, and a root that nobody can write. */}}
{{- define "roadstead.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* What restricted Pod Security asks of a pod. */}}
{{- define "roadstead.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}
