"""The environment that foreign code gets: what it needs to compute, and no credentials.

An allow-list, because nobody can list the names that secrets will have tomorrow. A bundle's
configuration is code, and so is a command stage.
"""

import re
from collections.abc import Mapping
from pathlib import Path

ALLOWED = frozenset({"PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT"})

#: How threads and accelerators are chosen, and the language of messages.
ALLOWED_PREFIXES = ("CUDA_", "GOMP_", "KMP_", "LC_", "MKL_", "NVIDIA_", "OMP_", "OPENBLAS_", "PYTORCH_")

_SECRET = re.compile("AUTH|CREDENTIAL|KEY|PASS|SECRET|TOKEN")


def scrubbed(environment: Mapping[str, str], *, home: Path) -> dict[str, str]:
    """Return what of an environment a child may see.

    Args:
        environment: The worker's.
        home: A private folder, the child's home and its place for temporary files.
    """
    allowed = {
        name: value
        for name, value in environment.items()
        if (name in ALLOWED or name.startswith(ALLOWED_PREFIXES)) and not _SECRET.search(name)
    }
    return allowed | {"HOME": str(home), "TMPDIR": str(home)}
