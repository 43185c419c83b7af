{{/* The name that all objects begin with. */}}
{{- define "mainstream.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of a component's pods: (list $ "operator"). */}}
{{- define "mainstream.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Of all objects: (list $ "operator"). */}}
{{- define "mainstream.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{ include "mainstream.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: mainstream
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image of ours by its key in images: (list $ "runner"). */}}
{{- define "mainstream.image" -}}
{{- $images := (index . 0).Values.images -}}
{{- $image := index $images (index . 1) -}}
{{- $name := $image.repository -}}
{{- if $images.registry -}}{{- $name = printf "%s/%s" (trimSuffix "/" $images.registry) $name -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (coalesce $image.tag $images.tag (index . 0).Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "mainstream.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (printf "%s-operator" (include "mainstream.fullname" .)) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: name the ServiceAccount that is there, or set serviceAccount.create" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* HOST:PORT of the registry in the cluster. */}}
{{- define "mainstream.registryHost" -}}
{{- printf "%s-registry.%s.svc:5000" (include "mainstream.fullname" .) .Release.Namespace -}}
{{- end -}}

{{/* Where trainers push. */}}
{{- define "mainstream.registryPrefix" -}}
{{- if .Values.registry.prefix -}}
{{- .Values.registry.prefix | trimSuffix "/" -}}
{{- else if .Values.registry.inCluster.enabled -}}
{{- printf "%s/mainstream" (include "mainstream.registryHost" .) -}}
{{- else -}}
{{- fail "registry.prefix: say where packages are pushed (HOST:PORT/PATH), or set registry.inCluster.enabled" -}}
{{- end -}}
{{- end -}}

{{/* Which registries are asked without TLS, as a JSON list. */}}
{{- define "mainstream.plainHttp" -}}
{{- $hosts := .Values.registry.plainHttp -}}
{{- if .Values.registry.inCluster.enabled -}}{{- $hosts = append $hosts (include "mainstream.registryHost" .) -}}{{- end -}}
{{- $hosts | uniq | sortAlpha | toJson -}}
{{- end -}}

{{- define "mainstream.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Of every pod of ours. */}}
{{- define "mainstream.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "mainstream.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where pods may run: the values of a component. */}}
{{- define "mainstream.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The registry in the cluster. */}}
{{- define "mainstream.registryImage" -}}
{{- $image := .Values.registry.inCluster.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository $image.tag -}}
{{- end -}}
{{- end -}}
