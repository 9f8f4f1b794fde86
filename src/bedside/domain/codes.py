"""What a label's plain name means: SNOMED CT codes, categories and colours for common anatomy.

Pure values, so that the model room (which reads a bundle's label names) and the DICOM room (which
writes them) agree without knowing each other. It refuses to guess: a name that is not in the table
becomes a valid private code (scheme ``99BEDSIDE``) that carries the name itself, never a
similar-looking SNOMED concept. Codes and meanings are those of PS3.16 (CID 7150, 7151 and 7159);
colours are 3D Slicer's general anatomy colours, which readers of segmentations know.
"""

import re
from typing import NamedTuple

from bedside.domain.identity import short_id
from bedside.domain.volume import Code, Label

#: Coding Scheme Designator of names that the table lacks. Private schemes begin with 99 (PS3.16 8.2).
PRIVATE_SCHEME = "99BEDSIDE"

#: Segmented Property Categories (CID 7150).
ANATOMY = Code(value="91723000", scheme="SCT", meaning="Anatomical Structure")
ABNORMAL = Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure")
TISSUE = Code(value="85756007", scheme="SCT", meaning="Tissue")
SUBSTANCE = Code(value="91720002", scheme="SCT", meaning="Body Substance")

#: Laterality as a type modifier (CID 244).
LEFT = Code(value="7771000", scheme="SCT", meaning="Left")
RIGHT = Code(value="24028007", scheme="SCT", meaning="Right")

#: Colours of names that the table lacks, by label value; far from each other and from grey.
PALETTE = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip


class _Concept(NamedTuple):
    value: str
    meaning: str
    category: Code
    colour: tuple[int, int, int]


def _anatomy(value: str, meaning: str, colour: tuple[int, int, int]) -> _Concept:
    return _Concept(value, meaning, ANATOMY, colour)


def _abnormal(value: str, meaning: str, colour: tuple[int, int, int]) -> _Concept:
    return _Concept(value, meaning, ABNORMAL, colour)


_BONE = (241, 214, 145)
_VESSEL = (216, 101, 79)
_VEIN = (0, 151, 206)
_VERTEBRA = (212, 188, 102)
_LESION = (144, 238, 144)

