"""What is in a MAP, as SPDX 2.3 JSON: Debian packages, wheels, bedside, models, each with its hash.

Owns the document. It states what a package's own metadata states and concludes nothing about licences:
what is no SPDX expression is kept as a comment. Equal inputs give equal bytes, so that the document can
lie inside the MAP. See the SPDX specification 2.3, clauses 6 (document), 7 (package), 11 (relationships).
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from bedside import __version__
from bedside.model.bundle import Bundle
from bedside.oci.descriptor import sha256_digest
from bedside.package.base.values import Base
from bedside.package.licences import licence_of, spdx_expression
from bedside.package.wheels.lock import Wheel

#: Where it lies in a MAP.
PATH = "opt/bedside/sbom.spdx.json"
MEDIA_TYPE = "application/spdx+json"
_UNKNOWN = "NOASSERTION"
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in a MAP on one platform.

    Attributes:
        name: ``repository:tag``.
        bundles: Its models.
        base: What it stands on.
        wheels: All Python distributions within, for `base`'s architecture.
        created_at: The MAP's time.
    """

    name: str
    bundles: Sequence[Bundle]
    base: Base
    wheels: Sequence[Wheel]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    name: str
    version: str
    purl: str
    sha256: str = ""
    licence: str = ""
    file_name: str = ""
    supplier: str = _UNKNOWN
    purpose: str = "LIBRARY"
    comment: str = ""


def sbom_bytes(contents: Contents) -> bytes:
    """Return the SPDX document of a MAP."""
    packages = sorted(_packages(contents), key=lambda one: (one.purl, one.sha256))
    root = {
        **_package(
            _Package(name=contents.name.partition(":")[0], version=contents.bundles[0].version, purl=""),
            "SPDXRef-MAP",
        ),
        "primaryPackagePurpose": "CONTAINER",
    }
    listed = [
        _package(one, f"SPDXRef-Package-{number}-{_id(one.name)}") for number, one in enumerate(packages)
    ]
    relationships = [_related("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-MAP")]
    relationships += [_related("SPDXRef-MAP", "CONTAINS", one["SPDXID"]) for one in listed]
    identity = sha256_digest(json.dumps([root, listed], sort_keys=True).encode()).removeprefix("sha256:")
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": contents.name,
        "documentNamespace": f"https://spdx.org/spdxdocs/bedside-{identity}",
        "creationInfo": {
            "created": f"{contents.created_at:%Y-%m-%dT%H:%M:%SZ}",
            "creators": [f"Tool: bedside-{__version__}"],
        },
        "packages": [root, *listed],
        "relationships": relationships,
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _packages(contents: Contents) -> Iterator[_Package]:
    base = contents.base
    yield _Package(
        name="base",
        version=base.digest,
        purl=f"pkg:generic/base@{quote(base.digest, safe='')}",
        purpose="OPERATING-SYSTEM",
        comment=base.name,
    )
    for deb in base.packages:
        version = quote(deb.version, safe="~.-")
        yield _Package(
            name=deb.name,
            version=deb.version,
            purl=f"pkg:deb/debian/{quote(deb.name, safe='.-')}@{version}?arch={deb.architecture}",
            sha256=deb.sha256,
            file_name=deb.path,
            supplier="Organization: Debian",
        )
    for wheel in contents.wheels:
        file = wheel.for_architecture(base.platform.architecture)
        yield _Package(
            name=wheel.name,
            version=wheel.version,
            purl=f"pkg:pypi/{wheel.name}@{quote(wheel.version, safe='.-')}",
            sha256=file.sha256,
            licence=wheel.licence,
            file_name=file.filename,
        )
    yield _Package(
        name="bedside-runtime",
        version=__version__,
        purl=f"pkg:pypi/bedside@{quote(__version__, safe='.-')}",
        licence="Apache-2.0",
        purpose="APPLICATION",
    )
    for bundle in contents.bundles:
        name, version = (quote(text, safe=".-") for text in (bundle.name, bundle.version))
        yield _Package(
            name=bundle.name,
            version=bundle.version,
            purl=f"pkg:generic/{name}@{version}",
            licence=licence_of(bundle).expression,
            purpose="OTHER",
            comment=f"MONAI bundle with digest {bundle.digest}, over its sorted file names and their hashes",
        )


def _package(one: _Package, identity: str) -> dict[str, Any]:
    expression = spdx_expression(one.licence)
    found: dict[str, Any] = {
        "SPDXID": identity,
        "name": one.name,
        "versionInfo": one.version,
        "supplier": one.supplier,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": expression or _UNKNOWN,
        "copyrightText": _UNKNOWN,
        "primaryPackagePurpose": one.purpose,
    }
    if one.file_name:
        found["packageFileName"] = one.file_name
    if one.licence and not expression:
        found["licenseComments"] = f"metadata says: {one.licence}"
    if one.comment:
        found["comment"] = one.comment
    if one.sha256:
        found["checksums"] = [{"algorithm": "SHA256", "checksumValue": one.sha256}]
    if one.purl:
        found["externalRefs"] = [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": one.purl,
            }
        ]
    return found


def _related(one: str, how: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other}


def _id(name: str) -> str:
    return _NOT_IN_IDS.sub("-", name)
