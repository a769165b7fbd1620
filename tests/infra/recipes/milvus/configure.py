"""Fills the wheel's configuration as the official image's: etcd and MinIO are other containers."""

import re
import sys
from pathlib import Path

_FOLDERS = {
    "etcd_data_dir": "/var/lib/milvus/etcd",
    "local_storage_dir": "/var/lib/milvus/data",
    "rocksmq_data_dir": "/var/lib/milvus/rdb_data",
    "system_log_path": '""',
}
_PORTS = {"proxy_port": "19530", "proxy_internal_port": "19529"}


def _value(match: re.Match[str]) -> str:
    name, default = match[1], match[2]
    return {**_FOLDERS, **_PORTS}.get(name) or (default or "").strip() or '""'


text = re.sub(
    r"\{\{\s*(\w+)(?:\(\w+\))?\s*(?::\s*([^}]*?))?\s*\}\}", _value, Path(sys.argv[1]).read_text()
)
text = re.sub(r"(?m)^(    ?embed:) true", r"\1 false", text)
text = re.sub(r"(?m)^(\s*storageType:) local", r"\1 minio", text)
print(text)
