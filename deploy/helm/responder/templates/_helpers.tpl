{{- define "responder.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}{{ end }}{{ end }}
{{- end }}

{{- define "responder.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "responder.labels" -}}
{{ include "responder.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "responder.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "responder.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "responder.image" -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "responder.secret" -}}
{{ .Values.secret.existing | default (include "responder.fullname" .) }}
{{- end }}

{{- /* The port of the console, empty without one. */}}
{{- define "responder.consolePort" -}}
{{- with .Values.settings.console_listen }}{{ splitList ":" . | last }}{{ end }}
{{- end }}
