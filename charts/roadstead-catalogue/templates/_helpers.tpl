{{/* Labels on every class; the type is there to select by. */}}
{{- define "catalogue.labels" -}}
app.kubernetes.io/part-of: roadstead
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Sizes of the tiers of an engine. */}}
{{- define "catalogue.tiers" -}}
development:
  memoryGb: {{ .development.memoryGb }}
  cpu: {{ .development.cpu | quote }}
production:
  scaling: Vertical
  memoryGb: {{ .production.memoryGb }}
  cpu: {{ .production.cpu | quote }}
{{- end }}
