"""Refuses files that must not enter the repository, by their name: credentials and patients' studies.

Names catch what scanners of content miss: a bare ``.secrets`` with a word in it has no pattern.
Given no names it looks at every file that git tracks.
"""

import re
import subprocess
import sys
from pathlib import PurePosixPath

REFUSED = {
    "credentials": re.compile(
        r"^(\.secrets?|secrets?\.(txt|ya?ml|json|toml)|\.env(\..*)?|credentials?(\.(?!py$)\w+)?|\.pypirc|\.netrc|\.pgpass"
        r"|id_(rsa|dsa|ecdsa|ed25519)|.*\.(pem|key|p12|pfx|jks|kdbx|ppk|tfstate(\.backup)?|tfvars))$",
        re.IGNORECASE,
    ),
    "a study": re.compile(r"^(.*\.(dcm|dicom|ima|nii|nii\.gz|mha|nrrd)|DICOMDIR)$", re.IGNORECASE),
}


def refused(names: list[str]) -> list[str]:
    """Return one line per name that must not be in the repository."""
    return [
        f"{name}: looks like {kind}; it does not belong in the repository"
        for name in names
        for kind, pattern in REFUSED.items()
        if pattern.match(PurePosixPath(name).name)
    ]


if __name__ == "__main__":
    tracked = sys.argv[1:] or subprocess.run(
        ["git", "ls-files", "-z"], check=True, capture_output=True, text=True
    ).stdout.split("\0")
    found = refused([name for name in tracked if name])
    sys.stderr.writelines(f"{line}\n" for line in found)
    sys.exit(1 if found else 0)
