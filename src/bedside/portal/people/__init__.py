"""People: signing in, becoming somebody here, one's own page, and what administrators do."""
