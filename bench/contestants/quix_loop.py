"""Quix Streams around the same obvious function.

Owns: how Quix is set up: its defaults, bytes in and bytes out.
Never: state kept by Quix, which would only slow it.
Source: https://quix.io/docs/quix-streams/
"""

import importlib

from bench.contestants.arguments import read_arguments
from bench.obvious import ObviousScorer

if __name__ == "__main__":
    arguments = read_arguments()
    scorer = ObviousScorer(
        arguments.goal, arguments.horizon_ms, arguments.lateness_ms, arguments.rate
    )
    # By name: Quix lives in an environment of its own, where no type checker looks.
    quix = importlib.import_module("quixstreams")
    application = quix.Application(
        broker_address=arguments.bootstrap,
        consumer_group=arguments.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="WARNING",
    )
    as_bytes = {"key_deserializer": "bytes", "value_deserializer": "bytes"}
    to_bytes = {"key_serializer": "bytes", "value_serializer": "bytes"}
    events = application.topic(arguments.events, **as_bytes)
    scores = application.topic(arguments.scores, **to_bytes)
    application.dataframe(events).apply(scorer.score).to_topic(scores)
    application.run()
