"""Side effects at most once, from Python, over Holdfast's HTTP API.

One file, the standard library alone: copy it. It needs Python 3.8 and an API key with the scope `act`.

    guard = Guard("https://jobs.example.com", os.environ["GUARD_KEY"])
    charge = guard.once("charge", f"order-{order.id}", lambda call: bank.charge(cents, key=call.key), content={"cents": cents})

The first call runs the function. Every later one, from any process in any language, gets its result. What is not proved is unknown: an
error of the function leaves a doubt, which waits for a person, unless the function raises NotDone.
"""

from __future__ import annotations

import asyncio
import collections.abc
import inspect
import json
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

__all__ = ["Guard", "Call", "NotDone", "HoldfastError", "EffectBusy", "InDoubt"]

# The API answers within two seconds.
REQUEST_TIMEOUT_S = 5.0
# For how long a request is sent again that was not answered.
RESEND_FOR_S = 10.0
# Others wait this much longer than the time-out before they call an effect in doubt.
MARGIN_S = 1.0
RESULT_MAX_BYTES = 16 * 1024


class NotDone(Exception):
    """Raised by the function: provably nothing happened, so the key is free. Without this word an error proves nothing.

    One that another effect has raised is that effect's word: it says nothing of the function around it.
    """

    _effect = None


class HoldfastError(Exception):
    """What the API says. `code` is stable. Raised alone, nothing was begun, but for RESULT_INVALID: it is done."""

    def __init__(self, code: str, detail: str, retry_after: float | None = None):
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.retry_after = retry_after


class EffectBusy(HoldfastError):
    """Another process may be running it; `retry_after` seconds later it is done, or in doubt."""


class InDoubt(HoldfastError):
    """Nobody can know whether it happened. `holdfast doubts resolve ID EFFECT` ends that; do not try again before."""

    def __init__(self, detail: str, id: str | None = None):
        super().__init__("IN_DOUBT", detail)
        self.id = id


class Call:
    """What the function gets."""

    def __init__(self, key: str, fence: int, installation: str, deadline: float):
        self.key = key  # the same in every run: pass it downstream as idempotency key
        self.fence = fence  # grows with each run
        self.installation = installation  # HOLDFAST_PREFIX
        self._deadline = deadline

    def remaining(self) -> float:
        """Seconds left. Look right before you act, and raise NotDone if there are none."""
        return self._deadline - _now()


