"""Answers to a GET of a model: its versions' states, or the signatures of one version."""

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2

from models.server.engine.model_state import VersionStatus
from models.server.engine.servable import Servable


def status_body(statuses: Sequence[VersionStatus]) -> bytes:
    """GetModelStatusResponse as JSON; versions are strings, as protobuf writes 64-bit numbers."""
    states = [
        {
            "version": str(status.version),
            "state": status.state.name,
            "status": {"error_code": status.code.name, "error_message": status.message},
        }
        for status in statuses
    ]
    return (_indented({"model_version_status": states}) + "\n").encode("utf-8", "surrogateescape")


def metadata_body(servable: Servable) -> bytes:
    """GetModelMetadataResponse as JSON, with the one field there is, the signatures."""
    spec = {"name": servable.name, "signature_name": "", "version": str(servable.version)}
    signatures = json_format.MessageToDict(
        signature_map(servable), preserving_proto_field_name=True, including_default_value_fields=True
    )
    text = f'{{\n"model_spec":{_indented(spec)},\n"metadata": {{"signature_def": {_indented(signatures)}}}\n}}\n'
    return text.encode()


def signature_map(servable: Servable) -> Any:
    """The version's signatures as a SignatureDefMap message."""
    message = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in servable.signatures.items():
        message.signature_def[name].CopyFrom(signature.proto)
    return message


def _indented(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
