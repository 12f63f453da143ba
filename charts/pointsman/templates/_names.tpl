{{/* The names and labels that every object shares. */}}
{{- define "pointsman.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "pointsman.labels" -}}
app.kubernetes.io/name: pointsman
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: pointsman
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "pointsman.selector" -}}
app.kubernetes.io/name: pointsman
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "pointsman.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}
{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* What every pod of ours is run as. */}}
{{- define "pointsman.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "pointsman.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The record of evidence is where the operator can reach it. */}}
{{- define "pointsman.evidence" -}}
{{- $evidence := .Values.fleet.evidence | default dict -}}
{{- $mounts := .Values.operator.evidence | default dict -}}
{{- $file := $evidence.file | default "" -}}
{{- $credentials := ($evidence.objectStore | default dict).credentialsFile | default "" -}}
{{- if and $file (not (and $mounts.claim (hasPrefix "/var/lib/pointsman/evidence/" $file))) -}}
{{- fail "fleet.evidence.file is on no volume; name it below /var/lib/pointsman/evidence/, and its claim in operator.evidence.claim" -}}
{{- end -}}
{{- if and $mounts.claim (not $file) -}}
{{- fail "operator.evidence.claim is used by nothing; state fleet.evidence.file below /var/lib/pointsman/evidence/" -}}
{{- end -}}
{{- if and $credentials (not (and $mounts.credentialsSecret (hasPrefix "/etc/pointsman-evidence/" $credentials))) -}}
{{- fail "fleet.evidence.objectStore.credentialsFile is not mounted; name it below /etc/pointsman-evidence/, and its Secret in operator.evidence.credentialsSecret" -}}
{{- end -}}
{{- if and $evidence .Values.watchNamespaces -}}
{{- fail "fleet.evidence has nothing to record: an installation that watches some namespaces has no policies; remove one of the two" -}}
{{- end -}}
{{- end -}}
