"""What studies really took, from the ``compute`` of their results: per release and per day.

Owns the sums; refuses to count what is not in a result: a machine is
also paid for while it starts and while it waits, and only AWS's bill has that.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bedside.domain.result import RESULT_FILE
from bedside.errors import Unavailable
from bedside.ports.store import BlobStore

#: Results read at a time: each is small, and a bucket is far.
_READERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one study took.

    Attributes:
        day: Of the result, UTC, as ``YYYY-MM-DD``.
        release: Name and version, or the digest of a release without a name.
        machine: Kind of the last stage's machine; empty where nobody said.
        seconds: Of all stages, as the worker measured them.
        gpu_s: Of these, while a GPU was held.
        usd: What these seconds cost; None where the machine's price was not known.
    """

    day: str
    release: str
    machine: str
    seconds: float
    gpu_s: float
    usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Studies of one release or one day.

    Attributes:
        name: Of the release, or the day.
        studies: How many.
        priced: How many of them know their price.
        seconds: Of those.
        gpu_s: Of all.
        usd: Of those that know it.
    """

    name: str
    studies: int
    priced: int
    seconds: float
    gpu_s: float
    usd: float

    @property
    def cents_per_study(self) -> float | None:
        """US cents per study, of those that know their price; None where none does."""
        return 100 * self.usd / self.priced if self.priced else None

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "studies": self.studies,
            "priced": self.priced,
            "seconds": round(self.seconds, 3),
            "gpu_s": round(self.gpu_s, 3),
            "usd": round(self.usd, 6),
            "cents_per_study": None if self.cents_per_study is None else round(self.cents_per_study, 4),
        }


def taken(result: Mapping[str, Any]) -> Taken:
    """Read a ``result.json``.

    Raises:
        KeyError: It is none of bedside's.
        ValueError: It says a time that is none.
        TypeError: A value is of another kind.
    """
    release = result["release"]
    name = f"{release['name']} {release['version']}".strip() or str(release["digest"])[:19]
    compute = result.get("compute")
    gpu_s = float(result.get("gpu_s", 0.0))
    day = datetime.fromisoformat(result["created_at"]).date().isoformat()
    if compute is None:
        return Taken(day=day, release=name, machine="", seconds=0.0, gpu_s=gpu_s, usd=None)
    return Taken(
        day=day,
        release=name,
        machine=str(compute["machine"]),
        seconds=float(compute["seconds"]),
        gpu_s=gpu_s,
        usd=float(compute["usd"]) if float(compute["price_usd_per_hour"]) > 0 else None,
    )


def read_results(blobs: BlobStore, since: datetime) -> Iterator[Taken]:
    """Yield what each delivered result of a tenant says, of those written since a moment, but of phantoms.

    The store and not the ledger is asked: from a person's machine the database cannot be reached.

    Raises:
        Unavailable: The store cannot be read, or holds a result that is none of bedside's.
    """
    keys = [
        blob.key
        for blob in blobs.list("results/")
        if blob.key.endswith(f"/{RESULT_FILE}") and blob.modified_at >= since
    ]
    with ThreadPoolExecutor(_READERS) as readers:
        for content in readers.map(blobs.get, keys):
            try:
                result = json.loads(content)
                if not result.get("phantom"):
                    yield taken(result)
            except (ValueError, KeyError, TypeError, AttributeError) as exc:
                raise Unavailable(
                    f"{RESULT_FILE}: what lies in results/ is none of bedside's", hint="bedside job list"
                ) from exc


def per_release(studies: Iterable[Taken]) -> list[Sum]:
    """Return a sum for each release, the most used one first."""
    return sorted(
        _sums((one.release, one) for one in studies), key=lambda found: (-found.studies, found.name)
    )


def per_day(studies: Iterable[Taken]) -> list[Sum]:
    """Return a sum for each day that has studies, in order."""
    return sorted(_sums((one.day, one) for one in studies), key=lambda found: found.name)


def total(studies: Iterable[Taken]) -> Sum:
    """Return the sum of all."""
    found = _sums(("all", one) for one in studies)
    return found[0] if found else Sum(name="all", studies=0, priced=0, seconds=0, gpu_s=0, usd=0)


def _sums(named: Iterable[tuple[str, Taken]]) -> list[Sum]:
    groups: dict[str, list[Taken]] = {}
    for name, one in named:
        groups.setdefault(name, []).append(one)
    return [
        Sum(
            name=name,
            studies=len(group),
            priced=sum(one.usd is not None for one in group),
            seconds=sum(one.seconds for one in group if one.usd is not None),
            gpu_s=sum(one.gpu_s for one in group),
            usd=sum(one.usd for one in group if one.usd is not None),
        )
        for name, group in groups.items()
    ]
