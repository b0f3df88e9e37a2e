{{- define "moderato.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "moderato.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "moderato.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The roles that have something to do: without sessions there is nothing to control. */}}
{{- define "moderato.roles" -}}
{{- $facts := include "moderato.facts" . | fromYaml -}}
{{- range $facts.roles }}
{{- if or (ne . "controller") (hasKey $.Values.settings "sessions") (hasKey $.Values.settings "api") }}
- {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "moderato.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "moderato.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: moderato
{{- end -}}

{{/* Selectors: of one role with (dict "root" $ "role" "receiver"). */}}
{{- define "moderato.selector" -}}
app.kubernetes.io/name: {{ include "moderato.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "moderato.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "moderato.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "moderato.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "moderato.facts" -}}
{{- .Files.Get "files/facts.yaml" -}}
{{- end -}}

{{/* Everything a person has to give, each with the value that is missing. */}}
{{- define "moderato.check" -}}
{{- if not .Values.kafka.bootstrap -}}
{{- fail "kafka.bootstrap: give the address of the brokers, host:port" -}}
{{- end -}}
{{- with .Values.kafka.sasl -}}
{{- if and .enabled (or (not .username) (not .existingSecret)) -}}
{{- fail "kafka.sasl: username and existingSecret go with enabled" -}}
{{- end -}}
{{- end -}}
{{- with .Values.kafka.tls -}}
{{- if and (or .certificateKey .keyKey) (not (and .certificateKey .keyKey .existingSecret)) -}}
{{- fail "kafka.tls: certificateKey, keyKey and existingSecret go together" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host: give the name that vendors call" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.parentRefs: name the Gateway that the route is attached to" -}}
{{- end -}}
{{- with .Values.topics.strimzi -}}
{{- if and .enabled (not .cluster) -}}
{{- fail "topics.strimzi.cluster: give the name of the Kafka resource" -}}
{{- end -}}
{{- if and .user (not $.Values.kafka.sasl.username) -}}
{{- fail "topics.strimzi.user: it is named by kafka.sasl.username" -}}
{{- end -}}
{{- end -}}
{{- range $section := list "kafka" "http" "admin" "spool" -}}
{{- if hasKey $.Values.settings $section -}}
{{- fail (printf "settings.%s: the chart sets this section by values of its own" $section) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How to reach Kafka, as environment variables: the same for every pod and for the Job that makes topics. */}}
{{- define "moderato.kafka.env" -}}
- name: MODERATO_KAFKA__BOOTSTRAP
  value: {{ .Values.kafka.bootstrap | quote }}
- name: MODERATO_KAFKA__REQUEST_TIMEOUT
  value: {{ .Values.kafka.requestTimeout | quote }}
{{- with .Values.kafka.tls }}
{{- if .enabled }}
{{- if .existingSecret }}
- name: MODERATO_KAFKA__TLS__CA_FILE
  value: /run/secrets/kafka/{{ .caKey }}
{{- if .certificateKey }}
- name: MODERATO_KAFKA__TLS__CERTIFICATE_FILE
  value: /run/secrets/kafka/{{ .certificateKey }}
- name: MODERATO_KAFKA__TLS__KEY_FILE
  value: /run/secrets/kafka/{{ .keyKey }}
{{- end }}
{{- else }}
- name: MODERATO_KAFKA__TLS
  value: "{}"
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.kafka.sasl }}
{{- if .enabled }}
- name: MODERATO_KAFKA__SASL__MECHANISM
  value: {{ .mechanism }}
- name: MODERATO_KAFKA__SASL__USERNAME
  value: {{ .username | quote }}
- name: MODERATO_KAFKA__SASL__PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret }}, key: {{ .passwordKey }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "moderato.kafka.mounts" -}}
{{- if and .Values.kafka.tls.enabled .Values.kafka.tls.existingSecret }}
- {name: kafka-tls, mountPath: /run/secrets/kafka, readOnly: true}
{{- end }}
{{- end -}}

{{- define "moderato.kafka.volumes" -}}
{{- if and .Values.kafka.tls.enabled .Values.kafka.tls.existingSecret }}
- name: kafka-tls
  secret: {secretName: {{ .Values.kafka.tls.existingSecret }}}
{{- end }}
{{- end -}}

{{- define "moderato.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "moderato.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* moderato.yaml of all pods. */}}
{{- define "moderato.settings" -}}
{{- $own := dict "http" (dict "host" "0.0.0.0" "port" 8080) "admin" (dict "host" "0.0.0.0" "port" 9090) -}}
{{- if .Values.policy -}}
{{- $_ := set $own "policy" (dict "file" "/etc/moderato/policy.yaml") -}}
{{- end -}}
{{- mergeOverwrite (deepCopy .Values.settings) $own | toYaml -}}
{{- end -}}
