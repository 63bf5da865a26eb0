#!/usr/bin/env python3
"""A connector that speaks to Kafka by itself: Python with confluent-kafka and the contract's generated classes, nothing of Runfold's.

It shows all that a client must do: key every record by its run, number what it sends by topic from 1, and end the run with
what it has sent. Where the classes come from:

    protoc --proto_path=proto --python_out=DIR proto/runfold/v1/*.proto
    PYTHONPATH=DIR RUNFOLD_BOOTSTRAP_SERVERS=localhost:9092 deploy/demo/bare_kafka_connector.py

On Debian the packages are protobuf-compiler, python3-protobuf and python3-confluent-kafka.
"""

import os
import sys
import time
import uuid

from confluent_kafka import Producer
from runfold.v1 import event_pb2, identity_pb2, log_pb2, stats_pb2

EVENTS = os.environ.get("RUNFOLD_EVENTS_TOPIC", "runfold.events")
LOGS = os.environ.get("RUNFOLD_LOGS_TOPIC", "runfold.logs")


class Run:
    """One run, from Started to Completed. Use it as a context: an exception fails the run with its text, and passes on."""

    def __init__(self, producer, connector, run_id=None, version="", site=""):
        self.producer = producer
        # The source is this process: sequence numbers are its own.
        self.identity = identity_pb2.RunIdentity(run_id=run_id or str(uuid.uuid4()), connector_id=connector, version=version, site=site,
                                                 attempt=1, source_id=str(uuid.uuid4()))
        self.sent = {EVENTS: 0, LOGS: 0}
        self.failed = []
        self.began = time.monotonic()

    def _send(self, topic, message, records=1):
        message.identity.CopyFrom(self.identity)
        self.sent[topic] += records
        # The key keeps a run in one partition of each topic, and so in order.
        self.producer.produce(topic, key=self.identity.run_id, value=message.SerializeToString(), on_delivery=self._delivered,
                              headers=[("content-type", b"application/protobuf")])
        self.producer.poll(0)

    def _delivered(self, error, _):
        if error is not None:
            self.failed.append(str(error))

    def event(self, **variant):
        event = event_pb2.SyncEvent(sequence=self.sent[EVENTS] + 1, **variant)
        event.occurred_at.GetCurrentTime()
        self._send(EVENTS, event)

    def log(self, severity, *messages, step=""):
        batch = log_pb2.LogBatch(first_sequence=self.sent[LOGS] + 1)
        for message in messages:
            record = batch.records.add(severity=severity, message=message, step_id=step, stream=log_pb2.LOG_STREAM_APPLICATION)
            record.logged_at.GetCurrentTime()
        self._send(LOGS, batch, len(messages))

    def __enter__(self):
        started = event_pb2.Started(os_pid=os.getpid())
        self.event(started=started)
        return self

    def __exit__(self, kind, error, _):
        completed = event_pb2.Completed(result=event_pb2.RUN_RESULT_FAILURE if error else event_pb2.RUN_RESULT_SUCCESS, error=str(error or ""))
        completed.duration.FromNanoseconds(int((time.monotonic() - self.began) * 1e9))
        # What the collector holds against what it has received: this event counts too.
        for topic, number, own in ((stats_pb2.TOPIC_EVENTS, EVENTS, 1), (stats_pb2.TOPIC_LOGS, LOGS, 0)):
            completed.totals.add(topic=topic, emitted=self.sent[number] + own, last_sequence=self.sent[number] + own)
        self.event(completed=completed)


def main():
    producer = Producer({"bootstrap.servers": os.environ["RUNFOLD_BOOTSTRAP_SERVERS"], "enable.idempotence": True, "compression.type": "lz4",
                         # With more, librdkafka may take a first batch for delivered that a new leader has refused.
                         "max.in.flight": 1,
                         # As Runfold's own producers choose partitions, so that any of them may write a run.
                         "partitioner": "murmur2_random"})
    with Run(producer, "bare-kafka", run_id=os.environ.get("RUNFOLD_RUN_ID"), version="1.0", site="demo") as run:
        run.event(step_started=event_pb2.StepStarted(step_id="read", step_attempt=1))
        run.log(log_pb2.SEVERITY_INFO, "reading three invoices", "read three invoices", step="read")
        run.event(step_completed=event_pb2.StepCompleted(step_id="read", step_attempt=1, entities=3, relationships=2))
        run.log(log_pb2.SEVERITY_WARNING, "one invoice has no date", step="read")
    left = producer.flush(30)
    if left or run.failed:
        sys.exit(f"{left} records did not reach Kafka in time, {len(run.failed)} were refused: {', '.join(sorted(set(run.failed)))}")
    print(run.identity.run_id)


if __name__ == "__main__":
    main()
