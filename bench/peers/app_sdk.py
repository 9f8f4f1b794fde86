"""The peer: MONAI Deploy App SDK's own operators, chained as its spleen example chains them.

Runs in the App SDK's own environment (see ``bench/peers/install_app_sdk``), once per study, as the
SDK packages an application: one process, one study. Input, model (TorchScript bundle) and output
come by the SDK's own options ``-i``, ``-m``, ``-o``.
"""

from pathlib import Path

from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application
from monai.deploy.core.domain import Image
from monai.deploy.core.io_type import IOType
from monai.deploy.operators.dicom_data_loader_operator import DICOMDataLoaderOperator
from monai.deploy.operators.dicom_seg_writer_operator import (
    DICOMSegmentationWriterOperator,
    SegmentDescription,
)
from monai.deploy.operators.dicom_series_selector_operator import DICOMSeriesSelectorOperator
from monai.deploy.operators.dicom_series_to_volume_operator import DICOMSeriesToVolumeOperator
from monai.deploy.operators.monai_bundle_inference_operator import (
    BundleConfigNames,
    IOMapping,
    MonaiBundleInferenceOperator,
)
from monai.deploy.operators.stl_conversion_operator import STLConversionOperator
from pydicom.sr.codedict import codes

ANY_CT = '{"selections": [{"name": "CT", "conditions": {"Modality": "CT"}}]}'


class SpleenApplication(Application):
    """DICOM in; SEG and STL out."""

    def compose(self) -> None:
        context = Application.init_app_context(self.argv)
        output = Path(context.output_path)
        load = DICOMDataLoaderOperator(
            self, CountCondition(self, 1), input_folder=Path(context.input_path), name="load"
        )
        select = DICOMSeriesSelectorOperator(self, rules=ANY_CT, name="select")
        stack = DICOMSeriesToVolumeOperator(self, name="stack")
        infer = MonaiBundleInferenceOperator(
            self,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            app_context=context,
            bundle_config_names=BundleConfigNames(config_names=["inference"]),
            bundle_path=Path(context.model_path),
            name="infer",
        )
        spleen = SegmentDescription(
            segment_label="Spleen",
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=codes.SCT.Spleen,
            algorithm_name="spleen",
            algorithm_family=codes.DCM.ArtificialIntelligence,
            algorithm_version="1",
        )
        seg = DICOMSegmentationWriterOperator(
            self, segment_descriptions=[spleen], output_folder=output, name="seg"
        )
        stl = STLConversionOperator(self, output_file=output / "stl" / "spleen.stl", name="stl")
        series = {("study_selected_series_list", "study_selected_series_list")}
        self.add_flow(load, select, {("dicom_study_list", "dicom_study_list")})
        self.add_flow(select, stack, series)
        self.add_flow(stack, infer, {("image", "image")})
        self.add_flow(select, seg, series)
        self.add_flow(infer, seg, {("pred", "seg_image")})
        self.add_flow(infer, stl, {("pred", "image")})


if __name__ == "__main__":
    SpleenApplication().run()
