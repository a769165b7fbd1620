"""An image with one static program in it, made without an engine: to import, or to push."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Image:
    layer: bytes
    config: bytes

    @property
    def manifest(self) -> bytes:
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST_TYPE,
                "config": _descriptor(_CONFIG_TYPE, self.config),
                "layers": [_descriptor(_LAYER_TYPE, self.layer)],
            }
        )

    @property
    def digest(self) -> str:
        return _digest(self.manifest)

    def write_archive(self, path: Path, name: str) -> None:
        """An OCI archive, which `ctr images import` knows by `name`."""
        entry = _descriptor(_MANIFEST_TYPE, self.manifest) | {
            "annotations": {"io.containerd.image.name": name}
        }
        files = {
            "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
            "index.json": _json({"schemaVersion": 2, "manifests": [entry]}),
        }
        for blob in (self.layer, self.config, self.manifest):
            files[f"blobs/sha256/{_digest(blob).removeprefix('sha256:')}"] = blob
        path.write_bytes(_tar(files))

    def push(self, registry: str, repository: str, token: str | None = None) -> str:
        """Pushes over plain HTTP; returns the reference by digest."""
        address = f"http://{registry}/v2/{repository}"
        with requests.Session() as session:
            session.trust_env = False
            if token:
                session.headers["Authorization"] = f"Bearer {token}"
            for blob in (self.layer, self.config):
                begun = session.post(f"{address}/blobs/uploads/", timeout=30)
                begun.raise_for_status()
                session.put(
                    begun.headers["Location"],
                    params={"digest": _digest(blob)},
                    data=blob,
                    headers={"Content-Type": "application/octet-stream"},
                    timeout=30,
                ).raise_for_status()
            session.put(
                f"{address}/manifests/{self.digest}",
                data=self.manifest,
                headers={"Content-Type": _MANIFEST_TYPE},
                timeout=30,
            ).raise_for_status()
        return f"{registry}/{repository}@{self.digest}"


def of_program(
    program: Path, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Image:
    """The same bytes for the same program: nothing of the clock goes in."""
    layer = _tar({program.name: program.read_bytes()}, mode=0o755)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": [f"/{program.name}", *arguments],
            "Env": [f"{name}={value}" for name, value in (environment or {}).items()],
            "User": "1000",
        },
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    return Image(gzip.compress(layer, mtime=0), _json(config))


def _tar(files: Mapping[str, bytes], mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
