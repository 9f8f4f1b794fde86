"""Documents of Systems Manager for ministack, which sends commands and knows no document.

They are made, described, told, tagged and removed as in Systems Manager's API reference, and not changed:
each has one version. Tags are kept where ministack keeps those of parameters.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    json_response,
)
from ministack.services import ssm

Answer = tuple[int, dict[str, str], bytes]


def complete() -> None:
    """Know documents, until the process ends."""
    documents = AccountRegionScopedDict()
    handle = ssm.handle_request

    def create(asked: Any) -> Answer:
        name, content = asked["Name"], asked["Content"]
        if name in documents:
            return error_response_json("DocumentAlreadyExists", f"Document {name} exists already")
        try:
            said = json.loads(content)
        except ValueError:
            return error_response_json("InvalidDocumentContent", "The content is not JSON")
        documents[name] = {
            "Name": name,
            "DocumentType": asked.get("DocumentType", "Command"),
            "DocumentFormat": asked.get("DocumentFormat", "JSON"),
            "Owner": get_account_id(),
            "CreatedDate": ssm._now_epoch(),
            "Status": "Active",
            "DocumentVersion": "1",
            "LatestVersion": "1",
            "DefaultVersion": "1",
            "SchemaVersion": said["schemaVersion"],
            "Description": said.get("description", ""),
            "Parameters": [
                {
                    "Name": parameter,
                    "Type": of["type"],
                    "Description": of.get("description", ""),
                    **({"DefaultValue": str(of["default"])} if "default" in of else {}),
                }
                for parameter, of in said.get("parameters", {}).items()
            ],
            "PlatformTypes": sorted(
                {
                    step.get("precondition", {}).get("StringEquals", ["", ""])[1]
                    for step in said.get("mainSteps", [])
                }
                - {""}
            ),
            "HashType": "Sha256",
            "Hash": hashlib.sha256(content.encode()).hexdigest(),
            "Content": content,
        }
        ssm._tags[name] = {tag["Key"]: tag["Value"] for tag in asked.get("Tags", [])}
        return json_response({"DocumentDescription": without_content(documents[name])})

    def without_content(document: Mapping[str, Any]) -> dict[str, Any]:
        tags = [{"Key": key, "Value": value} for key, value in ssm._tags.get(document["Name"], {}).items()]
        return {**{k: v for k, v in document.items() if k != "Content"}, "Tags": tags}

    def one(asked: Any, tell: Callable[[dict[str, Any]], dict[str, Any]]) -> Answer:
        document = documents.get(asked["Name"])
        if document is None:
            return error_response_json("InvalidDocument", f"Document {asked['Name']} does not exist")
        return json_response(tell(document))

    def delete(document: dict[str, Any]) -> dict[str, Any]:
        del documents[document["Name"]]
        ssm._tags.pop(document["Name"], None)
        return {}

    told = ("Name", "CreatedDate", "DocumentVersion", "Status", "Content", "DocumentType", "DocumentFormat")
    listed = ("Name", "Owner", "DocumentVersion", "DocumentType", "DocumentFormat", "SchemaVersion")
    actions: dict[str, Callable[[Any], Answer]] = {
        "CreateDocument": create,
        "DescribeDocument": partial(one, tell=lambda document: {"Document": without_content(document)}),
        "GetDocument": partial(one, tell=lambda document: {name: document[name] for name in told}),
        "DescribeDocumentPermission": partial(
            one, tell=lambda _: {"AccountIds": [], "AccountSharingInfoList": []}
        ),
        "DeleteDocument": partial(one, tell=delete),
        "ListDocuments": lambda _: json_response(
            {"DocumentIdentifiers": [{name: d[name] for name in listed} for d in documents.values()]}
        ),
    }

    async def handling(method: str, path: str, headers: Any, body: bytes, query: Any) -> Answer:
        act = actions.get(headers.get("x-amz-target", "").rpartition(".")[2])
        return act(json.loads(body)) if act else await handle(method, path, headers, body, query)

    ssm.handle_request = handling
