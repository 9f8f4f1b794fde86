"""Instances for tests of the catalogue, as made by hand."""

import json

from bedside.domain.catalogue import Bulk, Catalogued, Described, Extent, Layout

STUDY = "1.2.3"


def instance(
    number: int = 1,
    *,
    study: str = STUDY,
    series: str = "1.2.3.1",
    modality: str = "CT",
    key: str = "",
    patient: str = "Müller^Jürgen",
    patient_id: str = "P-7",
    date: str = "20260115",
    time: str = "093000",
    accession: str = "A-1",
) -> Catalogued:
    """An instance with what lists are searched by."""
    uid = f"{series}.{number}"
    name = {"Alphabetic": patient.partition("=")[0]}
    if "=" in patient:
        name["Ideographic"] = patient.partition("=")[2]
    request = {"00400009": {"vr": "SH", "Value": ["SPS-1"]}, "00401001": {"vr": "SH", "Value": ["RP-1"]}}
    of_study = {
        "00080020": {"vr": "DA", "Value": [date]},
        "00080030": {"vr": "TM", "Value": [time]},
        "00080050": {"vr": "SH", "Value": [accession]},
        "00080090": {"vr": "PN", "Value": [{"Alphabetic": "HOUSE^GREGORY"}]},
        "00081030": {"vr": "LO", "Value": ["Abdomen [routine] 100%"]},
        "00100010": {"vr": "PN", "Value": [name]},
        "00100020": {"vr": "LO", "Value": [patient_id]},
        "0020000D": {"vr": "UI", "Value": [study]},
    }
    of_series = {
        "00080060": {"vr": "CS", "Value": [modality]},
        "0020000E": {"vr": "UI", "Value": [series]},
        "00200011": {"vr": "IS", "Value": [int(series.rpartition(".")[2])]},
        "00400275": {"vr": "SQ", "Value": [request, {"00400009": {"vr": "SH", "Value": ["SPS-2"]}}]},
    }
    own = {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00080018": {"vr": "UI", "Value": [uid]},
        "00200013": {"vr": "IS", "Value": [number]},
    }
    return Catalogued(
        key=key or f"arrivals/files/{uid}.dcm",
        size_bytes=1000 + number,
        described=Described(
            study_uid=study,
            series_uid=series,
            sop_instance_uid=uid,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            study=of_study,
            series=of_series,
            instance=own,
            metadata=json.dumps(of_study | of_series | own).encode(),
            layout=Layout(
                count=1,
                frames=((Extent(500, 100), Extent(700, 20)),),
                bulk={"7FE00010": Bulk(vr="OW", extent=Extent(500, 220)), "00091001": Bulk(vr="UN")},
            ),
        ),
    )
