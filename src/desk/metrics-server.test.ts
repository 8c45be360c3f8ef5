import { request } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { createMetrics } from "../platform/telemetry/metrics.ts";
import { metricDefinitions } from "./metric-definitions.ts";
import { type MetricsAddress, startMetricsServer } from "./metrics-server.ts";

let reasons: string[] = [];

async function serve(address: Partial<MetricsAddress> = {}) {
  const metrics = createMetrics();
  metrics.of(metricDefinitions).gauge("holdfast_store_memory_bytes").set(7);
  const server = await startMetricsServer(
    metrics,
    { host: "127.0.0.1", port: 0, allowedHosts: new Set(), ...address },
    async () => reasons,
  );
  onTestFinished(server.stop);
  return server;
}

describe("the server for metrics", () => {
  it("serves them on loopback in Prometheus' format", async () => {
    const { url } = await serve();

    const answer = await fetch(url);

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await answer.text()).toContain("holdfast_store_memory_bytes 7\n");
  });

  it("answers whether the process lives and is ready, and serves nothing else", async () => {
    const { url } = await serve();
    const at = (path: string, method = "GET") => fetch(new URL(path, url), { method });

    expect(await (await at("/health/live")).json()).toEqual({ status: "live" });
    expect(await (await at("/health/ready")).json()).toEqual({ status: "ready", reasons: [] });
    reasons = ["Redis is away"];
    const away = await at("/health/ready");
    reasons = [];
    expect(away.status).toBe(503);
    expect(await away.json()).toEqual({ status: "not ready", reasons: ["Redis is away"] });
    expect((await at("/metrics?name=value")).status).toBe(200);
    expect((await at("/metrics", "HEAD")).status).toBe(200);
    expect((await at("/jobs")).status).toBe(404);
    expect((await at("/metrics", "POST")).status).toBe(405);
  });

  it("refuses a page whose own name leads here", async () => {
    const { url } = await serve();
    expect(await statusFor(url, "evil.example")).toBe(421);
    expect(await statusFor(url, "localhost:9464")).toBe(200);

    const allowing = await serve({ allowedHosts: new Set(["metrics.example"]) });
    expect(await statusFor(allowing.url, "metrics.example")).toBe(200);
  });

  it("answers to every name if it is open to the network", async () => {
    const { url } = await serve({ host: "0.0.0.0" });

    expect(await statusFor(url, "worker.internal:9464")).toBe(200);
  });

  it("names the variable to set when its port is in use", async () => {
    const { port } = new URL((await serve()).url);

    await expect(serve({ port: Number(port) })).rejects.toMatchObject({
      code: "START_FAILED",
      message: expect.stringMatching(/EADDRINUSE.*set HOLDFAST_METRICS_PORT/),
    });
  });

  it("can be stopped twice, even while a client keeps its connection", async () => {
    const { url, stop } = await serve();
    await (await fetch(url)).text(); // fetch keeps the connection

    await Promise.all([stop(), stop()]);

    await expect(fetch(url)).rejects.toThrow();
  });
});

/** @param host the Host header, which fetch cannot set */
function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject).end();
  });
}
