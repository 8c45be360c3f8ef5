import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { json, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { get, post } from "../../support/http.ts";
import { launchRole, START_MS, urlOf, withProcesses } from "../../support/processes.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const sdk = fileURLToPath(new URL("../../../examples/tracing/otel.mjs", import.meta.url));
const config = fileURLToPath(new URL("../../../holdfast.config.ts", import.meta.url));

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly service: unknown;
}

interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue?: string } }[] };
    readonly scopeSpans: readonly { readonly spans: readonly Omit<Span, "service">[] }[];
  }[];
}

/** An OTLP collector over HTTP. */
async function startCollector() {
  const spans: Span[] = [];
  const server = createServer(async (request, response) => {
    const { resourceSpans } = (await json(request)) as OtlpRequest;
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue;
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ ...span, service });
    }
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  return { spans, url: await listen(server) };
}

/** A webhook receiver that refuses the first delivery and accepts the others. */
async function startReceiver() {
  const deliveries: IncomingHttpHeaders[] = [];
  const server = createServer(async (request, response) => {
    await text(request);
    deliveries.push(request.headers);
    response.writeHead(deliveries.length === 1 ? 503 : 204).end();
  });
  return { deliveries, url: await listen(server) };
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const traceIdOf = (header: unknown) => /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec(String(header))?.[1];

describe("with an OpenTelemetry SDK loaded", withProcesses, () => {
  it("one trace leads from the client's request through the queue to each attempt, its effect and the webhook", async () => {
    const [collector, receiver] = [await startCollector(), await startReceiver()];
    const env = {
      ...testEnvironment({
        HOLDFAST_CONFIG: config,
        SMTP_URL: "smtp://127.0.0.1:9",
      }),
      WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString("base64")}`,
      WEBHOOK_ALLOW: "127.0.0.1/32",
      NODE_OPTIONS: `--import ${sdk}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      HOLDFAST_TRACE_URL: "https://traces.example/{traceId}",
    };
    const [api, worker] = [await launchRole("api", env), await launchRole("worker", env)];
    const clientsTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const event = { type: "invoice.paid", data: { secret: "never in a log" } };

    const accepted = await post(
      `${urlOf(api)}/jobs`,
      { type: "webhook", payload: { url: receiver.url, event }, idempotencyKey: "traced" },
      { traceparent: `00-${clientsTrace}-00f067aa0ba902b7-01` },
    );
    const state = async () => (await get(`${urlOf(api)}/jobs/${accepted.body.id}/status`)).body.state;
    await until("the second delivery is accepted", async () => (await state()) === "completed", START_MS);

    expect(traceIdOf(accepted.headers.get("traceresponse"))).toBe(clientsTrace);
    expect(receiver.deliveries.map(({ traceparent }) => traceIdOf(traceparent))).toEqual([
      clientsTrace,
      clientsTrace,
    ]);
    expect((await get(`${urlOf(api)}/jobs/${accepted.body.id}`)).body).toMatchObject({
      traceId: clientsTrace,
      traceUrl: `https://traces.example/${clientsTrace}`,
    });
    const ofTrace = () => collector.spans.filter(({ traceId }) => traceId === clientsTrace);
    const named = (name: string) => ofTrace().filter((span) => span.name === name);
    await until("the spans of both attempts are there", () => named("effect deliver").length === 2);
    expect(named("POST /jobs")).toMatchObject([{ parentSpanId: "00f067aa0ba902b7" }]);
    const ids = new Set(ofTrace().map(({ spanId }) => spanId));
    for (const { parentSpanId } of named("effect deliver")) expect(ids).toContain(parentSpanId);

    const attempts = ofTrace().filter(({ name }) => name.startsWith("process "));
    const statuses = attempts.map(({ status: { code, message } }) => ({ code, message }));
    expect(statuses).toHaveLength(2);
    expect(statuses).toContainEqual({ code: 2, message: expect.stringMatching(/^HANDLER_FAILED: /) });
    expect(statuses).toContainEqual({ code: 0, message: undefined });
    expect(new Set(collector.spans.map(({ service }) => service))).toEqual(
      new Set(["holdfast-api", "holdfast-worker"]),
    );
    // The worker was idle at first.
    const ofNoJob = collector.spans.filter(
      ({ service, traceId }) => service === "holdfast-worker" && traceId !== clientsTrace,
    );
    expect(ofNoJob).toEqual([]);

    const lines = worker.stderr.split("\n").filter((line) => line.includes(accepted.body.id));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ traceId: clientsTrace });
    expect(worker.stderr + api.stderr).not.toContain("never in a log");
  });
});

describe("without one", withProcesses, () => {
  it("nothing is traced, and no trace data is stored or sent", async () => {
    const env = testEnvironment({ HOLDFAST_CONFIG: config });
    const api = await launchRole("api", env);
    const payload = { email: "a@example.com", name: "A", message: "Hello" };
    const accepted = await post(
      `${urlOf(api)}/jobs`,
      { type: "welcome-email", payload, idempotencyKey: "untraced" },
      { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
    );
    expect(accepted.status).toBe(202);
    expect(accepted.headers.get("traceresponse")).toBeNull();
  });
});
