"""A working copy of the Terraform modules: where one deployment is planned and applied.

Owns the folder ``.bedside/deploy/NAME``. The modules are copied anew each time, because the package
may have been upgraded; what Terraform keeps beside them (providers, lock file, a local state) stays.
The variables may hold a password, so only their owner reads them.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The modules that travel in the package.
MODULES = Path(__file__).parent / "terraform"
FOLDER = Path(".bedside") / "deploy"
VARIABLES = "terraform.tfvars.json"
#: Overrides whatever the root module may say; a platform engineer who uses it alone writes another.
BACKEND = "backend_override.tf.json"
LOCAL_STATE = "terraform.tfstate"
RECORD = "record.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteState:
    """Where Terraform keeps its state in S3; locked by S3's own conditional writes."""

    bucket: str
    key: str
    region: str


def workspace_folder(base: Path, name: str) -> Path:
    """Return the folder of a deployment below the folder of its configuration."""
    return base / FOLDER / name


def prepare(
    folder: Path,
    *,
    variables: Mapping[str, object],
    state: RemoteState | None,
    modules: Path | None = None,
) -> None:
    """Write the working copy.

    Args:
        folder: Made where it is missing.
        variables: Of the root module.
        state: Where the state is; None keeps it in the folder.
        modules: The root module; None is the package's.
    """
    source = modules or MODULES
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in folder.glob("*.tf"):
        old.unlink()
    shutil.rmtree(folder / "modules", ignore_errors=True)
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    folder.chmod(0o700)  # the copy has given it the package's mode
    backend: dict[str, object] = {"local": {"path": LOCAL_STATE}}
    if state is not None:
        backend = {
            "s3": {
                "bucket": state.bucket,
                "key": state.key,
                "region": state.region,
                "encrypt": True,
                "use_lockfile": True,
            }
        }
    write_private(folder / BACKEND, {"terraform": {"backend": backend}})
    write_private(folder / VARIABLES, variables)


def write_private(path: Path, value: object) -> None:
    """Write JSON that only its owner may read, whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
    new.replace(path)
