#!/usr/bin/env bash
# Builds a Kubernetes control plane without a kubelet from its Go modules: build.sh OUT. About 15 minutes on two cores, once.
set -euo pipefail
mkdir -p "$1"; OUT=$(cd "$1" && pwd); export GOBIN=$OUT
K8S=1.36.3
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT

built() { [ -x "$OUT/$1" ]; }

# k8s.io/kubernetes replaces its staging modules by relative paths: a module around it maps each to its published twin.
mkdir "$W/k8s"; cd "$W/k8s"
mod=$(go mod download -json "k8s.io/kubernetes@v$K8S" | python3 -c 'import json, sys; print(json.load(sys.stdin)["GoMod"])')
{
  printf 'module local/k8s\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$K8S"
  awk -v v="v0.${K8S#1.}" '/=> \.\/staging/ {print "\t" $1 " => " $1 " " v}' "$mod"
  echo ')'
} > go.mod
printf '//go:build tools\n\npackage tools\n\nimport (\n' > tools.go
for each in kube-apiserver kube-controller-manager kube-scheduler; do printf '\t_ "k8s.io/kubernetes/cmd/%s"\n' $each >> tools.go; done
echo ')' >> tools.go
go mod tidy
V="-s -w -X k8s.io/component-base/version.gitVersion=v$K8S -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
for each in kube-apiserver kube-controller-manager kube-scheduler; do
  built $each || go build -ldflags "$V" -o "$OUT/$each" k8s.io/kubernetes/cmd/$each
done

# Not Debian's 3.4: without its progress requests on watches pods stay Pending.
mkdir "$W/etcd"; cd "$W/etcd"
printf 'module local/etcd\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/server/v3 v3.7.3\n' > go.mod
printf '//go:build tools\n\npackage tools\n\nimport _ "go.etcd.io/etcd/server/v3"\n' > tools.go
go mod tidy
built etcd || go build -ldflags '-s -w' -o "$OUT/etcd" go.etcd.io/etcd/server/v3
built kwok || go install sigs.k8s.io/kwok/cmd/kwok@v0.8.0
