import fc from "fast-check";
import { PermanentError } from "holdfast";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { readSecret, signatureHeaders } from "./sign.ts";

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

describe("a signature", () => {
  it("matches the specification's example", () => {
    const at = new Date(1_614_265_330_000);

    expect(signatureHeaders(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')).toEqual({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  it("is accepted by the public verifier, whatever it signs", () => {
    const id = fc.stringMatching(/^[\w-]{22}$/);
    const key = fc.uint8Array({ minLength: 24, maxLength: 64 });
    fc.assert(
      fc.property(key, id, fc.jsonValue(), (bytes, messageId, event) => {
        const ours = `whsec_${Buffer.from(bytes).toString("base64")}`;
        const body = JSON.stringify(event);
        const headers = signatureHeaders(ours, messageId, new Date(), body);

        expect(new Webhook(ours).verify(body, { ...headers })).toEqual(JSON.parse(body));
      }),
    );
  });

  it("is refused by the public verifier for another body, id, time or secret", () => {
    const headers = { ...signatureHeaders(secret, "id", new Date(), "{}") };
    const verifier = new Webhook(secret);
    const later = String(Number(headers["webhook-timestamp"]) + 1);

    expect(() => verifier.verify("{ }", headers)).toThrow();
    expect(() => verifier.verify("{}", { ...headers, "webhook-id": "other" })).toThrow();
    expect(() => verifier.verify("{}", { ...headers, "webhook-timestamp": later })).toThrow();
    expect(() => new Webhook(`whsec_${"A".repeat(32)}`).verify("{}", headers)).toThrow();
  });
});

describe("the secret", () => {
  it("is read from the environment", () => {
    expect(readSecret({ WEBHOOK_SECRET: secret })).toBe(secret);
  });

  it.each([{}, { WEBHOOK_SECRET: "" }, { WEBHOOK_SECRET: "hunter2" }])(
    "must be there: nothing goes out unsigned",
    (env) => {
      expect(() => readSecret(env)).toThrow(PermanentError);
      expect(() => readSecret(env)).toThrow(/WEBHOOK_SECRET/);
      expect(() => readSecret(env)).not.toThrow(/hunter2/);
    },
  );
});
