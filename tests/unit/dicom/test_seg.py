"""The SEG's own parts: colours, order of frames, packing, overlap, provenance of slices."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bedside.dicom.masks import cut_masks
from bedside.dicom.provenance import slice_sources
from bedside.dicom.seg import cielab, make_seg
from bedside.domain.codes import label_for
from bedside.domain.volume import Code, Segmentation
from results_samples import LABELS, REQUEST, Case, make_case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("study"))


def make(case: Case, segmentation: Segmentation, **request: object):
    return make_seg(
        cut_masks(segmentation),
        request=replace(REQUEST, **request),
        volume=case.volume,
        source=case.series.reference(),
        sources=slice_sources(case.series, case.volume),
    )


def test_white_black_and_a_primary_have_their_known_lab_values() -> None:
    grey = label_for("spleen", 1)
    assert cielab(replace(grey, colour=(255, 255, 255))) == pytest.approx([65535, 32896, 32896], abs=20)
    assert cielab(replace(grey, colour=(0, 0, 0))) == pytest.approx([0, 32896, 32896], abs=20)
    # sRGB red, D65: L* 53.24, a* 80.09, b* 67.20
    wanted = [53.24 / 100 * 65535, (80.09 + 128) / 255 * 65535, (67.20 + 128) / 255 * 65535]
    assert cielab(replace(grey, colour=(255, 0, 0))) == pytest.approx(wanted, abs=20)


def test_frames_go_by_segment_then_up_the_normal(case: Case) -> None:
    assert case.output.segmentation is not None
    made = make(case, case.output.segmentation)
    indices = [
        tuple(item.FrameContentSequence[0].DimensionIndexValues)
        for item in made.PerFrameFunctionalGroupsSequence
    ]
    assert indices == sorted(indices)
    heights = {}
    for item, (segment, place) in zip(made.PerFrameFunctionalGroupsSequence, indices, strict=True):
        assert item.SegmentIdentificationSequence[0].ReferencedSegmentNumber == segment
        heights.setdefault(place, float(item.PlanePositionSequence[0].ImagePositionPatient[2]))
    assert sorted(heights) == list(range(1, len(heights) + 1))
    assert [heights[place] for place in sorted(heights)] == sorted(heights.values())


def test_a_volume_stacked_downward_has_the_same_order_of_places(case: Case) -> None:
    assert case.output.segmentation is not None
    down = case.volume.affine.copy()
    down[:3, 3] += (case.volume.array.shape[0] - 1) * down[:3, 0]
    down[:3, 0] *= -1
    turned = replace(case, volume=replace(case.volume, affine=down, array=case.volume.array[::-1]))
    found = replace(case.output.segmentation, affine=down, array=case.output.segmentation.array[::-1])
    one, other = make(case, case.output.segmentation), make(turned, found)
    assert one.PixelData == other.PixelData
    # The last frame is the empty segment's, which has no place of its own.
    assert one.PerFrameFunctionalGroupsSequence[:-1] == other.PerFrameFunctionalGroupsSequence[:-1]


def test_overlap_is_seen_where_it_is_and_only_there(case: Case) -> None:
    masks = np.zeros((2, *case.volume.array.shape), dtype=np.uint8)
    masks[0, 3:8, 3:8, 3:8] = 1
    masks[1, 7:9, 8:12, 3:8] = 1
    found = Segmentation(array=masks, affine=case.volume.affine, labels=LABELS[:2])
    assert make(case, found).SegmentsOverlap == "NO"
    masks[1, 7, 7, 7] = 1
    assert make(case, found).SegmentsOverlap == "YES"


def test_a_slice_between_the_sources_is_not_called_aligned(case: Case) -> None:
    assert all(source.aligned for source in slice_sources(case.series, case.volume))
    between = case.volume.affine.copy()
    between[:3, 3] += 0.5 * between[:3, 0]
    assert not any(
        source.aligned for source in slice_sources(case.series, replace(case.volume, affine=between))
    )


def test_strangers_words_fit_their_value_representations(case: Case) -> None:
    assert case.output.segmentation is not None
    odd = replace(
        LABELS[0],
        name="a\\b\n" + "c" * 100,
        code=Code(value="9" * 18, scheme="SCT", meaning="m" * 90),
    )
    made = make(
        case,
        replace(case.output.segmentation, labels=(odd, *LABELS[1:])),
        release_name="n\\" + "o" * 90,
        release_version="v" * 90,
    )
    segment = made.SegmentSequence[0]
    assert segment.SegmentLabel == ("a b " + "c" * 100)[:64]
    kind = segment.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.LongCodeValue, "CodeValue" in kind) == ("9" * 18, False)
    assert made.ManufacturerModelName == ("n " + "o" * 90)[:64]


def test_a_source_without_a_frame_of_reference_gets_one_of_its_own(tmp_path: Path) -> None:
    case = make_case(tmp_path, FrameOfReferenceUID=None)
    assert case.output.segmentation is not None
    one, other = (make(case, case.output.segmentation).FrameOfReferenceUID for _ in range(2))
    assert one == other != ""
