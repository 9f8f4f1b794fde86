"""Builders of small MONAI bundles, each unlike the others in what it asks of a runner."""
