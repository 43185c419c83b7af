"""The Kubernetes resources as types: MainstreamApp, EdgeNode; read from manifests."""
