import { defineConfig, defineSchedule } from "holdfast";
import { afterAll, expect, it } from "vitest";
import { echo } from "../../support/application.ts";
import { busiestTurnMs } from "../../support/busiest-turn.ts";
import { get } from "../../support/http.ts";
import { createService } from "../../support/service.ts";

/** Of each, the tick before last was years ago. */
const patterns = ["0 0 29 2 *", "0 0 29 2 0#5", "30 4 29 2 *", "0 0 31 12 *", "0 0 1 1 1#1"];
const zones = ["Europe/Berlin", "America/New_York", "Asia/Kolkata"];

const schedules = Array.from({ length: 1_000 }, (_, index) =>
  defineSchedule({
    name: `rare-${index}`,
    cron: patterns[index % patterns.length] ?? "",
    timeZone: zones[index % zones.length] ?? "",
    job: echo,
    payload: () => null,
  }),
);
const application = defineConfig({ jobs: [echo], handlers: async () => [], schedules });
const open = createService(application, {}, afterAll);

it.each(["/schedules", "/metrics"])(
  "GET %s lets others have their turn while it plans 1,000 schedules of rare patterns",
  async (path) => {
    const { url } = await open.startApi();
    const busiest = await busiestTurnMs(() => get(url + path));
    expect(Math.round(busiest), "milliseconds in one turn of the event loop").toBeLessThan(300);
  },
);

it("GET /schedules of 1,000 rare patterns, each another one, is answered at the first read", async () => {
  const each = Array.from({ length: 1_000 }, (_, index) =>
    defineSchedule({
      name: `each-${index}`,
      cron: `${index % 60} ${Math.floor(index / 60)} 29 2 *`,
      timeZone: "Europe/Berlin",
      job: echo,
      payload: () => null,
    }),
  );
  const application = defineConfig({ jobs: [echo], handlers: async () => [], schedules: each });
  const { url } = await createService(application).startApi();
  const list = async (query: string) => (await get(`${url}/schedules${query}`)).status;
  expect(await list("?next=20&past=1")).toBe(200);
  // Of those whose client has left by then, nothing goes on.
  expect(await Promise.all(Array.from({ length: 20 }, () => list("")))).toEqual(Array(20).fill(200));
});
