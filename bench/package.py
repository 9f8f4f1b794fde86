"""A changed 20 MB model, built and pushed: ``bedside package`` beside buildah and docker.

Run ``python bench/package.py [--rounds 5] [--model-mb 20] [--peers buildah docker] [--json]``. Needs
docker-registry, and for the peers buildah and dockerd (as root). The peers get everything below the model,
layer for layer what bedside puts there, as a base that they have already pulled; the same bundle is copied
onto it, and all push to one registry on this machine through a proxy that counts what is sent. The rows
"cold" are the first build of a machine that has nothing: the peers must pull the base, bedside makes it of
Debian packages and wheels.
"""

import argparse
import json
import os
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from bedside.oci.cache import LayerCache
from bedside.oci.layout import OciLayout
from bedside.oci.manifest import Making, assemble
from bedside.oci.open import open_place, read_container_image
from bedside.oci.reference import Reference
from bedside.oci.registry import Registries, push
from counting_proxy import CountingProxy
from peers.builders import PEERS, run
from registries import run_registry

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "spleen"

#: Debian, torch, the other wheels, bedside-runtime: what lies below the model.
BELOW = 4

PACKAGE = [sys.executable, "-m", "bedside", "package"]


@dataclass(slots=True)
class Contender:
    """Who builds and pushes, and what that took.

    Attributes:
        name: For the table.
        run: Builds the bundle and pushes it under a tag.
        seconds: Of each round.
        sent: Bytes to the registry of each round.
    """

    name: str
    run: Callable[[Path, str], None]
    seconds: list[float] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model-mb", type=int, default=20)
    parser.add_argument("--peers", nargs="*", default=["buildah", "docker"])
    parser.add_argument("--cache", type=Path, default=ROOT / ".bench" / "package-cache")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-package-")))
        proxy = stack.enter_context(
            CountingProxy(stack.enter_context(run_registry(made(folder / "registry"))))
        )
        host = f"127.0.0.1:{proxy.port}"
        bundle = copy_bundle(folder, given.model_mb)
        cold: list[Contender] = []
        ours = Contender("bedside package --no-prove", lambda b, t: package(b, host, t, given.cache))
        proved = Contender("bedside package", lambda b, t: package(b, host, t, given.cache, prove=True))
        first = Contender(
            "bedside package --no-prove, cold", lambda b, t: package(b, host, t, folder / "empty-cache")
        )
        measure(first, bundle, "cold", proxy)
        cold.append(first)
        base = push_base(folder, bundle, host, given.cache)
        warm = [ours, proved]
        for name in given.peers:
            build = stack.enter_context(PEERS[name](folder / name, base, host))
            pulled = Contender(f"{name} build, push, cold", build)
            measure(pulled, bundle, "cold", proxy)
            cold.append(pulled)
            warm.append(Contender(f"{name} build, push", build))
        for contender in warm:  # a round that does not count: what is mapped or imported once
            change(bundle, given.model_mb)
            contender.run(bundle, "warm-up")
        for number in range(given.rounds):
            for contender in warm:
                change(bundle, given.model_mb)
                measure(contender, bundle, f"r{number}", proxy)
    rows = [figures(contender, warm[0], given.model_mb) for contender in (*warm, *cold)]
    print(json.dumps(rows, indent=2) if given.json else table(rows))
    return 0


def measure(contender: Contender, bundle: Path, tag: str, proxy: CountingProxy) -> None:
    """Time one build and push, and count what was sent; what the one before still writes is over by then."""
    os.sync()
    time.sleep(1)
    before, begun = proxy.sent, time.perf_counter()
    contender.run(bundle, tag)
    contender.seconds.append(time.perf_counter() - begun)
    contender.sent.append(proxy.sent - before)


def figures(contender: Contender, ours: Contender, model_mb: int) -> dict[str, object]:
    """Return a row."""
    median = statistics.median(contender.seconds)
    return {
        "contender": contender.name,
        "seconds": round(median, 2),
        "least": round(min(contender.seconds), 2),
        "most": round(max(contender.seconds), 2),
        "to_bedside": round(median / statistics.median(ours.seconds), 2),
        "sent_mb": round(statistics.median(contender.sent) / 1e6, 2),
        "sent_to_model": round(statistics.median(contender.sent) / (model_mb * 1e6), 3),
    }


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| build and push | seconds, median (least–most) | × bedside | MB sent | × changed model |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['contender']} | {r['seconds']} ({r['least']}–{r['most']}) | {r['to_bedside']} "
        f"| {r['sent_mb']} | {r['sent_to_model']} |"
        for r in rows
    ]
    return "\n".join(lines)


def copy_bundle(folder: Path, model_mb: int) -> Path:
    """Copy the example bundle and pad its model to the size wanted."""
    bundle = folder / "bundle"
    shutil.copytree(EXAMPLE, bundle)
    (bundle / "models" / "more.pt").touch()
    change(bundle, model_mb)
    return bundle


def change(bundle: Path, model_mb: int) -> None:
    """Give the model other bytes, which no compression makes smaller; its small real weights stay."""
    real = (bundle / "models" / "model.pt").stat().st_size
    (bundle / "models" / "more.pt").write_bytes(secrets.token_bytes(model_mb * 1_000_000 - real))


def package(bundle: Path, host: str, tag: str, cache: Path, *, prove: bool = False) -> None:
    """Run ``bedside package`` as a new process, to the registry."""
    proof = "--prove" if prove else "--no-prove"
    run([*PACKAGE, str(bundle), "--push", f"{host}/ours:{tag}", proof, "--cache", str(cache)])


def push_base(folder: Path, bundle: Path, host: str, cache: Path) -> str:
    """Push everything below the model as an image of its own, layer for layer; return its reference."""
    place = folder / "base"
    run([*PACKAGE, str(bundle), "-o", str(place), "--no-prove", "--cache", str(cache)])
    found = read_container_image(*open_place(place, OciLayout(folder / "scratch")))
    below = assemble(found.layers[:BELOW], Making(config=found.config["config"]), cache=LayerCache(cache))
    reference = f"{host}/base:1"
    with Registries.of(os.environ) as registries:
        push(below, Reference.parse(reference), registries)
    return reference


def made(folder: Path) -> Path:
    """Make a folder."""
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
