"""OCI: layers, manifests, layouts, registries, and the files that make a container image a MAP."""
