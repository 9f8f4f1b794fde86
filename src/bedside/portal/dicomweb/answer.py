"""What searches tell of a study, a series and an instance. See PS3.18 Tables 10.6.3-3 to 10.6.3-5."""

from collections.abc import Collection, Mapping
from typing import Any

from bedside.domain.catalogue import Attributes, Instance, Series, Study

#: Always there, empty where nothing is known; with their VRs.
_STUDY = {
    "00080020": "DA", "00080030": "TM", "00080050": "SH", "00080090": "PN", "00100010": "PN",
    "00100020": "LO", "00100030": "DA", "00100040": "CS", "0020000D": "UI", "00200010": "SH",
}  # fmt: skip
_SERIES = {"00080060": "CS", "0020000E": "UI", "00200011": "IS"}
_INSTANCE = {"00080016": "UI", "00080018": "UI", "00200013": "IS"}
#: There where they are known.
_MORE_OF_STUDY = ("00080005", "00080201", "00081030")
_MORE_OF_SERIES = ("00080005", "00080201", "0008103E", "00400244", "00400245", "00400275")
_MORE_OF_INSTANCE = ("00080005", "00080201", "00280008", "00280010", "00280011", "00280100")


def of_study(study: Study, include: Collection[str], base: str) -> dict[str, Any]:
    """Return what is told of a study."""
    told = _chosen(study.attributes, _STUDY, _MORE_OF_STUDY, include)
    told |= {
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00080061": _values("CS", study.modalities),
        "00081190": {"vr": "UR", "Value": [f"{base}/studies/{study.study_uid}"]},
        "0020000D": {"vr": "UI", "Value": [study.study_uid]},
        "00201206": {"vr": "IS", "Value": [study.series]},
        "00201208": {"vr": "IS", "Value": [study.instances]},
    }
    return dict(sorted(told.items()))


def of_series(series: Series, study: Study, include: Collection[str], base: str) -> dict[str, Any]:
    """Return what is told of a series; attributes of its study where they are asked for."""
    told = _asked(study.attributes, include) | _chosen(series.attributes, _SERIES, _MORE_OF_SERIES, include)
    address = f"{base}/studies/{series.study_uid}/series/{series.series_uid}"
    told |= {
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00081190": {"vr": "UR", "Value": [address]},
        "0020000D": {"vr": "UI", "Value": [series.study_uid]},
        "0020000E": {"vr": "UI", "Value": [series.series_uid]},
        "00201209": {"vr": "IS", "Value": [series.instances]},
    }
    return dict(sorted(told.items()))


def of_instance(instance: Instance, include: Collection[str], base: str) -> dict[str, Any]:
    """Return what is told of an instance."""
    told = _chosen(instance.attributes, _INSTANCE, _MORE_OF_INSTANCE, include)
    told |= {
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00081190": {"vr": "UR", "Value": [address_of(instance, base)]},
        "00083002": {"vr": "UI", "Value": [instance.transfer_syntax_uid]},
        "0020000D": {"vr": "UI", "Value": [instance.study_uid]},
        "0020000E": {"vr": "UI", "Value": [instance.series_uid]},
    }
    return dict(sorted(told.items()))


def address_of(instance: Instance, base: str) -> str:
    """Return where an instance is retrieved."""
    return (
        f"{base}/studies/{instance.study_uid}/series/{instance.series_uid}"
        f"/instances/{instance.sop_instance_uid}"
    )


def _chosen(
    attributes: Attributes, required: Mapping[str, str], known: Collection[str], include: Collection[str]
) -> dict[str, Any]:
    if "all" in include:
        return {tag: {"vr": vr} for tag, vr in required.items()} | dict(attributes)
    told: dict[str, Any] = {tag: attributes.get(tag, {"vr": vr}) for tag, vr in required.items()}
    told |= {tag: attributes[tag] for tag in known if tag in attributes}
    return told | _asked(attributes, include)


def _asked(attributes: Attributes, include: Collection[str]) -> dict[str, Any]:
    return {tag: attributes[tag] for tag in include if tag in attributes}


def _values(vr: str, values: Collection[str]) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}
