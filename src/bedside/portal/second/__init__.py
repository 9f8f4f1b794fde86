"""Second factors: asked for at sign-in, set up and removed by their owners, reset by administrators."""
