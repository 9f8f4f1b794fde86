"""What is asked for where a whole deployment is applied to an emulator."""

from clouds import REGION

NAME = "infirmary"
DATASTORE = "0" * 32


def _pool(*types: str, **wishes: object) -> dict[str, object]:
    usual = {"gpu": False, "max": 1, "spot": False, "warm_pool": 0, "idle_s": 300}
    return {"instance_types": types, **usual, "permitted_wait_s": 0, "disk_gb": 30, **wishes}


#: Everything that can be switched on, and two pools.
WISHES = {
    "name": NAME,
    "region": REGION,
    "cors_origins": ["https://portal.example"],
    "pools": {
        "default": _pool("g4dn.xlarge", gpu=True, max=2),
        "cpu": _pool("c7i.large", "c6i.large", spot=True, permitted_wait_s=60),
    },
    "node_archive_key": "software/bedside.tar",
    "control": True,
    "manage_tenants": True,
    "control_domain": "bedside.hospital.example",
    "control_cidrs": ["192.0.2.0/24"],
    "dicom_from": ["192.0.2.7/32"],
    "archive": True,
    "datastore_id": DATASTORE,
    "identity": True,
    "mfa": True,
    "alarm_email": "team@hospital.example",
    "github_repository": "hospital@1234/spleen@5678",
}