#: Names as written in bundles, each in any word order, to concepts.
_ANATOMY: dict[str, _Concept] = {
    "spleen": _anatomy("78961009", "Spleen", (157, 108, 162)),
    "liver": _anatomy("10200004", "Liver", (221, 130, 101)),
    "kidney": _anatomy("64033007", "Kidney", (185, 102, 83)),
    "pancreas": _anatomy("15776009", "Pancreas", (249, 180, 111)),
    "gallbladder|gall bladder": _anatomy("28231008", "Gallbladder", (139, 150, 98)),
    "stomach": _anatomy("69695003", "Stomach", (216, 132, 105)),
    "duodenum": _anatomy("38848004", "Duodenum", (255, 253, 229)),
    "small bowel|small intestine": _anatomy("30315005", "Small intestine", (205, 167, 142)),
    "colon": _anatomy("71854001", "Colon", (204, 168, 143)),
    "sigmoid colon|sigmoid": _anatomy("60184004", "Sigmoid colon", (204, 168, 143)),
    "rectum": _anatomy("34402009", "Rectum", (204, 168, 143)),
    "esophagus|oesophagus": _anatomy("32849002", "Esophagus", (211, 171, 143)),
    "adrenal gland|adrenal": _anatomy("23451007", "Adrenal gland", (249, 186, 150)),
    "bladder|urinary bladder": _anatomy("89837001", "Bladder", (222, 154, 132)),
    "prostate|prostate gland": _anatomy("41216001", "Prostate", (230, 158, 140)),
    "prostate peripheral zone|peripheral zone": _anatomy(
        "279706003", "Peripheral zone of the prostate", (202, 120, 110)
    ),
    "prostate transition zone|prostate transitional zone|transition zone|transitional zone": _anatomy(
        "399384005", "Transition zone of the prostate", (240, 190, 150)
    ),
    "uterus": _anatomy("35039007", "Uterus", (255, 181, 158)),
    "breast": _anatomy("76752008", "Breast", (255, 200, 180)),
    "lung": _anatomy("39607008", "Lung", (197, 165, 145)),
    "lung upper lobe|lung superior lobe": _anatomy("45653009", "Upper lobe of lung", (172, 138, 115)),
    "right lung middle lobe|lung middle lobe": _anatomy(
        "72481006", "Middle lobe of right lung", (202, 164, 140)
    ),
    "lung lower lobe|lung inferior lobe": _anatomy("90572001", "Lower lobe of lung", (224, 186, 162)),
    "trachea": _anatomy("44567001", "Trachea", (182, 228, 255)),
    "bronchus": _anatomy("955009", "Bronchus", (175, 216, 244)),
    "heart": _anatomy("80891009", "Heart", (206, 110, 84)),
    "left ventricle|heart left ventricle": _anatomy("87878005", "Left ventricle", (152, 55, 13)),
    "right ventricle|heart right ventricle": _anatomy("53085002", "Right ventricle", (181, 85, 57)),
    "left atrium|heart left atrium": _anatomy("82471001", "Left atrium", (216, 101, 79)),
    "right atrium|heart right atrium": _anatomy("73829009", "Right atrium", (196, 121, 79)),
    "myocardium|left ventricle myocardium|heart myocardium": _anatomy(
        "49848007", "Left Ventricle Myocardium", (192, 104, 88)
    ),
    "aorta": _anatomy("15825003", "Aorta", (224, 97, 76)),
    "pulmonary artery": _anatomy("81040000", "Pulmonary artery", (0, 122, 171)),
    "inferior vena cava|ivc|postcava": _anatomy("64131007", "Inferior vena cava", _VEIN),
    "superior vena cava|svc": _anatomy("48345005", "Superior vena cava", _VEIN),
    "portal vein": _anatomy("32764006", "Portal vein", _VEIN),
    "hepatic vein": _anatomy("8993003", "Hepatic vein", _VEIN),
    "artery": _anatomy("51114001", "Artery", _VESSEL),
    "vein": _anatomy("29092000", "Vein", _VEIN),
    "vessel|blood vessel": _anatomy("59820001", "Blood Vessel", _VESSEL),
    "brain": _anatomy("12738006", "Brain", (250, 250, 225)),
    "cerebellum": _anatomy("113305005", "Cerebellum", (194, 195, 164)),
    "hippocampus": _anatomy("5366008", "Hippocampus", (168, 176, 95)),
    "white matter": _anatomy("389080008", "White Matter", (250, 250, 210)),
    "gray matter|grey matter": _anatomy("389081007", "Gray Matter", (200, 200, 235)),
    "spinal cord": _anatomy("2748008", "Spinal cord", (244, 214, 49)),
    "eye": _anatomy("81745001", "Eye", (194, 142, 0)),
    "thyroid|thyroid gland": _anatomy("69748006", "Thyroid", (62, 162, 114)),
    "thymus": _anatomy("9875009", "Thymus", (47, 150, 103)),
    "bone": _anatomy("272673000", "Bone", _BONE),
    "spine|vertebral column": _anatomy("421060004", "Spine", _VERTEBRA),
    "vertebra": _anatomy("51282000", "Vertebra", _VERTEBRA),
    "rib": _anatomy("113197003", "Rib", (253, 232, 158)),
    "sacrum": _anatomy("54735007", "Sacrum", _VERTEBRA),
    "skull": _anatomy("89546000", "Skull", (241, 213, 144)),
    "mandible": _anatomy("91609006", "Mandible", (222, 198, 101)),
    "sternum": _anatomy("56873002", "Sternum", (244, 217, 154)),
    "clavicle|clavicula": _anatomy("51299004", "Clavicle", (205, 179, 108)),
    "scapula": _anatomy("79601000", "Scapula", _BONE),
    "humerus": _anatomy("85050009", "Humerus", _BONE),
    "femur": _anatomy("71341001", "Femur", _BONE),
    "muscle": _anatomy("71616004", "Muscle", (192, 104, 88)),
    "skeletal muscle": _anatomy("127954009", "Skeletal muscle", (192, 104, 88)),
    "fat|adipose tissue": _anatomy("55603005", "Fat", (230, 220, 70)),
    "skin": _anatomy("39937001", "Skin", (177, 122, 101)),
    "lymph node": _anatomy("59441001", "Lymph Node", (68, 172, 100)),
    "organ": _anatomy("91772007", "Organ", (221, 130, 101)),
    "tissue": _Concept("85756007", "Tissue", TISSUE, (128, 174, 128)),
    "csf|cerebrospinal fluid": _Concept("65216001", "Cerebrospinal Fluid", SUBSTANCE, (85, 188, 255)),
}

