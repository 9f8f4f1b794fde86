"""The plain way: one MONAI script per study, in a fresh process, as a tutorial would write it.

Reads the DICOM folder with MONAI's own reader, runs the bundle's transforms, network and inferer,
and writes a SEG with highdicom and an STL with marching cubes.

    python bench/peers/plain_monai.py BUNDLE STUDY OUT
"""

import json
import sys
import time
from pathlib import Path


def main(bundle: Path, study: Path, out: Path) -> None:
    begun = time.perf_counter()
    times: dict[str, float] = {}

    def mark(name: str) -> None:
        nonlocal begun
        now = time.perf_counter()
        times[name] = now - begun
        begun = now

    import highdicom as hd
    import numpy as np
    import pydicom
    import torch
    from monai.bundle import ConfigParser
    from monai.data import MetaTensor
    from monai.transforms import Compose, LoadImaged, SaveImaged
    from pydicom.sr.codedict import codes
    from skimage.measure import marching_cubes

    mark("imports")
    out.mkdir(parents=True, exist_ok=True)
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser["bundle_root"] = str(bundle)
    network = parser.get_parsed_content("network_def")
    weights = torch.load(bundle / "models" / "model.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(weights.get("model", weights))
    network.eval()
    inferer = parser.get_parsed_content("inferer")
    before = [
        t for t in parser.get_parsed_content("preprocessing").transforms if not isinstance(t, LoadImaged)
    ]
    after = [
        t for t in parser.get_parsed_content("postprocessing").transforms if not isinstance(t, SaveImaged)
    ]
    mark("load model")
    volume = LoadImaged(keys="image", reader="PydicomReader")({"image": str(study)})
    mark("DICOM to volume")
    item = Compose(before)(volume)
    mark("pre-transforms")
    with torch.no_grad():
        item["pred"] = inferer(item["image"].unsqueeze(0), network)[0]
    mark("forward")
    item["pred"].applied_operations = item["image"].applied_operations
    item = Compose(after)(item)
    mask: MetaTensor = item["pred"]
    mark("post-transforms")
    sources = sorted(
        (pydicom.dcmread(p) for p in study.iterdir()), key=lambda d: float(d.ImagePositionPatient[2])
    )
    pixels = np.ascontiguousarray(np.asarray(mask)[0].transpose(2, 1, 0).astype(np.uint8))
    description = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="spleen",
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Spleen,
        algorithm_type="AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="spleen", version="1", family=codes.DCM.ArtificialIntelligence
        ),
    )
    hd.seg.Segmentation(
        source_images=sources,
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=[description],
        series_instance_uid=hd.UID(),
        series_number=100,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="plain",
        manufacturer_model_name="plain",
        software_versions="1",
        device_serial_number="1",
    ).save_as(out / "seg.dcm")
    mark("SEG")
    vertices, faces, _, _ = marching_cubes(np.asarray(mask)[0], 0.5)
    affine = np.asarray(mask.affine)
    vertices = vertices @ affine[:3, :3].T + affine[:3, 3]
    triangles = np.zeros(len(faces), dtype=[("n", "<f4", 3), ("v", "<f4", (3, 3)), ("a", "<u2")])
    triangles["v"] = vertices[faces]
    (out / "spleen.stl").write_bytes(b"\0" * 80 + np.uint32(len(faces)).tobytes() + triangles.tobytes())
    mark("surface")
    np.save(out / "mask.npy", pixels)
    (out / "times.json").write_text(json.dumps(times))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
