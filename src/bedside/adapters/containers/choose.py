"""Which engine runs containers here: the one that was named, or the first that works.

Owns the order and the reasons: an engine that is installed but does not answer is passed over, and why
is part of the message where none is left.
"""

import shutil
from collections.abc import Callable, Mapping

from bedside.adapters.containers.box import Engine
from bedside.adapters.containers.cage import Cage
from bedside.adapters.containers.docker import Docker
from bedside.adapters.containers.podman import Podman
from bedside.adapters.containers.runc import Runc
from bedside.errors import Unavailable, UsageError

#: Names of engines, in the order in which they are tried; ``none`` is this machine's kernel alone.
NAMES = ("podman", "docker", "runc", "none")

#: Of Debian, where they are called otherwise.
_PACKAGES = {"docker": "docker.io"}

#: Debian keeps runc out of a user's PATH.
_MORE_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def choose_engine(name: str, environment: Mapping[str, str]) -> Engine:
    """Return an engine that was found to work.

    Args:
        name: ``auto``, or one of `NAMES`.
        environment: The worker's.

    Raises:
        UsageError: There is no engine of this name.
        Unavailable: It does not work here, with the reason; for ``auto``, none does.
    """
    if name != "auto":
        if name not in NAMES:
            raise UsageError(f"engine {name!r}: expected auto, {', '.join(NAMES)}", hint="bedside doctor")
        engine = _made(name, environment)
        engine.check()
        return engine
    reasons = []
    for one in NAMES:
        try:
            return choose_engine(one, environment)
        except Unavailable as exc:
            reasons.append(exc.message)
    raise Unavailable(f"nothing here can run a container: {'; '.join(reasons)}", hint="apt install podman")


def _made(name: str, environment: Mapping[str, str]) -> Engine:
    if name == "none":
        return Cage(environment)
    path = f"{environment.get('PATH', '')}:{_MORE_PATH}"
    program = shutil.which(name, path=path)
    if program is None:
        raise Unavailable(f"{name}: not installed", hint=f"apt install {_PACKAGES.get(name, name)}")
    if name == "runc":
        return Runc(program, environment)
    made: Callable[..., Engine] = Podman if name == "podman" else Docker
    return made([program], environment)
