# Receives webhooks without any dependency: `WEBHOOK_SECRET=whsec_… PORT=3001 python3 examples/webhook_receiver.py`
import base64
import hashlib
import hmac
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


# #region verify
def is_genuine(secret: str, headers, body: bytes) -> bool:
    """Whether somebody who knows the secret sent exactly this body, within the last five minutes."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 5 * 60:
        return False

    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    signatures = headers.get("webhook-signature", "").encode().split(b" ")
    return any(hmac.compare_digest(signature, expected) for signature in signatures)
# #endregion


secret = os.environ["WEBHOOK_SECRET"]
if not secret.startswith("whsec_"):
    raise SystemExit("WEBHOOK_SECRET: expected whsec_…")

# In real life: a unique column, written in the same transaction as the effects of the event.
received = set()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_genuine(secret, self.headers, body):
            self.send_response(401)
            self.end_headers()
            return
        if self.headers["webhook-id"] not in received:
            print(f"took {body.decode()}", flush=True)
        received.add(self.headers["webhook-id"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3001"))), Receiver)
print(f"listening on {server.server_address[1]}", flush=True)
server.serve_forever()
