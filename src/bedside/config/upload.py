"""The section ``[upload]``: what people may send through the portal, and for how long it waits."""

from pydantic import BaseModel, ConfigDict, Field

from bedside.domain.upload import MOST_BYTES

_GIB = 2**30


class UploadSettings(BaseModel):
    """Uploads by browsers and scripts, in parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(20 * _GIB, gt=0, le=MOST_BYTES, description="Most bytes of one upload.")
    tenant_bytes: int = Field(
        200 * _GIB, gt=0, description="Most bytes of a tenant's unfinished uploads together."
    )
    keep_days: float = Field(
        7.0, gt=0, le=7, description="An upload that nobody finishes is removed after so many days."
    )
    min_free_bytes: int = Field(
        _GIB, ge=0, description="With less free disk no upload begins and none goes on."
    )
