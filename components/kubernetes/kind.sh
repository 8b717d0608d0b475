#!/bin/sh
# Makes a local cluster and applies the manifests of the course to it.
#
# NOT RUN by the course or its tests: it needs Docker, and kind or minikube, kubectl and helm.
# Every line is what the documentation of these tools gives; read it before you run it.
#
#   components/kubernetes/kind.sh kind        or        components/kubernetes/kind.sh minikube
set -eu

how=${1:-kind}
here=$(cd "$(dirname "$0")" && pwd)
services=$here/../../services
registry=registry.example.com
apps="task-orchestrator-service notification-service audit-service ml-inference-service"

for tool in docker kubectl helm "$how"; do
    command -v "$tool" >/dev/null || { echo "$tool is missing" >&2; exit 1; }
done

case $how in
    kind) kind create cluster --name tasks ;;
    minikube) minikube start --profile tasks ;;
    *) echo "say kind or minikube" >&2; exit 2 ;;
esac

# Dapr, the version of the course; add --set global.ha.enabled=true for three of each.
helm repo add dapr https://dapr.github.io/helm-charts/
helm upgrade --install dapr dapr/dapr --version 1.18.1 \
    --namespace dapr-system --create-namespace --wait

# One image for each service: Python, its packages, its folder.
for app in $apps; do
    docker build --tag "$registry/$app:1.0" --file - "$services/$app" <<'DOCKERFILE'
FROM python:3.12-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
USER 1000
CMD ["python3", "main.py"]
DOCKERFILE
    case $how in
        kind) kind load docker-image --name tasks "$registry/$app:1.0" ;;
        minikube) minikube --profile tasks image load "$registry/$app:1.0" ;;
    esac
done

kubectl apply -f "$here/course"
kubectl --namespace tasks rollout status deployment --timeout 300s
kubectl --namespace tasks get pods

echo "remove it again: kind delete cluster --name tasks, or minikube delete --profile tasks"
