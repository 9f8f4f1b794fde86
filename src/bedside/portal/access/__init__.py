"""Who asks, and whether they may: asked by every route before it does anything else."""