class Guard:
    """Safe to share between threads and event loops."""

    def __init__(self, url: str, api_key: str | None = None, process: str | None = None):
        self._url = url.rstrip("/")
        self._headers = {"content-type": "application/json"}
        if api_key is not None:
            self._headers["authorization"] = f"Bearer {api_key}"
        name = process or f"python-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._process = name[:100]
        self._opener = urllib.request.build_opener(_NoRedirects)

    def once(self, effect: str, key: str, run, **options):
        """Runs `run(call)` unless it is done; returns its result, as JSON keeps it.

        content               what goes with the key; the same key with other content is refused
        timeout               seconds that a run may take @default 10
        wait                  seconds to wait while another process runs it @default 0
        remember              seconds for which the key is remembered from its end @default HOLDFAST_RETENTION_MS
        downstream_remembers  seconds for which downstream recognises the key: until then a doubt is run again @default never
        by, about             shown with a doubt
        """
        if inspect.iscoroutinefunction(run):
            raise TypeError("run is an async function: use once_async")
        steps = self._steps(effect, key, **options)
        step = next(steps)
        while True:
            try:
                kind, *given = step
                if kind == "post":
                    answer = self._post(*given)
                elif kind == "sleep":
                    answer = time.sleep(given[0])
                else:
                    answer = run(given[0])
            except BaseException as error:
                step, ended = _advance(steps.throw, error)
            else:
                step, ended = _advance(steps.send, answer)
            if ended is not None:
                return ended[0]

    async def once_async(self, effect: str, key: str, run, **options):
        """As `once`, for `async def run(call)`, which is cancelled when its time is up."""
        steps = self._steps(effect, key, **options)
        step = next(steps)
        while True:
            try:
                kind, *given = step
                if kind == "post":
                    # A report goes on although the caller is cancelled.
                    posting = asyncio.get_running_loop().run_in_executor(None, self._post, *given)
                    try:
                        answer = await asyncio.shield(posting)
                    except asyncio.CancelledError:
                        posting.add_done_callback(lambda posted, key=given[1]["key"]: self._release_unused(effect, key, posted))
                        raise
                elif kind == "sleep":
                    answer = await asyncio.sleep(given[0])
                else:
                    answer = await asyncio.wait_for(run(given[0]), given[0].remaining())
            except BaseException as error:
                step, ended = _advance(steps.throw, error)
            else:
                step, ended = _advance(steps.send, answer)
            if ended is not None:
                return ended[0]

    def _release_unused(self, effect, key, posted):
        """Nobody waits for the reservation any more, and nothing began."""
        if posted.cancelled() or posted.exception() is not None or posted.result()["state"] != "reserved":
            return
        run = {"key": key, "fence": posted.result()["fence"]}
        asyncio.get_running_loop().run_in_executor(None, self._post, f"{_path(effect)}/release", run)

    def _steps(self, effect, key, content=None, timeout=10.0, wait=0.0, remember=None, downstream_remembers=None, by=None, about=None):
        """reserve → run → commit, release or doubt. Yields what to do; whoever drives it sends the answer, or throws the error."""
        asked = {"key": key, "content": content, "timeoutMs": _ms(timeout), "process": self._process}
        optional = {"by": by, "about": about, "rememberMs": _ms(remember), "downstreamRemembersMs": _ms(downstream_remembers)}
        asked.update({name: value for name, value in optional.items() if value is not None})
        give_up_at, pause = _now() + wait, 0.02
        while True:
            # The same in each sending of one request.
            asked["reservationId"] = str(uuid.uuid4())
            # The time counts from before the request.
            deadline = _now() + timeout
            try:
                found = yield from self._answered(f"{_path(effect)}/reserve", asked, until=min(deadline, _now() + RESEND_FOR_S))
                break
            except EffectBusy as busy:
                left = give_up_at - _now()
                if left <= 0:
                    raise
                yield "sleep", min(pause, left, max(busy.retry_after or pause, 0.02))
                pause = min(2 * pause, 0.5)
        if found["state"] == "done":
            if not found["isResultKept"]:
                raise _unkept(effect)
            return found["result"]
        report = _Report(self, effect, found["id"], {"key": key, "fence": found["fence"]})
        call = Call(found["effectKey"], found["fence"], found["installation"], deadline)
        if call.remaining() <= 0:
            yield from report.send("release", {})
            raise HoldfastError("EFFECT_TIMED_OUT", f"the time was over before effect {effect} began")
        try:
            result = yield "run", call
            if _is_still_to_run(result):
                raise _StillToRun("the function returned what is still to run: nothing has waited for it")
        except BaseException as error:
            if isinstance(error, NotDone) and error._effect in (None, call.key):
                error._effect = call.key
                yield from report.send("release", {})
                raise
            # One that was interrupted may go on somewhere.
            is_over = isinstance(error, Exception) and not isinstance(error, (asyncio.TimeoutError, asyncio.CancelledError, _StillToRun))
            reason = _reason(error)
            try:
                yield from report.send("doubt", {"reason": reason, "isOver": is_over})
            except InDoubt:
                pass  # its time will be over: then it is in doubt all the same
            if not isinstance(error, Exception) or isinstance(error, asyncio.CancelledError):
                raise
            raise InDoubt(f"nobody can know whether effect {effect} happened: {reason}", found["id"]) from error
        kept, is_kept = _as_json(result)
        if is_kept:
            is_kept = yield from report.send("commit", {"result": kept}, may_be_refused=True)
        # Done all the same.
        if not is_kept:
            yield from report.send("commit", {"isResultKept": False})
            raise _unkept(effect)
        return kept

    def _answered(self, path, body, until):
        """Sends a request until it is answered. Every one of them is safe to send again."""
        pause = 0.05
        while True:
            try:
                return (yield "post", path, body)
            except _Unanswered as unanswered:
                if _now() + pause >= until:
                    raise HoldfastError("API_UNREACHABLE", str(unanswered)) from unanswered
            yield "sleep", pause
            pause = min(2 * pause, 1.0)

    def _post(self, path, body):
        request = urllib.request.Request(self._url + path, json.dumps(body, allow_nan=False).encode(), self._headers)
        try:
            with self._opener.open(request, timeout=REQUEST_TIMEOUT_S) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (OSError, ValueError, EOFError) as error:
            raise _Unanswered(f"{type(error).__name__}: {error}") from error
        except Exception as error:  # http.client's own, such as IncompleteRead
            raise _Unanswered(f"{type(error).__name__}: {error}") from error
        if not isinstance(answer, dict) or "state" not in answer:
            raise _Unanswered("the answer is not Holdfast's")
        return answer


