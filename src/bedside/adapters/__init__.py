"""The world behind the ports; each adapter knows nothing of the others."""
