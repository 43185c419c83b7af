{{/* The four scopes of mainstream_operator.rights, right for right: a test compares. */}}

{{/* What belongs to no namespace. A right that the operator grants to runners is one that it has itself. */}}
{{- define "mainstream.clusterRules" -}}
- {apiGroups: [mainstream.dev], resources: [edgenodes], verbs: [list, watch]}
- {apiGroups: [mainstream.dev], resources: [edgenodes/status], verbs: [patch]}
- {apiGroups: [""], resources: [nodes, namespaces], verbs: [list, watch]}
- {apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [get]}
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles, clusterrolebindings]
  verbs: [list, watch, create, patch]
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create]}
{{- end -}}

{{/* Where apps are. */}}
{{- define "mainstream.appRules" -}}
- {apiGroups: [mainstream.dev], resources: [mainstreamapps], verbs: [list, watch]}
- {apiGroups: [mainstream.dev], resources: [mainstreamapps/status], verbs: [patch]}
- {apiGroups: [""], resources: [pods], verbs: [list, watch]}
- {apiGroups: [batch], resources: [jobs], verbs: [list, watch, create, delete]}
{{- if .Values.registry.caConfigMap }}
- {apiGroups: [""], resources: [configmaps], verbs: [list, watch, create, patch, delete]}
{{- end }}
{{- end -}}

{{/* Where Secrets are that apps name. */}}
{{- define "mainstream.secretRules" -}}
- {apiGroups: [""], resources: [secrets], verbs: [get]}
{{- end -}}

{{/* Where the operator, its runners and its Jobs are. */}}
{{- define "mainstream.ownRules" -}}
- {apiGroups: [""], resources: [configmaps, secrets], verbs: [get, list, watch, create, patch, delete]}
- {apiGroups: [""], resources: [serviceaccounts, persistentvolumeclaims], verbs: [list, watch, create, patch]}
- {apiGroups: [""], resources: [pods], verbs: [list, watch, patch]}
- {apiGroups: [apps], resources: [deployments], verbs: [list, watch, create, patch, delete]}
- {apiGroups: [batch], resources: [jobs], verbs: [list, watch, create, delete]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, patch, update, delete]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], verbs: [list, watch, create, patch]}
{{- end -}}