_ABNORMAL: dict[str, _Concept] = {
    "tumor|tumour|neoplasm|cancer": _abnormal("108369006", "Neoplasm", _LESION),
    "lesion": _abnormal("52988006", "Lesion", _LESION),
    "nodule": _abnormal("27925004", "Nodule", _LESION),
    "mass": _abnormal("4147007", "Mass", _LESION),
    "metastasis": _abnormal("14799000", "Neoplasm, Secondary", _LESION),
    "cyst": _abnormal("367643001", "Cyst", (205, 205, 100)),
    "edema|oedema": _abnormal("79654002", "Edema", (140, 224, 228)),
    "necrosis|necrotic core": _abnormal("6574001", "Necrosis", (216, 191, 216)),
    "hemorrhage|haemorrhage|bleeding": _abnormal("50960005", "Hemorrhage", (188, 65, 28)),
    "clot|blood clot|thrombus": _abnormal("75753009", "Blood clot", (145, 60, 66)),
    "abscess": _abnormal("44132006", "Abscess", (205, 205, 100)),
    "embolus|embolism": _abnormal("55584005", "Embolus", (150, 98, 83)),
}

_VERTEBRAE = {
    "C1": "14806007", "C2": "39976000", "C3": "113205007", "C4": "5329002", "C5": "36978003",
    "C6": "36054005", "C7": "87391001", "T1": "64864005", "T2": "53733008", "T3": "1626008",
    "T4": "73071006", "T5": "56401006", "T6": "45296009", "T7": "62487009", "T8": "11068009",
    "T9": "82687006", "T10": "7610001", "T11": "12989004", "T12": "23215003", "L1": "66794005",
    "L2": "14293000", "L3": "36470004", "L4": "11994002", "L5": "49668003",
}  # fmt: skip

_SKIPPED_WORDS = {"of", "the", "and", "structure"}


def _words(name: str) -> frozenset[str]:
    """Return a name's words: lower case, singular, camel case and separators split."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = set()
    for word in re.split(r"[^a-z0-9]+", spaced.lower()):
        if word == "vertebrae":
            word = "vertebra"
        if len(word) > 3 and word.endswith("s") and not word.endswith(("us", "as", "is", "ss")):
            word = word[:-1]
        if word and word not in _SKIPPED_WORDS:
            words.add(word)
    return frozenset(words)


def _by_words(table: dict[str, _Concept]) -> dict[frozenset[str], _Concept]:
    return {_words(name): concept for names, concept in table.items() for name in names.split("|")}


_KNOWN = _by_words(_ANATOMY) | {
    frozenset(words): _anatomy(code, f"{level} vertebra", _VERTEBRA)
    for level, code in _VERTEBRAE.items()
    for words in ({"vertebra", level.lower()}, {level.lower()})
}
_KNOWN_ABNORMAL = _by_words(_ABNORMAL)


def _sided(words: frozenset[str]) -> tuple[_Concept | None, Code | None]:
    """Return an anatomical concept and its laterality, which may be part of the concept itself."""
    whole = _KNOWN.get(words)
    if whole:
        return whole, None
    for side, code in (("left", LEFT), ("right", RIGHT)):
        if side in words and words - {side} in _KNOWN:
            return _KNOWN[words - {side}], code
    return None, None


def private_code(name: str) -> Code:
    """Return a code of `PRIVATE_SCHEME` for any name: its value is the name itself where that fits.

    The value is a Short String of at most 16 characters, the meaning a Long String (PS3.3 8.8).
    """
    meaning = " ".join(re.sub(r"[\x00-\x1f\\\x7f]", " ", name.replace("_", " ")).split())[:64].strip()
    plain = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    value = plain if 0 < len(plain) <= 16 else short_id(name)[:16]
    return Code(value=value, scheme=PRIVATE_SCHEME, meaning=meaning or "unnamed")


def label_for(name: str, value: int) -> Label:
    """Return the label of a bundle's plain name, e.g. ``"spleen"``, ``"kidney_left"``, ``"vertebrae_L1"``.

    Word order, case, plural and separators do not matter. ``"left"`` and ``"right"`` become a type
    modifier, and an organ beside a finding (``"liver tumour"``) becomes its anatomic region. A name that
    the table lacks gets a code of the private scheme `PRIVATE_SCHEME`, the category Tissue and a colour of
    `PALETTE`.

    Args:
        name: The bundle's own name for the label.
        value: Voxel value in the label map, or 1 + channel index.
    """
    words = _words(name)
    concept, side = _sided(words)
    region: Code | None = None
    if concept is None:
        for finding, abnormal in _KNOWN_ABNORMAL.items():
            organ, organ_side = _sided(words - finding)
            if finding == words or (finding < words and organ):
                concept, side = abnormal, organ_side
                region = Code(value=organ.value, scheme="SCT", meaning=organ.meaning) if organ else None
                break
    if concept is None:
        colour = PALETTE[(value - 1) % len(PALETTE)]
        return Label(value=value, name=name, code=private_code(name), category=TISSUE, colour=colour)
    return Label(
        value=value,
        name=name,
        code=Code(value=concept.value, scheme="SCT", meaning=concept.meaning),
        category=concept.category,
        colour=concept.colour,
        modifier=side,
        region=region,
    )
