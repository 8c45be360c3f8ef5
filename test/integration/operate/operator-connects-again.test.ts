import { createOperator } from "holdfast";
import { Redis } from "ioredis";
import { expect, it, onTestFinished } from "vitest";
import { application } from "../../support/application.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

it("starts an act once Redis accepts connections again, and stops, although it could not connect for the first", async () => {
  const redis = await startRedisServer();
  onTestFinished(() => redis.stop());
  const operator = await createOperator(application, testEnvironment({ REDIS_URL: redis.url }));
  const request = { act: "cancel", all: true, filter: {}, reason: "a test" } as const;
  const admin = new Redis(redis.url);
  onTestFinished(() => admin.disconnect());
  await admin.config("SET", "requirepass", "secret"); // whoever is connected stays
  await expect(operator.acts.start(request, "test")).rejects.toMatchObject({ code: "STORE_REFUSED" });

  await admin.config("SET", "requirepass", "");

  await until("an act has started", () =>
    operator.acts.start(request, "test").then(
      () => true,
      () => false,
    ),
  );
  await operator.stop();
});

it("listens to its connection once, however many acts it starts", async () => {
  const warnings: string[] = [];
  const warned = ({ name }: Error) => void warnings.push(name);
  process.on("warning", warned);
  onTestFinished(() => void process.off("warning", warned));
  await using operator = await createOperator(application, testEnvironment());
  const request = { act: "cancel", all: true, filter: {}, reason: "a test" } as const;
  for (let act = 0; act < 12; act += 1) await operator.acts.start(request, "test");
  // Node.js warns in a turn of its own.
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
});
