{{- /*
The operator's configuration file. A key is there only if its value is given: what is absent is the operator's to decide.
`kindIs "invalid"` tells null from an empty list or zero, which are values.
*/ -}}
{{- define "cfmtls.config" -}}
{{- $values := .Values -}}
{{- $cloudflare := dict -}}
{{- range $key, $value := dict
      "baseUrl" $values.cloudflare.baseUrl
      "consistencyWindowSeconds" $values.cloudflare.consistencyWindow
      "settleSeconds" $values.cloudflare.settleTime
      "certificateLimit" $values.cloudflare.certificateLimit -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $cloudflare $key $value -}}{{- end -}}
{{- end -}}
{{- with include "cfmtls.tokenSecretName" . -}}
{{- $_ := set $cloudflare "tokenSecretRef" (dict "name" . "key" (include "cfmtls.tokenSecretKey" $)) -}}
{{- end -}}
{{- /* The operator refuses it, too, but a refusal here is seen by whoever runs helm. 90: its own value. */ -}}
{{- $window := $cloudflare.consistencyWindowSeconds | default 90 -}}
{{- if and $cloudflare.settleSeconds (lt (float64 $cloudflare.settleSeconds) (float64 $window)) -}}
{{- fail (printf "cloudflare.settleTime: %v is below cloudflare.consistencyWindow, which is %v; raise it or leave it out" $cloudflare.settleSeconds $window) -}}
{{- end -}}
{{- $logging := dict -}}
{{- range $key, $value := $values.logging -}}
{{- if $value -}}{{- $_ := set $logging $key $value -}}{{- end -}}
{{- end -}}
{{- $verification := dict -}}
{{- range $key, $value := dict
      "allowPrivateAddresses" $values.verification.allowPrivateAddresses
      "timeoutSeconds" $values.verification.timeout
      "caBundle" $values.verification.caBundle
      "connectTo" $values.verification.connectTo -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $verification $key $value -}}{{- end -}}
{{- end -}}
{{- $revocation := dict -}}
{{- range $key, $value := $values.revocation -}}
{{- if $value -}}{{- $_ := set $revocation $key $value -}}{{- end -}}
{{- end -}}
{{- $config := dict -}}
{{- range $key, $value := dict
      "ownerId" $values.ownerId
      "cloudflare" $cloudflare
      "takeover" $values.takeover
      "hostMatch" $values.hostMatch
      "verification" $verification
      "revocation" $revocation
      "logging" $logging -}}
{{- if $value -}}{{- $_ := set $config $key $value -}}{{- end -}}
{{- end -}}
{{- if not (kindIs "invalid" $values.operatorCredentials.allowed) -}}
{{- $_ := set $config "operatorCredentials" (dict "allowed" $values.operatorCredentials.allowed) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}
