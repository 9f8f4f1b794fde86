"""Containers: MAPs run by podman, docker or, without any engine, by runc or unshare."""
