"""Synthetic abdominal CT with known truth, for the demo, training, and proofs of geometry.

Owns the anatomy and the study made of it; refuses to look like a patient: names and identifiers say
that the study is synthetic. Anatomy is continuous in millimetres, so that one seed is one person on
every grid and a mask is true at any spacing.
"""

from bedside.phantom.example import example_bundle
from bedside.phantom.make import Phantom, axial_affine, make_phantom
from bedside.phantom.structure import LABELS
from bedside.phantom.study import write_study

__all__ = ["LABELS", "Phantom", "axial_affine", "example_bundle", "make_phantom", "write_study"]
