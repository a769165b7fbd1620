{{/* Every helper that takes a service takes {root, name, service}; see all-erp.services. */}}

{{/* The enabled services, completed by the defaults, as JSON: {NAME: service}. */}}
{{- define "all-erp.services" -}}
{{- $services := dict -}}
{{- range $name, $given := .Values.services -}}
{{- $service := mergeOverwrite (deepCopy $.Values.defaults) (deepCopy ($given | default dict)) -}}
{{- if $service.enabled -}}
{{- range $variable, $_ := $service.secretEnv -}}
{{- if or (hasKey ($service.env | default dict) $variable) (hasKey ($service.links | default dict) $variable) -}}
{{- fail (printf "services.%s: %s stands in secretEnv and also in env or links; keep one" $name $variable) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $services $name $service -}}
{{- end -}}
{{- end -}}
{{- toJson $services -}}
{{- end -}}

{{/* <release>-<name>; what is too long for a label ends in a hash, so that no two names meet. */}}
{{- define "all-erp.name" -}}
{{- $name := printf "%s-%s" .root.Release.Name .name -}}
{{- if gt (len $name) 63 -}}
{{- $name = printf "%s-%s" ($name | trunc 54 | trimSuffix "-") ($name | sha256sum | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "all-erp.labels" -}}
{{ include "all-erp.selector" . }}
app.kubernetes.io/part-of: all-erp
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{/* A Deployment's selector can never change, and every pod label that does restarts pods:
so there is neither a version nor a revision in here. */}}
{{- define "all-erp.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component | default "server" }}
{{- end -}}

{{- define "all-erp.image" -}}
{{- $image := .service.image | default dict -}}
{{- if not $image.repository -}}
{{- fail (printf "services.%s.image.repository is missing; ciforge gives it, with the digest, in its values file" .name) -}}
{{- else if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else if not (or .root.Values.allowTags $image.allowTag) -}}
{{- fail (printf "services.%s.image.digest is missing: only what was tested is deployed; give the digest (sha256:…), or set allowTags: true" .name) -}}
{{- else if not $image.tag -}}
{{- fail (printf "services.%s.image has neither digest nor tag; give one" .name) -}}
{{- else -}}
{{ $image.repository }}:{{ $image.tag }}
{{- end -}}
{{- end -}}

{{/* The variables of the service that are no secret, as JSON. `env` wins over `links`. */}}
{{- define "all-erp.env" -}}
{{- $env := dict "PORT" (.service.port | int | toString) -}}
{{- $root := .root -}}
{{- $name := .name -}}
{{- range $variable, $target := .service.links -}}
{{- if not (hasKey $root.Values.services $target) -}}
{{- fail (printf "services.%s.links.%s: there is no service %s" $name $variable $target) -}}
{{- end -}}
{{- $linked := mergeOverwrite (deepCopy $root.Values.defaults) (deepCopy (get $root.Values.services $target | default dict)) -}}
{{- $_ := set $env $variable (printf "http://%s:%d" (include "all-erp.name" (dict "root" $root "name" $target)) (int $linked.port)) -}}
{{- end -}}
{{- toJson (mergeOverwrite $env (.service.env | default dict)) -}}
{{- end -}}

{{- define "all-erp.secretEnv" -}}
{{- range $variable, $reference := .service.secretEnv }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $reference.name }}
      key: {{ $reference.key }}
{{- end }}
{{- end -}}

{{- define "all-erp.probe" -}}
httpGet: { path: {{ .path | quote }}, port: http }
periodSeconds: {{ .periodSeconds | int }}
timeoutSeconds: {{ .timeoutSeconds | int }}
failureThreshold: {{ .failureThreshold | int }}
{{- end -}}

{{/* The Pod Security Standard "restricted", and a little more. */}}
{{- define "all-erp.podSecurity" -}}
automountServiceAccountToken: false
# Kubernetes' own variables for each Service (VLLM_PORT=tcp://…) mislead programs.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .service.user | int }}
  runAsGroup: {{ .service.user | int }}
  fsGroup: {{ .service.user | int }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end -}}

{{- define "all-erp.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{- define "all-erp.volumeMounts" -}}
{{- range $number, $volume := .service.volumes }}
- { name: volume-{{ $number }}, mountPath: {{ $volume.path | quote }} }
{{- end }}
{{- end -}}

{{- define "all-erp.volumes" -}}
{{- range $number, $volume := .service.volumes }}
- name: volume-{{ $number }}
  {{- if $volume.claim }}
  persistentVolumeClaim: { claimName: {{ $volume.claim }} }
  {{- else }}
  emptyDir: {{ toJson (pick $volume "sizeLimit" "medium") }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "all-erp.resources" -}}
{{- $resources := deepCopy (.service.resources | default dict) -}}
{{- with .service.gpu -}}
{{- if .count -}}
{{- $gpu := dict .resource (.count | int | toString) -}}
{{- $_ := set $resources "limits" (merge $gpu ($resources.limits | default dict)) -}}
{{- end -}}
{{- end -}}
{{- toJson $resources -}}
{{- end -}}
