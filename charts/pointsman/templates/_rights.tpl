{{/* What the operator may do in the namespaces it watches; nothing here reads a Secret. */}}
{{- define "pointsman.operatorRules" -}}
- apiGroups: [pointsman.dev]
  resources: [modeldeployments, modelroutes]
  verbs: [get, list, watch]
- apiGroups: [pointsman.dev]
  resources: [modeldeployments/status, modelroutes/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [deployments, controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [leaderworkerset.x-k8s.io]
  resources: [leaderworkersets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# An owner reference that blocks the deletion of its owner needs the right to the owner's finalizers.
- apiGroups: [pointsman.dev]
  resources: [modeldeployments/finalizers, modelroutes/finalizers]
  verbs: [update]
{{- end -}}

{{/* What the autoscaler may do in the namespaces it watches: the number of replicas, and what it says of it. */}}
{{- define "pointsman.autoscalerRules" -}}
- apiGroups: [pointsman.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch]
- apiGroups: [pointsman.dev]
  resources: [modeldeployments/scale, modeldeployments/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What a gateway reads: what is routed and where it answers. Pods, whose specs hold environment values, only where replicas are found by them. */}}
{{- define "pointsman.gatewayRules" -}}
- apiGroups: [pointsman.dev]
  resources: [modeldeployments, modelroutes]
  verbs: [list, watch]
{{- if eq .Values.gateway.endpoints "Pods" }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- else }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end }}
{{- end -}}
