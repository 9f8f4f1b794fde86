"""Where the signatures of a manifest are found: by their kind among its referrers, or by cosign's tag.

Apart from `bedside.package.sign`, so that a release without a key to check is verified without a library
of cryptography.
"""

#: Kind of the artifact, for whoever lists what refers to a release.
ARTIFACT_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"


def signature_tag(digest: str) -> str:
    """Return the tag under which cosign looks for the signatures of a manifest."""
    return f"{digest.replace(':', '-', 1)}.sig"
