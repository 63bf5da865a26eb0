#!/usr/bin/env python3
"""A small Container API for the demo connectors: takes entities and relationships, and says at commit what changed.

usage: container_api.py [--port N]      prints its URL on the first line; ends on SIGTERM.

  GET  /v1/files/{name}      an input file; 404 with a problem document when there is none
  POST /v1/entities          one JSON object a line, each with an "id"
  POST /v1/relationships     one JSON object a line, each with "from", "to" and "kind"
  POST /v1/commit            replaces what was committed before; answers with the differences
"""

import argparse
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILES = {"settings.json": b'{"batch_size": 200, "site": "demo"}\n'}
BODY_LIMIT_BYTES = 16 * 1024 * 1024


class Target:
    """What has been uploaded per sync, and what was committed last."""

    def __init__(self):
        self.lock = threading.Lock()
        self.pending = {}
        self.entities = {}
        self.relationships = {}

    def add(self, sync_id, kind, rows):
        with self.lock:
            self.pending.setdefault(sync_id, {"entities": {}, "relationships": {}})[kind].update(rows)

    def commit(self, sync_id):
        with self.lock:
            new = self.pending.pop(sync_id, {"entities": {}, "relationships": {}})
            stats = {**difference("entities", self.entities, new["entities"]),
                     **difference("relationships", self.relationships, new["relationships"])}
            self.entities, self.relationships = new["entities"], new["relationships"]
            return stats


def difference(kind, before, after):
    return {
        f"{kind}_created": sum(1 for key in after if key not in before),
        f"{kind}_updated": sum(1 for key in after if key in before and before[key] != after[key]),
        f"{kind}_deleted": sum(1 for key in before if key not in after),
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target = Target()

    def do_GET(self):
        prefix = "/v1/files/"
        name = self.path[len(prefix):] if self.path.startswith(prefix) else None
        if name in FILES:
            self.answer(200, FILES[name], "application/octet-stream")
        elif name is not None:
            self.problem(404, "No such file", f"There is no input file named '{name}'; there is: {', '.join(sorted(FILES))}.")
        else:
            self.problem(404, "Not found", f"There is nothing at {self.path}.")

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_LIMIT_BYTES:
            self.close_connection = True
            return self.problem(413, "Too large", f"A body may have {BODY_LIMIT_BYTES} bytes, this one has {length}.")
        body = self.rfile.read(length)
        sync_id = self.headers.get("X-Sync-Id", "")
        if not sync_id:
            return self.problem(400, "No sync", "The header X-Sync-Id is missing: it names the sync that a request belongs to.")
        if self.path == "/v1/commit":
            return self.answer(200, json.dumps(self.target.commit(sync_id)).encode(), "application/json")
        if self.path not in ("/v1/entities", "/v1/relationships"):
            return self.problem(404, "Not found", f"There is nothing at {self.path}.")
        kind = self.path.rsplit("/", 1)[1]
        key = (lambda row: row["id"]) if kind == "entities" else (lambda row: (row["from"], row["kind"], row["to"]))
        try:
            rows = {key(row): row for row in map(json.loads, body.decode().splitlines())}
        except (ValueError, KeyError, TypeError) as error:
            return self.problem(400, "Unreadable rows", f"Every line must be one JSON object with its key members: {error!r}.")
        self.target.add(sync_id, kind, rows)
        self.answer(202, json.dumps({"accepted": len(rows)}).encode(), "application/json")

    def problem(self, status, title, detail):
        document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        self.answer(status, json.dumps(document).encode(), "application/problem+json")

    def answer(self, status, body, content_type):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing: the connector's own log tells of the requests."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0 (the default) picks a free one")
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
