import type { Random } from "../../../test/support/random.ts";
import { JSON_TYPE, request, submission } from "../lib/request.ts";
import { anyText, type Group, job, newKey } from "./kind.ts";

const controls = ["\0", "\b", "\t", "\n", "\r", "\x1b", "\x7f", "\x80", "\x85", "\x9f"] as const;

const inBody = (random: Random, idempotencyKey: unknown) =>
  submission(JSON.stringify(job(random, { idempotencyKey })));

export const keys: Group = {
  name: "idempotency keys",
  kinds: [
    {
      name: "none, or empty",
      make: (random) => random.pick([inBody(random, ""), inBody(random, undefined), inHeader(random, '""')]),
    },
    { name: "huge", make: (random) => huge(random) },
    {
      name: "with control characters",
      make: (random) => inBody(random, anyText(random) + random.pick(controls) + anyText(random)),
    },
    {
      name: "not well-formed",
      make: (random) =>
        inBody(
          random,
          `a${random.pick(["\ud800", "\udfff"])}${anyText(random, 3).replace(/[\ud800-\udfff]/g, "")}`,
        ),
    },
    { name: "header and body differ", make: (random) => inHeader(random, newKey(random), newKey(random)) },
    { name: "header twice", make: headerTwice },
    {
      name: "header quoted badly, or not UTF-8",
      make: (random) => inHeader(random, random.pick(['"a', '"a"b', '"a\\b"', "\xff", "\xc3", '"\xe4"'])),
    },
    { name: "one header for a batch", make: headerForBatch },
  ],
};

function inHeader(random: Random, header: string, idempotencyKey?: string): Buffer {
  return request({
    headers: [JSON_TYPE, ["Idempotency-Key", header]],
    body: JSON.stringify(job(random, { idempotencyKey })),
  });
}

function huge(random: Random): Buffer {
  const key = random.pick(["k", "🔑"]).repeat(random.between(256, 20_000));
  // Headers of more than 16 KiB are no request at all.
  return random.pick([
    () => inBody(random, key),
    () => inHeader(random, "k".repeat(random.between(256, 30_000))),
  ])();
}

function headerTwice(random: Random): Buffer {
  const key = newKey(random);
  const again = random.pick([key, newKey(random)]);
  return request({
    headers: [JSON_TYPE, ["Idempotency-Key", key], ["idempotency-key", again]],
    body: JSON.stringify(job(random, { idempotencyKey: undefined })),
  });
}

function headerForBatch(random: Random): Buffer {
  const headers = [JSON_TYPE, ["Idempotency-Key", newKey(random)]] as const;
  return request({ path: "/jobs/batch", headers, body: JSON.stringify({ jobs: [job(random)] }) });
}