class _Report:
    """What became of a run."""

    def __init__(self, guard, effect, id, run):
        self._guard, self._effect, self._id, self._run = guard, effect, id, run

    def send(self, what, more, may_be_refused=False):
        """@returns False where the API does not take such a body"""
        effect = self._effect
        try:
            yield from self._guard._answered(f"{_path(effect)}/{what}", {**self._run, **more}, until=_now() + RESEND_FOR_S)
        except HoldfastError as error:
            if may_be_refused and error.code == "INVALID_REQUEST":
                return False
            # A release that was answered before its reply was lost.
            if what == "release" and error.code == "RESERVATION_LOST":
                return True
            detail = f"what became of effect {effect} is not recorded: {error}"
            raise InDoubt(detail, self._id) from error
        return True


class _Unanswered(Exception):
    """Whether the API did it is unknown."""


class _StillToRun(TypeError):
    """Whether it will happen is unknown."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def _refusal(error):
    try:
        problem = json.load(error)
        code, detail = problem["code"], str(problem["detail"])
    except Exception:
        return _Unanswered(f"status {error.code}")
    retry_after = error.headers.get("retry-after")
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    if code == "EFFECT_BUSY":
        return EffectBusy(code, detail, seconds)
    if code == "IN_DOUBT":
        return InDoubt(detail, problem.get("id"))
    if error.code >= 500 or code == "RATE_LIMITED":
        return _Unanswered(f"{code}: {detail}")
    return HoldfastError(code, detail, seconds)


def _advance(move, given):
    """@returns the next step, and what was returned if there is none"""
    try:
        return move(given), None
    except StopIteration as end:
        return None, (end.value,)


def _is_still_to_run(result):
    """Also inside of it: tasks that nothing has waited for, what `map` does only when it is asked, a function, a thread, a process."""
    lazy = (collections.abc.Awaitable, collections.abc.Iterator, collections.abc.AsyncIterable)
    left, seen = [result], set()
    while left:
        one = left.pop()
        if isinstance(one, lazy) or inspect.isawaitable(one) or callable(one):
            return True
        if any(hasattr(one, name) for name in ("add_done_callback", "is_alive", "poll")):
            return True
        if isinstance(one, (dict, list, tuple, set, frozenset)) and id(one) not in seen:
            seen.add(id(one))
            left.extend(one.values() if isinstance(one, dict) else one)
    return False


def _as_json(result):
    try:
        text = json.dumps(result, allow_nan=False)
        return json.loads(text), len(text.encode()) <= RESULT_MAX_BYTES
    except (TypeError, ValueError, RecursionError):
        return None, False


def _reason(error):
    """What the API takes: an error's text may be anything, or raise one of its own."""
    name = type(error).__name__
    try:
        text = f"{name}: {error}"
    except Exception:
        text = name
    return text[:1000].encode("utf-8", "replace").decode()


def _unkept(effect):
    return HoldfastError("RESULT_INVALID", f"effect {effect} is done, but its result is not JSON of at most 16 KiB that the API takes")


def _path(effect):
    return f"/effects/{urllib.parse.quote(effect, safe='')}"


def _ms(seconds):
    return None if seconds is None else max(1, int(seconds * 1000))


def _now():
    """Goes on while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
