"""Where things lie in a MAP, in both generations.

Owns the names and nothing else. Absolute, as environment and manifests say them; an entry of a layer
drops the first slash. See the MAP specification 1.0 and 0.1, "Table of Important Paths".
"""

APP_MANIFEST = "/etc/holoscan/app.json"
PKG_MANIFEST = "/etc/holoscan/pkg.json"
APPLICATION = "/opt/holoscan/app"
MODELS = "/opt/holoscan/models"
DOCS = "/opt/holoscan/docs"
WORKDIR = "/var/holoscan"
INPUT = "/var/holoscan/input"
OUTPUT = "/var/holoscan/output"
LOGS = "/var/holoscan/logs"
APP_CONFIG = "/var/holoscan/app.yaml"
TOOLS = "/var/holoscan/tools"

MONAI_APP_MANIFEST = "/etc/monai/app.json"
MONAI_PKG_MANIFEST = "/etc/monai/pkg.json"
MONAI_APPLICATION = "/opt/monai/app"
MONAI_MODELS = "/opt/monai/models"
MONAI_EXECUTOR = "/opt/monai/executor/monai-exec"
MONAI_WORKDIR = "/var/monai"
MONAI_INPUT = "/var/monai/input"
MONAI_OUTPUT = "/var/monai/output"

#: What bedside adds: its runtime, and the packages it needs.
RUNTIME = "/opt/bedside/runtime"
#: Last in PATH: programs that hosts call in any image and that a small base has not.
PROGRAMS = "/opt/bedside/bin"
SITE_PACKAGES = "/opt/bedside/lib/python3.11/site-packages"


def entry_path(path: str) -> str:
    """Return the path of an entry of a layer."""
    return path.strip("/")
