"""A changed 20 MB model, built and pushed: ``bedside package`` beside buildah and docker.

Run ``python bench/package.py [--rounds 11] [--proofs 3] [--model-mb 20] [--peers buildah commit docker]
[--python PATH] [--json]``. Needs docker-registry, and for the peers buildah and dockerd (as root). The peers
get everything below the model, layer for layer what bedside puts there, as a base that they have already
pulled; the same bundle is copied onto it, and all push to one registry on this machine. Contenders take
turns, so that what else the machine does meets them alike. What is sent is counted by a proxy, in a round of
its own that is not timed. The rows "cold" are the first build of a machine that has nothing, through that
proxy: the peers must pull the base, bedside makes it of Debian packages and wheels.

``--python`` is one where bedside is installed, best by itself (``pip install .``): other packages that
are there too are imported by httpx and take time.
"""

import argparse
import json
import os
import resource
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
from peers.builders import LABELS, PEERS, run
from registries import run_registry

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "spleen"

#: Debian, torch, the other wheels, bedside-runtime: what lies below the model.
BELOW = 4


@dataclass(slots=True)
class Contender:
    """Who builds and pushes, and what that took.

    Attributes:
        name: For the table.
        run: Builds the bundle and pushes it to a host under a tag.
        seconds: Of each round.
        cpu_s: Of each round, without what a daemon or the registry computed.
        sent: Bytes to the registry, of one round.
    """

    name: str
    run: Callable[[Path, str, str], None]
    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Ours:
    """``bedside package`` as a new process.

    Attributes:
        python: Has bedside.
        cache: bedside's cache folder.
        prove: Whether the bundle is proved too.
    """

    python: str
    cache: Path
    prove: bool = False

    def push(self, bundle: Path, host: str, tag: str) -> None:
        """Build and push."""
        self._package(bundle, "--push", f"{host}/ours:{tag}", "--prove" if self.prove else "--no-prove")

    def write(self, bundle: Path, place: Path) -> None:
        """Build into a folder."""
        self._package(bundle, "-o", str(place), "--no-prove")

    def _package(self, bundle: Path, *words: str) -> None:
        run([self.python, "-m", "bedside", "package", str(bundle), *words, "--cache", str(self.cache)])


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--proofs", type=int, default=3, help="rounds with the proof, which takes seconds")
    parser.add_argument("--model-mb", type=int, default=20)
    parser.add_argument("--peers", nargs="*", default=["buildah", "commit", "docker"], choices=list(PEERS))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--cache", type=Path, default=ROOT / ".bench" / "package-cache")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation has its bytecode
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-package-")))
        host = stack.enter_context(run_registry(made(folder / "registry")))
        proxy = stack.enter_context(CountingProxy(host))
        counted = f"127.0.0.1:{proxy.port}"
        bundle = copy_bundle(folder, given.model_mb)
        first = Ours(given.python, folder / "empty-cache")
        cold = [Contender("bedside package --no-prove, cold", first.push)]
        measure(cold[0], bundle, counted, "cold")
        cold[0].sent = proxy.sent
        ours = Ours(given.python, given.cache)
        warm = [Contender("bedside package --no-prove", ours.push)]
        base = push_base(folder, bundle, counted, ours)  # where it is pulled from when all is cold
        for name in given.peers:
            build = stack.enter_context(PEERS[name](folder / name, base))
            cold.append(Contender(f"{LABELS[name]}, cold", build))
            before = proxy.sent
            measure(cold[-1], bundle, counted, "cold")
            cold[-1].sent = proxy.sent - before
            warm.append(Contender(LABELS[name], build))
        for contender in warm:  # rounds that are not timed: what is mapped or imported once, and what is sent
            change(bundle, given.model_mb)
            contender.run(bundle, host, "warm-up")
            change(bundle, given.model_mb)
            before = proxy.sent
            contender.run(bundle, counted, "counted")
            contender.sent = proxy.sent - before
        for number in range(given.rounds):
            for contender in warm:
                change(bundle, given.model_mb)
                measure(contender, bundle, host, f"r{number}")
        proved = Contender(
            "bedside package, proof included", Ours(sys.executable, given.cache, prove=True).push
        )
        for number in range(given.proofs):
            change(bundle, given.model_mb)
            measure(proved, bundle, host, f"p{number}")
    measured = [one for one in (*warm, proved, *cold) if one.seconds]
    rows = [figures(contender, warm[0], given.model_mb) for contender in measured]
    print(json.dumps(rows, indent=2) if given.json else table(rows))
    return 0


def measure(contender: Contender, bundle: Path, host: str, tag: str) -> None:
    """Time one build and push; what the one before still writes is over by then."""
    os.sync()
    time.sleep(0.5)
    before, begun = spent(), time.perf_counter()
    contender.run(bundle, host, tag)
    contender.seconds.append(time.perf_counter() - begun)
    contender.cpu_s.append(spent() - before)


def spent() -> float:
    """Return the CPU seconds of all processes that were started here and are over."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def figures(contender: Contender, ours: Contender, model_mb: int) -> dict[str, object]:
    """Return a row; times compare bedside's with the contender's."""
    median = statistics.median(contender.seconds)
    return {
        "contender": contender.name,
        "seconds": round(median, 2),
        "least": round(min(contender.seconds), 2),
        "most": round(max(contender.seconds), 2),
        "cpu_s": round(statistics.median(contender.cpu_s), 2),
        "bedside_to_it": round(statistics.median(ours.seconds) / median, 2),
        "bedside_to_it_least": round(min(ours.seconds) / min(contender.seconds), 2),
        "sent_mb": round(contender.sent / 1e6, 2) or None,
        "sent_to_model": round(contender.sent / (model_mb * 1e6), 3) or None,
    }


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| build and push | seconds, median (least–most) | CPU s | bedside's share: median, least | MB sent "
        "| × changed model |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['contender']} | {r['seconds']} ({r['least']}–{r['most']}) | {r['cpu_s']} "
        f"| {r['bedside_to_it']}, {r['bedside_to_it_least']} "
        f"| {r['sent_mb'] or ''} | {r['sent_to_model'] or ''} |"
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


def push_base(folder: Path, bundle: Path, host: str, ours: Ours) -> str:
    """Push everything below the model as an image of its own, layer for layer; return its reference."""
    place = folder / "base"
    ours.write(bundle, place)
    found = read_container_image(*open_place(place, OciLayout(folder / "scratch")))
    below = assemble(
        found.layers[:BELOW], Making(config=found.config["config"]), cache=LayerCache(ours.cache)
    )
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
