import type { Random } from "../../../test/support/random.ts";
import { request } from "../lib/request.ts";
import { type Group, job } from "./kind.ts";

const TYPE = "Content-Type: application/json";

/** Invalid or ambiguous HTTP. */
export const wire: Group = {
  name: "the wire",
  kinds: [
    { name: "two lengths, or a length and chunks", make: smuggled },
    { name: "invalid chunks", make: (random) => badChunks(random) },
    { name: "headers folded, split, or with bare line feeds", make: badHead },
    { name: "no Host, or two", make: badHost },
    {
      name: "headers of more than 16 KiB",
      make: (random) => request({ headers: [["X", "x".repeat(random.between(17_000, 60_000))]] }),
    },
    { name: "not HTTP", make: noHttp, manner: { halfClose: true }, expected: "hang-up" },
    { name: "half a request, then closed", make: half, manner: { halfClose: true }, expected: "hang-up" },
    { name: "bad requests, pipelined", make: pipelined, cost: 20 },
    {
      name: "a bad request, and nonsense behind it",
      make: (random) => Buffer.concat([keptAlive(random), Buffer.from("\0\0\r\n\r\n")]),
    },
  ],
};

function post(lines: readonly string[], body: string): Buffer {
  return Buffer.from(
    `POST /jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines.join("\r\n")}\r\n\r\n${body}`,
    "latin1",
  );
}

/** One request to one reader, two to another. */
function smuggled(random: Random): Buffer {
  const body = JSON.stringify(job(random));
  const length = `Content-Length: ${body.length}`;
  const hidden = `0\r\n\r\n${post([TYPE, length], body).toString()}`;
  const lines = random.pick([
    [length, `Content-Length: ${body.length + random.between(1, 9)}`],
    [length, length],
    [length, "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", length],
    [length, "Transfer-Encoding: identity"],
    ["Transfer-Encoding: xchunked"],
    ["Transfer-Encoding: chunked, identity"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: gzip"],
    ["Transfer-Encoding : chunked"],
    ["Transfer-Encoding: \x0bchunked"],
    [`Content-Length: ${body.length}, ${body.length}`],
    [`Content-Length: +${body.length}`],
    [`Content-Length: ${body.length}a`],
    ["Content-Length: -1"],
    ["Content-Length: 0x10"],
    [`Content-Length : ${body.length}`],
    [`Content-Length: ${"9".repeat(30)}`],
  ]);
  return post([TYPE, ...lines], hidden);
}

function badChunks(random: Random): Buffer {
  const body = JSON.stringify(job(random));
  const size = body.length.toString(16);
  const chunks = random.pick([
    `g\r\n${body}\r\n0\r\n\r\n`,
    `-1\r\n${body}\r\n0\r\n\r\n`,
    `${size}\n${body}\n0\n\n`,
    `${size}\r\n${body}x\r\n0\r\n\r\n`,
    `${"f".repeat(20)}\r\n${body}`,
    `0x${size}\r\n${body}\r\n0\r\n\r\n`,
    ` ${size}\r\n${body}\r\n0\r\n\r\n`,
    `${size};${"x".repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`,
  ]);
  return post([TYPE, "Transfer-Encoding: chunked"], chunks);
}

function badHead(random: Random): Buffer {
  const body = JSON.stringify(job(random));
  const good = post([TYPE, `Content-Length: ${body.length}`], body).toString("latin1");
  const bad = random.pick([
    good.replace("Content-Type: ", "Content-Type:\r\n "),
    good.replaceAll("\r\n", "\n"),
    good.replaceAll("\r\n", "\r"),
    good.replace("Host: localhost", "Host: localhost\0"),
    good.replace("Host: localhost", "Host: localhost\rX: y"),
    good.replace("Content-Type", "Content Type"),
    good.replace("Content-Type:", ":"),
    good.replace("Content-Type: application/json", "no header at all"),
    good.replace(
      "HTTP/1.1",
      random.pick(["HTTP/1.2", "HTTP/9.9", "HTTP/", "http/1.1", "HTTP/1.1 x", "ICE/1.0"]),
    ),
    good.replace("/jobs", random.pick(["/jo bs", "/jobs\t", "jobs", "\\jobs"])),
    good.replace("POST ", "POST  \t"),
  ]);
  return Buffer.from(bad, "latin1");
}

function badHost(random: Random): Buffer {
  const body = JSON.stringify(job(random));
  const good = post([TYPE, `Content-Length: ${body.length}`], body).toString();
  return Buffer.from(
    good.replace(
      "Host: localhost\r\n",
      random.pick(["", "Host: a\r\nHost: b\r\n", "Host: a\r\nhost: a\r\n"]),
    ),
  );
}

function noHttp(random: Random): Buffer {
  const noise = Buffer.from(Array.from({ length: random.between(1, 400) }, () => random.between(0, 255)));
  return random.pick([
    noise,
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, ...noise]),
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Buffer.from("*1\r\n$8\r\nFLUSHALL\r\n"),
    Buffer.from("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n"),
    Buffer.from("GET http://[ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    Buffer.from("GET\r\n\r\n"),
  ]);
}

function half(random: Random): Buffer {
  const body = JSON.stringify(job(random));
  const whole = post([TYPE, `Content-Length: ${body.length}`], body);
  return whole.subarray(0, random.between(1, whole.length - 1));
}

function keptAlive(random: Random): Buffer {
  const body = JSON.stringify(job(random, { idempotencyKey: "" }));
  return Buffer.from(
    post([TYPE, `Content-Length: ${Buffer.byteLength(body)}`], body)
      .toString()
      .replace("Connection: close\r\n", ""),
  );
}

function pipelined(random: Random): Buffer {
  const last = request({ method: "GET", path: "/nope" });
  return Buffer.concat([...Array.from({ length: random.between(2, 500) }, () => keptAlive(random)), last]);
}
