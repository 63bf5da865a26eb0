#!/usr/bin/env python3
"""A connector with no dependencies: syncs this machine's package database to a Container API.

Packages are entities, dependencies are relationships. Run it under `runfold exec`, which gives it a place to report to:

    runfold exec --connector dpkg --container-api URL -- python3 deploy/demo/dpkg_connector.py

Without RUNFOLD_INTAKE_URL it does the same work and reports to stderr alone.

    --require FILE   an input file that must be there (one that is not makes the run fail with exit code 3)
    --die            be killed (SIGKILL) in the middle of the upload, as by an out-of-memory killer
"""

import argparse
import datetime
import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.request

STATUS_FILE = "/var/lib/dpkg/status"
TIMEOUT_S = 10


class ConnectorError(Exception):
    """A failure that the connector itself declares."""


class Runfold:
    """Reports to the intake that `runfold exec` offers; does nothing where there is none."""

    def __init__(self):
        self.url = os.environ.get("RUNFOLD_INTAKE_URL")
        self.token = os.environ.get("RUNFOLD_INTAKE_TOKEN", "")

    def post(self, path, document):
        if not self.url:
            return
        request = urllib.request.Request(
            self.url + path, json.dumps(document).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"})
        try:
            urllib.request.urlopen(request, timeout=TIMEOUT_S).close()
        except OSError as error:
            # Reporting must never fail the job: stderr has the line all the same.
            print(f"(not reported: {error})", file=sys.stderr)

    def event(self, name, **members):
        self.post("/v1/events", {name: members})

    def log(self, level, message, step=None, detail=None):
        if not self.url:
            now = datetime.datetime.now(datetime.timezone.utc)
            print(f"{now:%Y-%m-%d %H:%M:%S} UTC [{level.upper()}] {message}", file=sys.stderr, flush=True)
            return
        record = {"level": level, "message": message, "step": step, "detail": detail}
        self.post("/v1/job/log", {name: value for name, value in record.items() if value is not None})


class Step:
    """One step: reports its start, and its end with the counts it was given or the error that ended it."""

    def __init__(self, runfold, step_id):
        self.runfold, self.step_id = runfold, step_id
        self.counts = {}

    def __enter__(self):
        self.started = time.monotonic()
        self.runfold.event("step_started", step_id=self.step_id)
        return self

    def log(self, level, message, detail=None):
        self.runfold.log(level, message, self.step_id, detail)

    def __exit__(self, kind, error, _):
        duration = f"{time.monotonic() - self.started:.6f}s"
        if error is None:
            self.runfold.event("step_completed", step_id=self.step_id, duration=duration, **self.counts)
        else:
            self.runfold.event("step_failed", step_id=self.step_id, duration=duration, error=str(error))


class ContainerApi:
    def __init__(self, sync_id):
        self.url = os.environ.get("CONTAINER_API_URL")
        if not self.url:
            raise ConnectorError("CONTAINER_API_URL is not set: start deploy/demo/container_api.py and pass its URL to runfold exec --container-api")
        self.sync_id = sync_id

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, body, {"X-Sync-Id": self.sync_id}, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return response.read()

    def file(self, name):
        """The file's bytes, or None when there is no such file."""
        try:
            return self.call("GET", f"/v1/files/{name}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise


def read_packages(path):
    """Yields the fields of each stanza of a dpkg status file."""
    fields, name = {}, None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if not line:
                if fields:
                    yield fields
                fields, name = {}, None
            elif line[0] in " \t":
                if name:
                    fields[name] += "\n" + line[1:]
            else:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
    if fields:
        yield fields


def dependencies(fields):
    """Yields (kind, package) for each package that one depends on; of alternatives the first."""
    for kind in ("Pre-Depends", "Depends"):
        for group in filter(None, (part.strip() for part in fields.get(kind, "").split(","))):
            yield kind.lower(), re.split(r"[\s:(|]", group, maxsplit=1)[0]


def sync(options, runfold):
    api = ContainerApi(os.environ.get("RUNFOLD_RUN_ID") or f"dpkg-{os.getpid()}")

    with Step(runfold, "read") as step:
        settings = json.loads(api.file("settings.json") or "{}")
        if api.file("overrides.json") is None:
            step.log("notice", "No overrides.json: every package is taken as it is", {"file": "overrides.json"})
        if options.require and api.file(options.require) is None:
            step.log("error", f"The input file {options.require} does not exist", {"file": options.require})
            raise ConnectorError(f"cannot go on without {options.require}")
        packages = [fields for fields in read_packages(STATUS_FILE) if "Package" in fields]
        step.log("info", f"Read {len(packages)} packages", {"file": STATUS_FILE, "count": len(packages)})

    with Step(runfold, "transform") as step:
        entities, relationships = [], []
        names = {fields["Package"] for fields in packages}
        missing = set()
        for fields in packages:
            if not fields.get("Status", "").endswith(" installed"):
                step.log("warning", f"Skipping {fields['Package']}: {fields.get('Status', 'it has no status')}")
                continue
            entities.append({"id": fields["Package"], "version": fields.get("Version"), "size_kib": fields.get("Installed-Size")})
            for kind, other in dependencies(fields):
                if other not in names:
                    missing.add(other)
                relationships.append({"from": fields["Package"], "to": other, "kind": kind})
        if missing:
            step.log("debug", f"{len(missing)} dependencies are met by virtual packages", {"packages": sorted(missing)[:20]})
        step.log("info", f"Made {len(entities)} entities and {len(relationships)} relationships")

    with Step(runfold, "upload") as step:
        size = int(settings.get("batch_size", 100))
        total, done = len(entities) + len(relationships), 0
        for path, rows in (("/v1/entities", entities), ("/v1/relationships", relationships)):
            for start in range(0, len(rows), size):
                batch = rows[start:start + size]
                api.call("POST", path, "\n".join(map(json.dumps, batch)).encode())
                done += len(batch)
                runfold.event("progress", step_id="upload", done=done, total=total)
                if options.die and done > total // 2:
                    print("Out of memory: about to be killed", file=sys.stderr, flush=True)
                    os.kill(os.getpid(), signal.SIGKILL)
        step.counts = {"entities": len(entities), "relationships": len(relationships)}
        step.log("info", f"Uploaded {total} rows in batches of {size}", {"rows": total, "batch_size": size})

    with Step(runfold, "commit") as step:
        stats = json.loads(api.call("POST", "/v1/commit", b""))
        runfold.event("stats_committed", stats=stats)
        step.log("info", f"Committed: {stats['entities_created']} entities created, {stats['entities_updated']} updated, "
                         f"{stats['entities_deleted']} deleted", stats)
    # The result envelope: the one thing a connector writes to stdout.
    print(json.dumps({"entities": len(entities), "relationships": len(relationships)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--require", metavar="FILE", help="an input file that must be there")
    parser.add_argument("--die", action="store_true", help="be killed in the middle of the upload")
    options = parser.parse_args()
    runfold = Runfold()
    try:
        sync(options, runfold)
    except ConnectorError as error:
        runfold.log("critical", f"The sync failed: {error}")
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
