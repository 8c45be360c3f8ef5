import { once } from "node:events";
import { connect } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { application } from "../../support/application.ts";
import { createService } from "../../support/service.ts";

it("An API stops even if a connection is open on which nothing was sent", async () => {
  const api = await createService(application).startApi();
  const silent = connect(Number(new URL(api.url).port), "127.0.0.1");
  onTestFinished(() => void silent.destroy());
  await once(silent, "connect");
  await fetch(`${api.url}/health/live`); // the API has accepted the earlier connection by now

  const ended = once(silent, "close");
  await api.stop();
  await ended;

  expect(silent.bytesRead).toBe(0);
});
