"""Serve in the foreground: ``python -m tests.service fake_jakarta fake_manila`` prints what to export."""

import sys
import threading

from . import Service

with Service(sys.argv[1:] or ["fake_jakarta", "fake_manila"]) as service:
    for name, value in service.environment.items():
        print(f"export {name}={value}")
    print(f"# faults and counters: {service.url}/control", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("# closed")
