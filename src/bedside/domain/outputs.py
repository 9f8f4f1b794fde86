"""What a model can be asked to write, by name."""

#: Outputs a stage can be asked for.
OUTPUTS = ("seg", "sr", "surface", "preview", "nifti")
DEFAULT_OUTPUTS = ("seg", "sr", "surface", "preview")
