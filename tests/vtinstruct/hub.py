"""A small Hub on this machine: the few addresses of huggingface.co that a push calls, and a repository behind them. Furniture
of the tests beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".arrow", ".parquet", ".jpg", ".png")


@dataclass
class Hub:
    """`files` of the one repository by path; `blobs` that were uploaded by SHA-256, committed or not; `calls` as they came.

    `refuse` uploads fail (0: none), counted down; `complaint` is what the card's check says, "" for nothing.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    created: dict[str, Any] | None = None
    refuse_after: int | None = None
    complaint: str = ""
    lock: Lock = field(default_factory=Lock)

    def called(self, pattern: str) -> list[str]:
        return [call for call in self.calls if re.search(pattern, call)]

    def save(self, root: Path) -> Path:
        """The repository as a folder."""
        for path, content in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return root


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing on the screen."""

    def _say(self, status: int, body: Any = None, **headers: str) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        with self.hub.lock:
            self.hub.calls.append(f"GET {path}")
        if self.hub.created is None:
            self._say(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return
        assert "/tree/" in path, path
        self._say(200, [self._entry(name, content) for name, content in sorted(self.hub.files.items())])

    def _entry(self, path: str, content: bytes) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git_id(content)}
        if path.endswith(LARGE):
            made["oid"] = "0" * 40  # of the pointer
            made["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return made

    def do_POST(self) -> None:
        path, body = unquote(urlsplit(self.path).path), self._body()
        with self.hub.lock:
            self.hub.calls.append(f"POST {path}")
            if path.endswith("/validate-yaml"):
                errors = [{"message": self.hub.complaint}] if self.hub.complaint else []
                self._say(400 if errors else 200, {"errors": errors, "warnings": []})
            elif path.endswith("/repos/create"):
                self.hub.created = json.loads(body)
                self._say(200, {"url": f"http://{self.headers['Host']}/datasets/owner/name"})
            elif "/preupload/" in path:
                asked = json.loads(body)["files"]
                self._say(200, {"files": [self._mode(file["path"]) for file in asked]})
            elif path.endswith("/lfs/objects/batch"):
                self._say(200, {"transfer": "basic", "objects": [self._object(o) for o in json.loads(body)["objects"]]})
            elif "/commit/" in path:
                self._commit([json.loads(line) for line in body.splitlines()])
            else:
                self._say(404, {"error": path})

    def _mode(self, path: str) -> dict[str, Any]:
        return {"path": path, "uploadMode": "lfs" if path.endswith(LARGE) else "regular", "shouldIgnore": False}

    def _object(self, wanted: dict[str, Any]) -> dict[str, Any]:
        made = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] not in self.hub.blobs:
            made["actions"] = {"upload": {"href": f"http://{self.headers['Host']}/blob/{wanted['oid']}"}}
        return made

    def do_PUT(self) -> None:
        oid, body = self.path.rpartition("/")[2], self._body()
        with self.hub.lock:
            self.hub.calls.append(f"PUT {oid}")
            if self.hub.refuse_after is not None and len(self.hub.blobs) >= self.hub.refuse_after:
                self._say(403, {"error": "the disk of the Hub is full"})
                return
            assert hashlib.sha256(body).hexdigest() == oid
            self.hub.blobs[oid] = body
            self._say(200)

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "header":
                    self.hub.commits.append(value["summary"])
                case "file":
                    self.hub.files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    self.hub.files[value["path"]] = self.hub.blobs[value["oid"]]
                case "deletedFile":
                    del self.hub.files[value["path"]]
        number = len(self.hub.commits)
        address = f"http://{self.headers['Host']}/datasets/owner/name/commit/{number}"
        self._say(200, {"commitUrl": address, "commitOid": f"{number:040d}", "pullRequestUrl": None})


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # uploads come several at a time


class Running:
    """A Hub behind an address; use as a context manager."""

    def __init__(self) -> None:
        self.hub = Hub()
        handler = type("Handler", (_Handler,), {"hub": self.hub})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Running:
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
