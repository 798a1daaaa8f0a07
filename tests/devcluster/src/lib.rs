//! A real Kubernetes with real nodes, built from Go modules.
