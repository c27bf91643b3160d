"""The registry: versions of models on disk and their manifests. Imports no TensorFlow, so the API may read it too."""

from models.registry.manifest import (
    MANIFEST,
    DataSeen,
    Golden,
    Manifest,
    ModelInput,
    Towers,
    encode_manifest,
    folder_digests,
    read_manifest,
    require_current_inputs,
    require_schema,
    verify_digests,
)
from models.registry.versions import (
    list_models,
    list_versions,
    newest,
    publish,
    rollback,
    staging_folder,
    trained_otherwise,
    version_folder,
)

__all__ = [
    "MANIFEST",
    "DataSeen",
    "Golden",
    "Manifest",
    "ModelInput",
    "Towers",
    "encode_manifest",
    "folder_digests",
    "list_models",
    "list_versions",
    "newest",
    "publish",
    "read_manifest",
    "require_current_inputs",
    "require_schema",
    "rollback",
    "staging_folder",
    "trained_otherwise",
    "verify_digests",
    "version_folder",
]
