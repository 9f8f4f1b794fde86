"""The tree of tenants for its administrators: looked at, made, ended."""
