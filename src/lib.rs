//! Roadstead gives a team its own platform on Kubernetes.
