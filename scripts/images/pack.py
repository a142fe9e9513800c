"""Packs one layer into an OCI image archive: pack.py LAYER.tar ARCHIVE EPOCH < config.json

The configuration on standard input: {"names": [reference, ...], "config": {OCI image config}}.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import sys
import tarfile
import time

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def main():
    layer_path, archive_path, epoch = sys.argv[1], sys.argv[2], int(sys.argv[3])
    wanted = json.load(sys.stdin)
    with open(layer_path, "rb") as file:
        layer = file.read()
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as stream:
        stream.write(layer)
    packed = packed.getvalue()
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    config = json.dumps({
        "created": created,
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": wanted["config"],
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created": created, "created_by": "scripts/images.sh"}],
    }, sort_keys=True).encode()
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest(config), "size": len(config),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest(packed), "size": len(packed),
        }],
    }, sort_keys=True).encode()
    index = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest(manifest), "size": len(manifest),
            "annotations": {
                "io.containerd.image.name": name,
                # Whole, so that `skopeo copy oci-archive:FILE:NAME` can tell them apart.
                "org.opencontainers.image.ref.name": name,
            },
        } for name in wanted["names"]],
    }, sort_keys=True).encode()

    def add(archive, name, data):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = len(data), epoch, 0o644
        archive.addfile(entry, io.BytesIO(data))

    temporary = archive_path + ".part"
    with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
        add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(archive, "index.json", index)
        for blob in (config, manifest, packed):
            add(archive, "blobs/sha256/" + digest(blob).split(":")[1], blob)
    os.replace(temporary, archive_path)


main()
