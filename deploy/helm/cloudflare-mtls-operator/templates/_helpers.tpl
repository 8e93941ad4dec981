{{- define "cfmtls.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "cfmtls.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "cfmtls.name" . -}}
{{- /* 52: the longest suffix is "-config" or "-metrics", and a name has 63 characters. */ -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cfmtls.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cfmtls.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cfmtls.labels" -}}
{{ include "cfmtls.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "cfmtls.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "cfmtls.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "cfmtls.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* Name of the Secret with the operator's own token; nothing where it has none. */ -}}
{{- define "cfmtls.tokenSecretName" -}}
{{- $token := .Values.cloudflare.token -}}
{{- if and $token.existingSecret.name $token.value -}}
{{- fail "cloudflare.token: existingSecret.name and value are both given; keep the one that holds the token" -}}
{{- end -}}
{{- if and $token.existingSecret.key (not $token.existingSecret.name) -}}
{{- fail "cloudflare.token.existingSecret: key is given without name; add the name of the Secret" -}}
{{- end -}}
{{- if $token.existingSecret.name -}}
{{ $token.existingSecret.name }}
{{- else if $token.value -}}
{{ include "cfmtls.fullname" . }}-token
{{- end -}}
{{- end -}}

{{- define "cfmtls.tokenSecretKey" -}}
{{- .Values.cloudflare.token.existingSecret.key | default "token" -}}
{{- end -}}
