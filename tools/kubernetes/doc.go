// Package kubernetes checks the manifests of configs/kubernetes against the types of
// Kubernetes, which the product itself does not need. It has tests only.
package kubernetes
