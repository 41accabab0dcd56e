"""docs/logs.md, made from the table of lines.

Owns: the document's words around the table.
Never: a line.
Source: consumer/log_lines.py.
"""

import sys

from consumer.log_lines import GROUPS
from consumer.logs import LINES_MAX, WINDOW_S

_BEFORE = f"""\
# Logs

What a worker says on stderr. The tables are made from `consumer/log_lines.py` by `make docs`, and a
test holds code, table and document together. A terminal gets sentences; anything else gets one JSON
object a line, with `timestamp` (UTC), `level`, `event`, `message` and the fields of the table.
`event` is the name to look for, and stays; `message` is the table's sentence, and may change.

<!-- not run: needs a cluster -->
```console
$ kubectl logs propensity-0 | jq -c 'select(.partition == "customer-events[3]")'
$ kubectl logs propensity-0 | jq -c 'select(.level == "error") | [.timestamp, .event, .problem]'
```

- **Repeats.** {LINES_MAX} lines of a name are said within {WINDOW_S:.0f} s, no more, and the
  next one of that name says how many were, `suppressed`. At the end `lines_held_back` says it
  of names of which none came. What is counted exactly is in [metrics.md](metrics.md).
- **Customers.** The field `customer` is a hash, the one of training rows, so that a line leads to
  rows. With `logs: {{customer_ids: true}}` it is the id. Nothing else of a customer is in a log,
  and there is no access log. The hash keeps no secret: who has an id can make it.
- **Secrets.** Fields of such names are masked ([security.md](security.md)).
- **Libraries.** What the Kafka client logs comes as `kafka_client`. Others come as
  `library_failed`, with an exception's kind and place, and without its text. A fault of ours ends
  the worker with Python's own traceback.
- **Levels.** `logs: {{level: warning}}` leaves out what is `info`.

Partitions are named as `customer-events[3]`; offsets, campaigns and lineages are those of records.
"""


def document() -> str:
    """Write docs/logs.md."""
    lines = [_BEFORE]
    for group, table in GROUPS.items():
        lines += [f"## {group}", "", "| event | level | says | fields |", "|---|---|---|---|"]
        for line in table:
            fields = ", ".join(f"`{field}`" for field in line.fields.split())
            lines.append(f"| `{line.name}` | {line.level} | {line.says} | {fields} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(document())
