{{- define "sideman.labels" -}}
app.kubernetes.io/name: sideman
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "sideman.selector" -}}
app.kubernetes.io/name: sideman
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sideman.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "sideman.origins" -}}
{{- $own := list -}}
{{- if .Values.ingress.enabled -}}{{- $own = list (printf "https://%s" .Values.ingress.host) -}}{{- end -}}
{{- concat $own .Values.gateway.origins | default (list "local") | join "," -}}
{{- end }}

{{- define "sideman.hardened" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}
