"""Where in a bucket a tenant's key lies, without importing boto3.

Area first, tenant second: ``input/x.zip`` of tenant ``ward-3`` is the object ``input/ward-3/x.zip``. S3
filters events and lifecycles by one literal prefix, so that one rule for ``input/`` serves every tenant
there will be (decision 100).
"""

import re
from dataclasses import dataclass

from bedside.domain.keys import MAX_KEY_BYTES, TEMPORARY, check_key, check_prefix
from bedside.errors import ConfigError, UsageError

SCHEME = "s3://"
#: The area of keys of one part. No key begins with it, so that it takes nothing from anyone.
TOP = f"{TEMPORARY}top"
#: Every area that a tenant has something in.
AREAS = ("arrivals", "inferred", "input", "rejected", "results", "shadows", "work", TOP)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket, or what lies below a prefix of one.

    Attributes:
        name: Of the bucket.
        prefix: Begins every object's key; empty or ends in a slash.
    """

    name: str
    prefix: str = ""

    @classmethod
    def of(cls, url: str) -> "Bucket":
        """Return what ``s3://BUCKET`` or ``s3://BUCKET/PREFIX`` names.

        Raises:
            ConfigError: It names no bucket.
        """
        name, _, prefix = url.removeprefix(SCHEME).partition("/")
        if not url.startswith(SCHEME) or not _BUCKET.fullmatch(name):
            raise ConfigError(
                f"store.url: {url!r} is not s3://BUCKET or s3://BUCKET/PREFIX", hint="bedside config show"
            )
        try:
            check_prefix(prefix)
        except UsageError as exc:
            raise ConfigError(f"store.url: {exc.message}", hint="bedside config show") from exc
        return cls(name=name, prefix=f"{prefix.removesuffix('/')}/" if prefix else "")

    def __str__(self) -> str:
        return f"{SCHEME}{self.name}/{self.prefix}".removesuffix("/")

    def area(self, area: str, tenant: str) -> str:
        """Return what begins the objects of a tenant in an area."""
        return f"{self.prefix}{area}/{tenant}/"

    def object(self, tenant: str, key: str) -> str:
        """Return the object of a tenant's key.

        Raises:
            UsageError: It is no key, or with tenant and prefix before it too long for S3.
        """
        area, slash, rest = check_key(key).partition("/")
        name = self.area(area, tenant) + rest if slash else self.area(TOP, tenant) + key
        if len(name.encode()) > MAX_KEY_BYTES:
            raise UsageError(f"blob key of {len(key)} characters: with its tenant over {MAX_KEY_BYTES} bytes")
        return name

    def url(self, tenant: str, key: str) -> str:
        """Return where a person finds what lies under a key, as ``aws s3`` takes it."""
        return f"{SCHEME}{self.name}/{self.object(tenant, key)}"
