"""From a bundle to a MAP: base, wheels, runtime, model and manifests composed, proved and published."""
