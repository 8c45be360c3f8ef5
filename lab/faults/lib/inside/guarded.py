"""Does what guarded.ts does, over HTTP, with the client for Python. Kills and pauses itself; Redis it leaves to others."""

import json
import os
import signal
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from holdfast_guard import Guard, NotDone

folder = Path(os.environ["LAB_DIR"])
life = os.environ["LAB_LIFE"]
plan = json.loads((folder / "plan.json").read_text())
trace_file = os.open(folder / "trace" / life, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
now = threading.local()
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def trace(event, key, detail="-"):
    os.write(trace_file, f"{int(time.time() * 1000)} {life} {event} {key} {detail}\n".encode())


def injected(key):
    return folder / "injected" / key


def is_first(key):
    try:
        os.close(os.open(injected(key), os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def pass_by(point, key):
    trace(point, key)
    inject = plan["keys"][key].get("inject")
    if inject is None or inject["at"] != point or inject["how"] not in SIGNALS or not is_first(key):
        return
    trace("injected", key, f"{inject['how']}@{point}")
    os.kill(os.getpid(), SIGNALS[inject["how"]])


class TracedGuard(Guard):
    def _post(self, path, body):
        # The API has another port after each start.
        self._url = (folder / "api-url").read_text().rstrip("/")
        step = path.rsplit("/", 1)[1]
        if step not in ("reserve", "commit"):
            return super()._post(path, body)
        pass_by(f"{step}:before", now.key)
        answer = super()._post(path, body)
        if answer["state"] in ("reserved", "done") and (step == "commit" or answer["state"] == "reserved"):
            pass_by(f"{step}:after", now.key)
        return answer


guard = TracedGuard("http://unknown")


def act(call):
    key = now.key
    pass_by("effect:begun", key)
    while now.is_later and plan["keys"][key].get("outlastsFirst") and not injected(f"up-{key}").exists():
        if call.remaining() <= 0:
            raise NotDone("the first run has not gone on")
        time.sleep(0.01)
    effect = {"key": call.key, "job": key, "fence": call.fence, "life": life}
    with urllib.request.urlopen(os.environ["LAB_WITNESS"], data=json.dumps(effect).encode()) as answer:
        answer.read()
    pass_by("effect:recorded", key)
    return {"fence": call.fence}


def traced_act(call):
    try:
        return act(call)
    finally:
        trace("effect:over", now.key)


def call_once(key):
    now.key, now.is_later = key, injected(key).exists()
    try:
        result = guard.once("act", key, traced_act, content={"key": key}, timeout=plan["timeoutMs"] / 1000)
        answer = f"done:{result['fence'] if result else 'resolved'}"
    except Exception as error:
        answer = getattr(error, "code", type(error).__name__)
    trace("ended", key, answer)


# As a child of Node.js says that it is ready.
os.write(int(os.environ["NODE_CHANNEL_FD"]), b'{"ready":true}\n')
with ThreadPoolExecutor(2) as pool:
    while True:
        list(pool.map(call_once, plan["keys"]))
        time.sleep(0.25)
